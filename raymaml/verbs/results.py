"""Collect what the runs in the home of runs came to, as results and curves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from raymaml import runs
from raymaml.errors import MismatchError, SpecError
from raymaml.files import ADVICE
from raymaml.results import Curve, Method, Result
from raymaml.runs import RunDir, SeedDir
from raymaml.specs import Split, TrainSpec, differences

WAY, SHOT = 5, 1  # of the thesis's tables and figures

# The rows of metrics.jsonl that make a curve; of the training tasks where the base split was not evaluated.
CURVES: dict[Split, tuple[str, ...]] = {
    "base": ("base_accuracy", "train_accuracy"),
    "val": ("val_accuracy",),
    "novel": ("novel_accuracy",),
}

Setting = tuple[str, str, str, bool]  # data, method, backbone, augment


def collect(
    data: str | None, *, on_skip: Callable[[str], None] = lambda text: None
) -> tuple[list[Result], list[Curve]]:
    """The test results, and the curves over training, of the 5-way 1-shot runs in `runs.home()`.

    Of several runs with one data set, method, backbone and augmentation, that with the most updates
    counts, so that a short trial does not stand beside the real thing.

    Args:
        data: name of a data set, None for all.
        on_skip: told, in one line each, which runs do not count and why.

    Returns:
        The results of finished seeds, and the curves of MAML seeds, finished or not.

    Raises:
        MismatchError: two runs of equally many updates differ in something else.
        RaymamlError: a file of a run is damaged.
    """
    results: list[Result] = []
    curves: list[Curve] = []
    for run, spec in _chosen(data, on_skip):
        for seed in run.seeds():
            if seed.finished:
                results.append(_result(spec, seed))
            if spec.learner.kind == "maml" and seed.metrics.is_file():
                curves += _curves(spec, seed)
    return results, curves


def _chosen(data: str | None, on_skip: Callable[[str], None]) -> list[tuple[RunDir, TrainSpec]]:
    """The runs that count, in the order of their names."""
    best: dict[Setting, tuple[RunDir, TrainSpec]] = {}
    for run, spec in _found():
        setting = (spec.data, spec.learner.kind, spec.model.backbone, augmented(spec))
        if data not in (None, spec.data):
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


def _found() -> list[tuple[RunDir, TrainSpec]]:
    folders = sorted(path.parent for path in runs.home().glob("*/run.json"))
    return [(RunDir(folder), RunDir(folder).spec()) for folder in folders]


def _longer(
    one: tuple[RunDir, TrainSpec], other: tuple[RunDir, TrainSpec]
) -> tuple[tuple[RunDir, TrainSpec], tuple[RunDir, TrainSpec]]:
    if one[1].updates == other[1].updates:
        what = differences(one[1], other[1]) or "nothing"
        raise MismatchError(
            f"runs {one[0].path.name} and {other[0].path.name} would be one cell of a table, and they differ in "
            f"more than their seeds ({what}); move one of them out of {runs.home()}"
        )
    return (one, other) if one[1].updates > other[1].updates else (other, one)


def augmented(spec: TrainSpec) -> bool:
    """Whether the training images of a run were augmented."""
    return bool(getattr(spec, "augment", False))


def _result(spec: TrainSpec, seed: SeedDir) -> Result:
    score = seed.read_result()
    method: Method = spec.learner.kind
    return Result(
        data=spec.data,
        method=method,
        backbone=spec.model.backbone,
        augment=augmented(spec),
        seed=seed.seed,
        split="novel",
        checkpoint="best",
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
            Curve(spec.model.backbone, augmented(spec), seed.seed, split, *zip(*found, strict=True))
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
