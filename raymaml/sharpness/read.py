"""Means and intervals of stored measurements, for tables and figures; loads neither torch nor ray."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raymaml.analysis import mean_and_interval
from raymaml.errors import MissingError
from raymaml.results import Method
from raymaml.runs import RunDir
from raymaml.sharpness.spec import MEASURES, Measure
from raymaml.sharpness.store import SharpnessStore, open_store
from raymaml.specs import Backbone, Split, TrainSpec, Which, family

ARRAYS = {"hessian": {"eigenvalue": "eigenvalue", "trace": "trace"}}  # of measures that are no rise of the loss


@dataclass(frozen=True)
class Summary:
    """One measure over the tasks of one store."""

    measure: str  # standard, adaptive, linf, average, averaged; eigenvalue or trace of the Hessian
    rho: float | None  # None of eigenvalue and trace
    mean: float  # nats; of eigenvalue and trace nats per squared weight. NaN or infinite if a task diverged
    ci95: float  # half-width of the normal 95 % interval of the mean, 1.96 s / sqrt(n); NaN of one task
    tasks: int


@dataclass(frozen=True)
class SharpnessRow:
    """A summary with all that tells it from others."""

    data: str  # the data set whatever the size of its images: cub for cub-224
    method: Method
    backbone: Backbone
    augment: bool
    seed: int
    split: Split
    checkpoint: Which
    measure: str
    rho: float | None
    mean: float
    ci95: float
    tasks: int
    perturb: str
    steps: int
    query: int  # images per class
    task_seed: int
    precision: str
    run: str  # name of the run's folder
    updates: int  # that the run was trained for: with several runs of one setting, most count in tables


def summaries(store: SharpnessStore, measures: Sequence[Measure] = MEASURES) -> list[Summary]:
    """Those of the measures that the store holds of every task; `hessian` gives `eigenvalue` and `trace`."""
    found = []
    for measure in measures:
        if not store.missing(measure):
            for name, array in ARRAYS.get(measure, {measure: f"sharpness_{measure}"}).items():
                values = store.read(array)
                found.append(Summary(name, store.spec.radius(measure), *mean_and_interval(values), values.size))
    return found


def over_seeds(seeds: Sequence[Summary]) -> tuple[float, float, float]:
    """Mean over seeds of the means and of the intervals (thesis, tables 7 and 8), and the means' standard deviation."""
    means, halves = (np.array([getattr(found, name) for found in seeds]) for name in ("mean", "ci95"))
    with np.errstate(invalid="ignore"):
        spread = float(means.std(ddof=1)) if means.size > 1 else math.nan
        return float(means.mean()), float(halves.mean()), spread


def mean_loss(store: SharpnessStore) -> float:
    """Mean query loss (nats) at the unperturbed weights, over the tasks of a measure that is complete."""
    return float(store.read("loss0").mean())


def sharpness_rows(home: Path) -> list[SharpnessRow]:
    """Every complete measure of every run in a home of runs, by run, seed and store.

    A run may have several measurements of one split and checkpoint, which differ in `rho`, `tasks`, `perturb` and
    so on; the caller chooses.

    Raises:
        RaymamlError: a run or a store is damaged.
        MissingError: there is no such folder.
    """
    if not home.is_dir():
        raise MissingError(f"{home} is not there; name a folder of runs")
    rows = []
    for folder in sorted(path.parent for path in home.glob("*/run.json")):
        run = RunDir(folder)
        spec = run.spec()
        for seed in run.seeds():
            for path in sorted((seed.path / "sharpness").glob("*.zarr")):
                store = open_store(path)
                if store.spec.run == spec.digest:  # else it was copied here from elsewhere
                    rows += [_row(folder.name, spec, store, summary) for summary in summaries(store)]
    return rows


def _row(run: str, trained: TrainSpec, store: SharpnessStore, summary: Summary) -> SharpnessRow:
    of = store.spec
    return SharpnessRow(
        data=family(of.data, of.model),
        method=of.learner.kind,
        backbone=of.model.backbone,
        augment=trained.augment,
        seed=of.seed,
        split=of.split,
        checkpoint=of.checkpoint,
        measure=summary.measure,
        rho=summary.rho,
        mean=summary.mean,
        ci95=summary.ci95,
        tasks=summary.tasks,
        perturb=of.perturb,
        steps=of.steps,
        query=of.task.query,
        task_seed=of.task_seed,
        precision=of.precision,
        run=run,
        updates=trained.updates,
    )
