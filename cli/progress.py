"""Progress on stderr: bars on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymaml.process import duration

from .options import say

if TYPE_CHECKING:
    from raymaml.data.prepared import Progress as Preparation
    from raymaml.runtime.jobs import Progress
    from raymaml.runtime.sharpness import Progress as Measured
    from raymaml.runtime.train import JobStates, SeedStates
    from raymaml.verbs.verify import Progress as Verified

LINE_SECONDS = 10.0  # between lines where stderr is no terminal
QUIET_SECONDS = 3.0  # before a short computation shows how far it is


def eta(done: float, left: float, seconds: float) -> str:
    """Time left at the pace so far, as 1:02:03; unknown before anything is done."""
    return duration(left * seconds / done) if done > 0 else "?"


class Display:
    """Named rows of text and share done, drawn as bars or as lines."""

    def __init__(self) -> None:
        self.bars = _bars() if sys.stderr.isatty() else None
        self.rows: dict[str, Any] = {}
        self.told = 0.0

    def show(self, rows: dict[str, tuple[float, str]], *, last: bool = False) -> None:
        """Show the share (0..1) and the text of each row."""
        if self.bars:
            for name, (share, text) in rows.items():
                if name not in self.rows:
                    self.rows[name] = self.bars.add_task(name, total=1.0, note="")
                self.bars.update(self.rows[name], completed=share, note=text)
        elif rows and (last or time.monotonic() - self.told > LINE_SECONDS):
            self.told = time.monotonic()
            say("; ".join(f"{name} {100 * share:.0f} %, {text}" for name, (share, text) in rows.items()))


def _bars() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )


@contextmanager
def display() -> Iterator[Display]:
    """A display for as long as the block runs; a terminal holds only one at a time."""
    shown = Display()
    if not shown.bars:
        yield shown
        return
    with shown.bars:
        yield shown


def training(shown: Display) -> Callable[[SeedStates], None]:
    """A callback for `train(on_progress=...)`: a row per seed."""
    first: dict[int, tuple[float, int]] = {}  # seed -> time and step when it was first seen

    def row(seed: int, state: dict[str, Any]) -> tuple[float, str]:
        started, from_step = first.setdefault(seed, (time.monotonic(), state["step"]))
        step, updates, val = state["step"], state["updates"], state["val_accuracy"]
        left = eta(step - from_step, updates - step, time.monotonic() - started)
        note = "" if val is None else f", val {100 * val:.1f} %"
        if step < updates:
            return step / updates, f"update {step}/{updates}{note}, ETA {left}"
        return 1.0, f"test task {state['tested']}/{state['test_tasks']}{note}"

    return lambda states: shown.show({f"seed {s}": row(s, states[s]) for s in sorted(states)})


Planned = tuple[Path, Sequence[int], Sequence[int]]  # folder of a run, its seeds, those that are unfinished


def matrix(shown: Display, planned: Sequence[Planned]) -> Callable[[JobStates], None]:
    """A callback for `matrix.run(on_training=...)`: a row per run, and one for all with the time left."""
    started = time.monotonic()
    first: dict[tuple[Path, int], float] = {}  # share of a seed when it was first seen

    def show(states: JobStates) -> None:
        shares = {key: _share(state) for key, state in states.items()}
        rows: dict[str, tuple[float, str]] = {}
        for path, seeds, unfinished in planned:
            of_seed = {seed: shares.get((path, seed), 0.0) if seed in unfinished else 1.0 for seed in seeds}
            if any((path, seed) in states for seed in unfinished):
                text = ", ".join(f"{seed}: {_state(share)}" for seed, share in of_seed.items())
                rows[path.name] = (sum(of_seed.values()) / len(seeds), f"seeds {text}")
        for key, share in shares.items():
            first.setdefault(key, share)
        left = sum(len(unfinished) for *_, unfinished in planned) - sum(shares.values())
        done = sum(shares[key] - first[key] for key in first)
        total = sum(len(seeds) for _, seeds, _ in planned)
        text = f"{left:.1f} of {total} trainings left, ETA {eta(done, left, time.monotonic() - started)}"
        shown.show({"training": (1 - left / total, text), **rows})

    return show


def _share(state: dict[str, Any]) -> float:
    """Share of a training with its test, whose tasks count as a tenth of it."""
    return float(0.9 * state["step"] / state["updates"] + 0.1 * state["tested"] / state["test_tasks"])


def _state(share: float) -> str:
    return "done" if share == 1.0 else f"{100 * share:.0f} %" if share else "waits"


def surface(shown: Display, name: str = "surface") -> Callable[[Progress], None]:
    """A callback for `surface(on_progress=...)` and `evaluate(on_progress=...)`: one row."""

    def show(progress: Progress) -> None:
        rate = progress.evaluations / progress.seconds if progress.seconds else 0.0
        left = eta(progress.evaluations, progress.evaluations_left, progress.seconds)
        most = progress.blocks_most
        known = "" if progress.blocks_total == most else f" needed so far, of at most {most}"
        text = f"{progress.blocks}/{progress.blocks_total} blocks{known}, {rate:.1f} evaluations/s, ETA {left}"
        share = progress.blocks / progress.blocks_total
        shown.show({name: (share, text)}, last=progress.evaluations_left == 0)

    return show


def preparation(shown: Display) -> Callable[[Preparation], None]:
    """A callback for `prepare(on_progress=...)`: one row."""

    def show(progress: Preparation) -> None:
        rate = progress.decoded / progress.seconds if progress.seconds else 0.0
        left = eta(progress.decoded, progress.images_total - progress.images, progress.seconds)
        text = f"{progress.images}/{progress.images_total} images, {rate:.0f} images/s, ETA {left}"
        shown.show({"prepare": (progress.images / progress.images_total, text)})

    return show


def sharpness(shown: Display) -> Callable[[Measured], None]:
    """A callback for `measure_sharpness(on_progress=...)`: one row."""

    def show(at: Measured) -> None:
        if at.jobs_total:
            text = f"{at.jobs}/{at.jobs_total} parts, ETA {eta(at.jobs, at.jobs_total - at.jobs, at.seconds)}"
            shown.show({"sharpness": (at.jobs / at.jobs_total, text)}, last=at.jobs == at.jobs_total)

    return show


def verification(shown: Display) -> Callable[[Verified], None]:
    """A callback for `verify(on_progress=...)`: one row, told once it takes more than a few seconds."""

    def show(at: Verified) -> None:
        text = f"{at.computed}/{at.total} computed again, ETA {eta(at.computed, at.total - at.computed, at.seconds)}"
        if at.seconds > QUIET_SECONDS:
            shown.show({"verify": (at.computed / at.total, text)})

    return show
