"""Collect what the runs in the home of runs came to, as results and curves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymaml import runs
from raymaml.errors import MismatchError, SpecError
from raymaml.files import ADVICE
from raymaml.results import RHO, Cell, Curve, Result
from raymaml.runs import RunDir, SeedDir
from raymaml.specs import Counts, Score, Split, SurfaceSpec, TrainSpec, Which, differences, family

if TYPE_CHECKING:
    from raymaml.sharpness.read import SharpnessRow

WAY, SHOT = 5, 1  # of the thesis's tables and figures
MEASURE = "standard"  # of sharpness, the thesis's

# The rows of metrics.jsonl that make a curve; of the training tasks where the base split was not evaluated.
CURVES: dict[Split, tuple[str, ...]] = {
    "base": ("base_accuracy", "train_accuracy"),
    "val": ("val_accuracy",),
    "novel": ("novel_accuracy",),
}

Setting = tuple[str, str, str, bool]  # data, method, backbone, augment


def collect(
    data: str | None,
    *,
    paired: bool = False,
    home: Path | None = None,
    on_skip: Callable[[str], None] = lambda text: None,
) -> tuple[list[Result], list[Curve]]:
    """The scores, and the curves over training, of the 5-way 1-shot runs in a home of runs.

    Scores are of `raymaml evaluate` and `raymaml matrix`: of each split and checkpoint the evaluation of most
    tasks, with the tasks and steps of the run's own test; where there is none, that test itself (novel, best).

    A result has the sharpness of its checkpoint and split where `raymaml sharpness` measured it as the thesis did.

    Of several runs with one data set, method, backbone and augmentation, that with the most updates
    counts, so that a short trial does not stand beside the real thing.

    Args:
        data: name of a data set, None for all.
        paired: take an evaluation before the run's own test, however many tasks that has, so that the best and the
            last checkpoint are compared on the same tasks.
        home: folder of the runs; by default `runs.home()`.
        on_skip: told, in one line each, which runs do not count and why.

    Returns:
        The results of finished seeds, and the curves of MAML seeds, finished or not. Those on `NAME-224`, which
        ResNets take, count as NAME's.

    Raises:
        MismatchError: two runs of equally many updates differ in something else.
        RaymamlError: a file of a run is damaged.
    """
    results: list[Result] = []
    curves: list[Curve] = []
    home = home or runs.home()
    chosen = _chosen(home, data, on_skip)
    for run, spec in chosen:
        for seed in run.seeds():
            if seed.finished:
                results += _scores(spec, seed, paired)
            if spec.learner.kind == "maml" and seed.metrics.is_file():
                curves += _curves(spec, seed)
    return join_sharpness(results, _sharpness(home, (run.path.name for run, _ in chosen)), measure=MEASURE), curves


def _sharpness(home: Path, names: Iterable[str]) -> list[SharpnessRow]:
    """What the thesis's tables are made of: one measurement of each checkpoint and split, that of most tasks."""
    chosen = set(names)
    best: dict[tuple[Any, ...], SharpnessRow] = {}
    if not any(home.glob("*/seed-*/sharpness/*.zarr")):
        return []
    from raymaml.sharpness.read import sharpness_rows  # which loads zarr

    for row in sharpness_rows(home):
        how = (row.measure, row.rho, row.perturb, row.steps, row.query, row.task_seed)
        if row.run in chosen and how == (MEASURE, RHO, "weights", 10, 15, 0):
            key = (row.run, row.seed, row.split, row.checkpoint)
            best[key] = max(best.get(key, row), row, key=lambda found: found.tasks)
    return list(best.values())


def join_sharpness(
    results: Iterable[Result],
    rows: Iterable[SharpnessRow],
    *,
    measure: str,
    rho: float = RHO,
    on_skip: Callable[[str], None] = lambda text: None,
) -> list[Result]:
    """The results with the sharpness of the same checkpoint of the same seed on the same split.

    Args:
        results: scores; one without its row stays as it is.
        rows: sharpness.
        measure: rows of other measures do not count.
        rho: nor do those of another length of the step.
        on_skip: told, in one line each, which rows have no place and why.

    Raises:
        MismatchError: two rows that count are of one checkpoint and split.
    """
    rows = list(rows)
    of: dict[tuple[Cell, int], SharpnessRow] = {}
    for row in rows:
        if (row.measure, row.rho) != (measure, rho):
            continue
        key = (Cell(row.data, row.method, row.backbone, row.augment, row.split, row.checkpoint), row.seed)
        if key in of:
            raise MismatchError(
                f"there are two measurements of the sharpness of seed {row.seed} of {key[0]}, "
                f"over {of[key].tasks:,} and {row.tasks:,} tasks; move one of them out of the folder of runs"
            )
        of[key] = row
    others = Counter((row.measure, row.rho) for row in rows if (row.measure, row.rho) != (measure, rho))
    for (name, length), count in sorted(others.items()):
        on_skip(f"{count} sharpness values are left out: {name} with rho {length:g}, not {measure} with {rho:g}")
    joined = [_sharpened(result, of.pop((result.cell, result.seed), None)) for result in results]
    for cell, seed in of:
        on_skip(f"the sharpness of seed {seed} of {cell} is left out: its accuracy there was not evaluated")
    return joined


def _sharpened(result: Result, row: SharpnessRow | None) -> Result:
    if row is None:
        return result
    mean, ci95 = (value if math.isfinite(value) else math.nan for value in (row.mean, row.ci95))
    return replace(result, sharpness=mean, sharpness_ci95=ci95, sharpness_tasks=row.tasks)


def _chosen(home: Path, data: str | None, on_skip: Callable[[str], None]) -> list[tuple[RunDir, TrainSpec]]:
    """The runs that count, in the order of their names."""
    best: dict[Setting, tuple[RunDir, TrainSpec]] = {}
    for run, spec in _found(home):
        setting = (family(spec.data, spec.model), spec.learner.kind, spec.model.backbone, spec.augment)
        if data not in (None, spec.data, family(spec.data, spec.model)):
            continue
        if (spec.task.way, spec.task.shot) != (WAY, SHOT):
            on_skip(f"run {run.path.name} is left out: it is {spec.task.way}-way {spec.task.shot}-shot")
            continue
        other = best.setdefault(setting, (run, spec))
        if other[0] != run:
            best[setting], less = _longer(other, (run, spec))
            longer = best[setting]
            on_skip(
                f"run {less[0].path.name} is left out: {less[1].updates:,} updates, "
                f"and {longer[0].path.name} has {longer[1].updates:,}"
            )
    return list(best.values())


def _found(home: Path) -> list[tuple[RunDir, TrainSpec]]:
    folders = sorted(path.parent for path in home.glob("*/run.json"))
    return [(RunDir(folder), RunDir(folder).spec()) for folder in folders]


def _longer(
    one: tuple[RunDir, TrainSpec], other: tuple[RunDir, TrainSpec]
) -> tuple[tuple[RunDir, TrainSpec], tuple[RunDir, TrainSpec]]:
    if one[1].updates == other[1].updates:
        what = differences(one[1], other[1]) or "nothing"
        raise MismatchError(
            f"runs {one[0].path.name} and {other[0].path.name} would be one cell of a table, and they differ in "
            f"more than their seeds ({what}); move one of them out of {one[0].path.parent}"
        )
    return (one, other) if one[1].updates > other[1].updates else (other, one)


def _scores(spec: TrainSpec, seed: SeedDir, paired: bool) -> list[Result]:
    """A result per split and checkpoint."""
    own: dict[tuple[Split, Which], Score] = {("novel", "best"): seed.read_result()}
    found = {} if paired else dict(own)
    if paths := sorted(seed.evaluations.glob("*.zarr")):
        _add_evaluated(found, spec, paths)
    return [_result(spec, seed.seed, *key, value) for key, value in (own | found).items()]


def _add_evaluated(found: dict[tuple[Split, Which], Score], spec: TrainSpec, paths: Iterable[Path]) -> None:
    """Put in the scores of evaluations that count, each in place of one over fewer tasks."""
    from raymaml.landscape.scores import score  # loads zarr, which tables without evaluations do without
    from raymaml.landscape.store import open_store

    for store in map(open_store, paths):
        of = store.spec
        if of.run != spec.digest or _how(of) != ((spec.test_steps,), (spec.test_query,), 0, 0) or store.missing():
            continue
        key = (of.split, of.checkpoint)
        if key not in found or of.tasks > found[key].tasks:
            found[key] = score(store)


def _how(spec: SurfaceSpec) -> tuple[Counts, Counts, int, int]:
    return spec.steps, spec.queries, spec.task_seed, spec.first_task


def _result(spec: TrainSpec, seed: int, split: Split, which: Which, score: Score) -> Result:
    return Result(
        data=family(spec.data, spec.model),
        method=spec.learner.kind,
        backbone=spec.model.backbone,
        augment=spec.augment,
        seed=seed,
        split=split,
        checkpoint=which,
        accuracy=score.accuracy,
        accuracy_ci95=score.accuracy_ci95,
        loss=math.nan if score.loss is None else score.loss,
        tasks=score.tasks,
    )


def _curves(spec: TrainSpec, seed: SeedDir) -> list[Curve]:
    try:
        rows = seed.read_metrics()
        points = {split: _points(rows, names) for split, names in CURVES.items()}
        return [
            Curve(spec.model.backbone, spec.augment, seed.seed, split, *zip(*found, strict=True))
            for split, found in points.items()
            if found
        ]
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise SpecError(f"{seed.metrics} is damaged: {error}; {ADVICE}") from error


def _points(rows: list[dict[str, Any]], names: tuple[str, ...]) -> list[tuple[int, float]]:
    """(step, accuracy) of the first of the names that any row has."""
    for name in names:
        points = [(int(row["step"]), float(row[name])) for row in rows if row.get(name) is not None]
        if points:
            return points
    return []
