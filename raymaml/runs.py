"""Where a run keeps its files, and how one is found again.

<home>/<run>/run.json                      the specification that all its seeds share
<home>/<run>/log.jsonl                     a line per event of whatever was computed for the run
<home>/<run>/seed-5/last/, best/           checkpoints
<home>/<run>/seed-5/metrics.jsonl          a line per validation
<home>/<run>/seed-5/result.json            the test score; present once the seed is finished
<home>/<run>/seed-5/surfaces/*.zarr        surfaces around its checkpoints
<home>/<run>/seed-5/evaluations/*.zarr     losses and accuracies of its checkpoints, task by task
<home>/<run>/surfaces/*.zarr               sets of surfaces of several seeds or directions
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymaml import files
from raymaml.errors import MismatchError, MissingError, SpecError
from raymaml.specs import Score, TrainSpec, differences

HOME_VARIABLE = "RAYMAML_HOME"
DEFAULT_HOME = Path("artifacts/runs")


def home() -> Path:
    """The folder of all runs: $RAYMAML_HOME, else artifacts/runs under the current directory."""
    return Path(os.environ.get(HOME_VARIABLE) or DEFAULT_HOME).expanduser().absolute()


@dataclass(frozen=True)
class SeedDir:
    """The files of one seed of one run."""

    path: Path

    @property
    def seed(self) -> int:
        """The seed, from the folder's name."""
        return int(self.path.name.removeprefix("seed-"))

    @property
    def last(self) -> Path:
        """Checkpoint to resume from: weights and optimiser state."""
        return self.path / "last"

    @property
    def best(self) -> Path:
        """Checkpoint of the highest validation accuracy so far."""
        return self.path / "best"

    @property
    def metrics(self) -> Path:
        """JSON lines, one per validation."""
        return self.path / "metrics.jsonl"

    @property
    def result(self) -> Path:
        """Test score; its presence means that the seed is finished."""
        return self.path / "result.json"

    @property
    def surfaces(self) -> Path:
        """Folder of the Zarr stores."""
        return self.path / "surfaces"

    @property
    def evaluations(self) -> Path:
        """Folder of the Zarr stores of evaluations."""
        return self.path / "evaluations"

    @property
    def finished(self) -> bool:
        """Whether training and test are done."""
        return self.result.is_file()

    def read_result(self) -> Score:
        """The test score of the best checkpoint.

        Raises:
            MissingError: the seed is not finished.
            SpecError: the file is damaged.
        """
        values = files.read_json(self.result)
        return Score.from_dict(values.get("test") if isinstance(values, dict) else None)

    def tidy(self, up_to: int) -> None:
        """Make the folder ready to go on from update `up_to`: no half-written files, no later metrics."""
        self.path.mkdir(parents=True, exist_ok=True)
        for leftover in self.path.glob(".*.partial"):
            leftover.unlink(missing_ok=True)
        self._keep_metrics(up_to)

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add one line; readers may follow the file while it grows."""
        with self.metrics.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")

    def _keep_metrics(self, up_to: int) -> None:
        if self.metrics.is_file():
            kept = [row for row in self.read_metrics() if row["step"] <= up_to]
            text = "".join(json.dumps(row) + "\n" for row in kept)
            files.write_text(self.metrics, text)

    def read_metrics(self) -> list[dict[str, Any]]:
        """The rows written so far; a line cut short by a crash is left out."""
        rows = []
        for line in self.metrics.read_text(encoding="utf-8").splitlines():
            try:
                rows.append(json.loads(line))
            except (ValueError, RecursionError):
                break
        return rows


@dataclass(frozen=True)
class RunDir:
    """The folder of one run: one specification, any number of seeds."""

    path: Path

    @property
    def spec_file(self) -> Path:
        """The JSON file of the specification."""
        return self.path / "run.json"

    @property
    def log(self) -> Path:
        """JSON lines, one per event; see `runlog`."""
        return self.path / "log.jsonl"

    @property
    def surfaces(self) -> Path:
        """Folder of the Zarr stores of sets of surfaces."""
        return self.path / "surfaces"

    def seed(self, seed: int) -> SeedDir:
        """The folder of one seed, which need not exist."""
        return SeedDir(self.path / f"seed-{seed}")

    def seeds(self) -> list[SeedDir]:
        """The seeds that have a folder, in ascending order."""
        found = [SeedDir(p) for p in self.path.glob("seed-*") if p.name.removeprefix("seed-").isdigit()]
        return sorted(found, key=lambda s: s.seed)

    def spec(self) -> TrainSpec:
        """The specification of the run.

        Raises:
            MissingError: this is no run.
            SpecError: its run.json is damaged.
        """
        return TrainSpec.from_dict(files.read_json(self.spec_file))

    def check(self, spec: TrainSpec) -> None:
        """Check that the folder is, or can become, a run of `spec`; writes nothing.

        Raises:
            MismatchError: it holds a run of another specification, or something else.
        """
        if self.spec_file.is_file():
            there = self.spec()
            if there != spec:
                raise MismatchError(
                    f"{self.path} holds another run: {differences(there, spec)}; "
                    "ask for the same values or name another folder with --out"
                )
        elif self.path.exists() and (not self.path.is_dir() or any(map(_is_foreign, self.path.iterdir()))):
            raise MismatchError(f"{self.path} is there and is no run of raymaml; name another folder with --out")

    def claim(self, spec: TrainSpec) -> None:
        """Make the folder a run of `spec`, or check that it is one.

        Raises:
            MismatchError: it holds a run of another specification, or something else.
        """
        self.check(spec)
        if not self.spec_file.is_file() and not files.create(self.spec_file, files.json_text(spec.to_dict())):
            self.check(spec)  # another process was faster
        files.remove_leftovers(self.spec_file)


def _is_foreign(path: Path) -> bool:
    """Whether it is something else than what `claim` leaves where it is killed."""
    return not (path.name.startswith(".run.json.") and path.name.endswith(".partial"))


def find(name: str | None) -> RunDir:
    """The run of that name or path; without one, the run whose seed finished last.

    Raises:
        MissingError: there is no such run, or none is finished.
    """
    if name is None:
        return _newest_finished()
    for path in (Path(name), home() / name):
        if (path / "run.json").is_file():
            return RunDir(path.absolute())
    known = ", ".join(sorted(p.parent.name for p in home().glob("*/run.json"))) or "none"
    raise MissingError(f"no run {name!r} here or in {home()} (there: {known})")


def _newest_finished() -> RunDir:
    results = list(home().glob("*/seed-*/result.json"))
    if not results:
        raise MissingError(
            f"no finished run in {home()}; train one first: raymaml train --seeds 5 6 7 (or name one with --run)"
        )
    return RunDir(max(results, key=lambda p: p.stat().st_mtime).parent.parent)


def pick_seed(run: RunDir, seed: int | None, *, preferred: int = 5) -> SeedDir:
    """The finished seed to look at: the one asked for, else 5 (the thesis's), else the lowest.

    Raises:
        MissingError: that seed, or every seed, is missing or unfinished.
    """
    finished = {s.seed: s for s in run.seeds() if s.finished}
    wanted = seed if seed is not None else preferred if preferred in finished else min(finished, default=preferred)
    if wanted not in finished:
        have = ", ".join(map(str, sorted(finished))) or "none"
        raise MissingError(f"run {run.path.name} has no finished seed {wanted} (finished: {have}); train it first")
    return finished[wanted]


def pick_seeds(run: RunDir, seeds: Sequence[int] | None) -> list[SeedDir]:
    """The finished seeds that are asked for; without any, all finished ones.

    Raises:
        MissingError: one of them, or every seed, is missing or unfinished.
        SpecError: the list cannot be used.
    """
    if seeds is not None:
        return [pick_seed(run, seed) for seed in check_seeds(list(seeds))]
    return [seed for seed in run.seeds() if seed.finished] or [pick_seed(run, None)]  # which says what is missing


def check_seeds(seeds: list[int]) -> list[int]:
    """Check a list of seeds: at least one, none twice, none negative.

    Raises:
        SpecError: the list cannot be used.
    """
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise SpecError(f"--seeds needs different whole numbers from 0 up, got {seeds}")
    return seeds
