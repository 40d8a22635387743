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
    blocks_total: int  # of an adaptive surface: of those that are known to be needed so far
    blocks_most: int  # all blocks of the stores: the most that an adaptive surface can need
    evaluations: int  # in this call
    evaluations_left: int
    seconds: float  # since the first actor was asked for


class Tracker:
    """Counts finished blocks for the progress display."""

    def __init__(
        self, most: int, jobs: list[Job], tell: Callable[[Progress], None], missing: int | None = None
    ) -> None:
        """Of stores with `most` blocks, `missing` of them still to compute: by default as many as there are jobs."""
        self.most, self.tell = most, tell
        self.total = most - (len(jobs) if missing is None else missing) + len(jobs)
        self.left, self.evaluations = len(jobs), 0
        self.evaluations_left = sum(job.block.evaluations for job in jobs)
        self.started = time.monotonic()
        self._report()

    def add(self, jobs: list[Job]) -> list[Job]:
        """Count further blocks, and hand them on."""
        self.total += len(jobs)
        self.left += len(jobs)
        self.evaluations_left += sum(job.block.evaluations for job in jobs)
        return jobs

    def __call__(self, job: Job) -> None:
        """Count a finished block."""
        self.left -= 1
        self.evaluations += job.block.evaluations
        self.evaluations_left -= job.block.evaluations
        self._report()

    def _report(self) -> None:
        seconds = time.monotonic() - self.started
        done = self.total - self.left
        self.tell(Progress(done, self.total, self.most, self.evaluations, self.evaluations_left, seconds))
