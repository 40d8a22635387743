"""What the driver of a training writes to the logs of its runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raymaml import files, machine
from raymaml.checkpoints import INFO
from raymaml.errors import RaymamlError
from raymaml.locks import Held
from raymaml.runlog import Pace, RunLog, computing
from raymaml.runs import RunDir
from raymaml.runtime.journal import note_takeovers
from raymaml.runtime.session import cluster


@dataclass
class TrainingJournal:
    """Follows the states of the seeds of some runs, and writes about them."""

    runs: Sequence[Path]
    steps: dict[tuple[Path, int], int] = field(default_factory=dict)  # where each seed was when it was last seen
    pace: dict[Path, Pace] = field(default_factory=dict)
    begun: bool = False

    @contextlib.contextmanager
    def call(self, seeds: Mapping[Path, list[int]], held: Held, *, workers: int, at_once: int) -> Iterator[None]:
        """Log the start, what was taken over, and the end of the training of some seeds of each run."""
        facts = {"workers_per_seed": workers, "at_once": at_once, "cluster": cluster()}
        logs = [self._log(run) for run in self.runs]
        with computing(logs, "training", **facts, versions=machine.provenance()):
            self.begun = True
            for run, numbers in seeds.items():
                text = f"seeds {' '.join(map(str, numbers)) or 'none'} are to be trained"
                self._log(run).write("to do", text, seeds=numbers)
                for seed in numbers:
                    self._resumed(run, seed)
            note_takeovers(held, logs)
            yield

    def _resumed(self, run: Path, seed: int) -> None:
        """Log where a seed goes on from, if it was begun before."""
        with contextlib.suppress(RaymamlError, KeyError, TypeError):  # what is wrong there the worker says
            step = files.read_json(RunDir(run).seed(seed).last / INFO)["step"]
            self._log(run).write("resumed", f"seed {seed} goes on from update {step}", seed=seed, step=step)

    def progress(self, states: Mapping[tuple[Path, int], dict[str, Any]]) -> None:
        """Log lost workers, and now and then how far each is."""
        for (run, seed), state in states.items():
            self._follow(run, seed, state["step"])
        for run in self.runs:
            mine = {seed: state for (of, seed), state in states.items() if of == run}
            if mine and self.pace.setdefault(run, Pace()).due():
                text = "; ".join(f"seed {seed}: {_state(state)}" for seed, state in sorted(mine.items()))
                self._log(run).write("progress", text, seeds=mine)

    def _follow(self, run: Path, seed: int, step: int) -> None:
        before = self.steps.get((run, seed))
        self.steps[run, seed] = step
        if before is not None and step < before:
            text = f"seed {seed} lost its worker after update {before}; another goes on from the last checkpoint"
            self._log(run).write("worker replaced", text, seed=seed, step=step)

    def ended(self, run: Path, seed: int, error: str | None) -> None:
        """Log that a seed is finished, or why it failed."""
        if error:
            self._log(run).write("seed failed", f"seed {seed} failed: {error}", seed=seed, reason=error)
            return
        test = RunDir(run).seed(seed).read_result()
        text = f"seed {seed} is finished: novel accuracy {100 * test.accuracy:.2f} % ± {100 * test.accuracy_ci95:.2f}"
        self._log(run).write("seed finished", text, seed=seed, test=test.to_dict())

    def stopping(self) -> None:
        """For the first signal."""
        for run in self.runs if self.begun else ():
            self._log(run).write("stopping", "a signal asked the training to stop; each seed has its last checkpoint")

    def _log(self, run: Path) -> RunLog:
        return RunLog(RunDir(run).log)


def _state(state: Mapping[str, Any]) -> str:
    step, updates, accuracy = state["step"], state["updates"], state["val_accuracy"]
    note = "" if accuracy is None else f", val {100 * accuracy:.1f} %"
    if step < updates:
        return f"update {step}/{updates}{note}"
    return f"test task {state['tested']}/{state['test_tasks']}{note}"
