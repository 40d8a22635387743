"""The matrix of the thesis: methods x backbones x augmentation x data sets x seeds, trained and evaluated."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymaml import checkpoints as saved
from raymaml import data as data_sets
from raymaml import runs, training
from raymaml.cost import Cost, evaluation_cost, training_cost
from raymaml.landscape import store as stores
from raymaml.presets import Compat, Method, Preset, default_for, train_spec
from raymaml.runs import RunDir
from raymaml.runtime.jobs import Progress
from raymaml.runtime.session import session
from raymaml.runtime.surface import compute
from raymaml.runtime.train import JobStates, SeedJob, train_all
from raymaml.specs import Backbone, Score, Split, TrainSpec, Which
from raymaml.verbs.evaluate import TASKS, requests_of
from raymaml.verbs.train import run_name

RESNET_SIZE = 224  # pixels
OF_METHOD = {"maml": ("updates", "query", "inner_lr"), "transfer": ("epochs", "batch", "head_epochs")}


@dataclass(frozen=True)
class Cell:
    """One run of the matrix and the seeds that are asked for."""

    run: RunDir
    spec: TrainSpec
    seeds: tuple[int, ...]

    @property
    def unfinished(self) -> list[int]:
        """Seeds still to train or to test."""
        return [seed for seed in self.seeds if not self.run.seed(seed).finished]


@dataclass(frozen=True)
class Matrix:
    """What is to be trained, and how it is evaluated afterwards."""

    cells: tuple[Cell, ...]
    splits: tuple[Split, ...]
    checkpoints: tuple[Which, ...]
    tasks: int  # of each evaluation

    def cost(self, cell: Cell) -> Cost:
        """What is left to do in a cell."""
        total = Cost(0, 0, 0.0)
        for seed in cell.unfinished:
            last = cell.run.seed(seed).last
            step = saved.load(last).step if saved.exists(last) else 0
            total += training_cost(cell.spec, step)
        missing = sum(self._missing_tasks(cell, seed) for seed in cell.seeds)
        return total + evaluation_cost(cell.spec, missing, cell.spec.test_query, cell.spec.test_steps)

    def _missing_tasks(self, cell: Cell, seed: int) -> int:
        if seed in cell.unfinished:
            return len(self.splits) * len(self.checkpoints) * self.tasks
        return sum(
            sum(block.evaluations for block in stores.open_store(r.path).missing()) if r.path.exists() else self.tasks
            for r in requests_of([cell.run.seed(seed)], self.splits, self.checkpoints, self.tasks)
        )


def plan(
    data: Sequence[str] = ("glyphs",),
    methods: Sequence[Method] = ("maml", "transfer"),
    backbones: Sequence[Backbone] = ("conv4", "conv6"),
    augment: Sequence[bool] = (False, True),
    seeds: Sequence[int] = (5, 6, 7),
    *,
    preset: Preset | None = None,
    compat: Compat | None = None,
    splits: Sequence[Split] = ("base", "novel"),
    checkpoints: Sequence[Which] = ("best", "last"),
    tasks: int = TASKS,
    home: Path | None = None,
    **changes: Any,
) -> Matrix:
    """Lay out the matrix; writes nothing.

    Args:
        data: names of data sets; a ResNet takes `NAME-224` where it exists beside a smaller `NAME`.
        methods: `maml`, `transfer`.
        backbones: of the models.
        augment: False, True or both.
        seeds: of every run.
        preset: of every run; by default the one that suits each data set.
        compat: the values of the thesis's `text` or `code`.
        splits: on which every run is evaluated.
        checkpoints: which are evaluated.
        tasks: of each evaluation.
        home: the folder of the runs; by default `runs.home()`.
        changes: values that replace the preset's, such as `updates`, `epochs` (transfer) and `test_tasks`;
            see `presets.train_spec`.

    Raises:
        RaymamlError: a data set is missing, a value does not fit, or a folder holds another run.
    """
    wanted = tuple(runs.check_seeds(list(seeds)))
    root = (home.expanduser() if home else runs.home()).absolute()
    cells = []
    for name, method, backbone, augmented in itertools.product(data, methods, backbones, augment):
        images = data_sets.load(_sized(name, backbone))
        chosen = preset or default_for(name)
        values = {k: v for k, v in changes.items() if not _belongs_to_another(k, method)}
        spec = train_spec(images, chosen, method=method, backbone=backbone, augment=augmented, compat=compat, **values)
        training.check(spec, images)
        run = RunDir(root / run_name(spec, compat or chosen))
        run.check(spec)
        cells.append(Cell(run, spec, wanted))
    return Matrix(tuple(cells), tuple(splits), tuple(checkpoints), tasks)


def _sized(name: str, backbone: Backbone) -> str:
    """The data set in the size that the backbone takes."""
    larger = f"{name}-{RESNET_SIZE}"
    return larger if backbone.startswith("resnet") and not name.endswith(f"-{RESNET_SIZE}") else name


def _belongs_to_another(value: str, method: Method) -> bool:
    return any(value in names for other, names in OF_METHOD.items() if other != method)


def run(
    matrix: Matrix,
    *,
    address: str | None = None,
    workers_per_seed: int = 1,
    on_training: Callable[[JobStates], None] = lambda states: None,
    on_evaluation: Callable[[Progress], None] = lambda progress: None,
    on_stop: Callable[[], None] = lambda: None,
) -> dict[tuple[Path, int], Score]:
    """Train and evaluate what is not finished; the same call continues after an interruption.

    Args:
        matrix: from `plan`.
        address: of the Ray cluster; see `runtime.session`.
        workers_per_seed: workers that share each meta-batch of MAML; the weights do not depend on it.
        on_training: called about once a second with the state of each seed that trains.
        on_evaluation: called after each block of tasks.
        on_stop: called at the first Ctrl-C of the evaluation.

    Returns:
        The score of each run's own test, by folder and seed.

    Raises:
        IncompleteError: a seed or a block failed; what is finished is kept.
        KeyboardInterrupt: stopped by Ctrl-C; the same call continues.
    """
    # One session for both parts: starting Ray takes 7 to 16 s.
    with session(address) if any(cell.unfinished for cell in matrix.cells) else contextlib.nullcontext():
        for cells, workers in _by_workers(matrix.cells, workers_per_seed):
            jobs = [SeedJob(cell.spec, seed, cell.run.path) for cell in cells for seed in cell.seeds]
            train_all(jobs, address=address, workers_per_seed=workers, on_progress=on_training)
        for threads in sorted({cell.spec.threads for cell in matrix.cells}):
            requests = [
                request
                for cell in matrix.cells
                if cell.spec.threads == threads
                for request in requests_of(
                    [cell.run.seed(s) for s in cell.seeds], matrix.splits, matrix.checkpoints, matrix.tasks
                )
            ]
            compute(requests, address=address, threads=threads, on_progress=on_evaluation, on_stop=on_stop)
    return {(cell.run.path, seed): cell.run.seed(seed).read_result() for cell in matrix.cells for seed in cell.seeds}


def _by_workers(cells: Iterable[Cell], workers: int) -> list[tuple[list[Cell], int]]:
    """Cells with their number of workers per seed: those of transfer learning cannot be shared."""
    if workers == 1:
        return [(list(cells), 1)]
    maml = [cell for cell in cells if cell.spec.learner.kind == "maml"]
    return [(maml, workers), ([cell for cell in cells if cell not in maml], 1)]
