"""What the command gives to actors that compute surfaces, and how it counts what they finish; loads no torch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from raymaml.landscape.plan import Block


@dataclass(frozen=True)
class Job:
    """A block of one of the stores."""

    path: Path
    checkpoint: Path
    block: Block


@dataclass(frozen=True)
class Progress:
    """How far the surfaces are."""

    blocks: int
    blocks_total: int
    evaluations: int  # in this call
    evaluations_left: int
    seconds: float  # since the first actor was asked for


class Tracker:
    """Counts finished blocks for the progress display."""

    def __init__(self, total: int, jobs: list[Job], tell: Callable[[Progress], None]) -> None:
        self.total, self.left, self.tell = total, len(jobs), tell
        self.evaluations, self.evaluations_left = 0, sum(job.block.evaluations for job in jobs)
        self.started = time.monotonic()
        self._report()

    def __call__(self, job: Job) -> None:
        """Count a finished block."""
        self.left -= 1
        self.evaluations += job.block.evaluations
        self.evaluations_left -= job.block.evaluations
        self._report()

    def _report(self) -> None:
        seconds = time.monotonic() - self.started
        self.tell(Progress(self.total - self.left, self.total, self.evaluations, self.evaluations_left, seconds))
