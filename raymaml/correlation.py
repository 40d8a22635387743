"""Pearson correlations of accuracy with sharpness and with loss, over runs (thesis, section 4.4, tables 3 and 4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from raymaml import streams
from raymaml.errors import SpecError
from raymaml.results import BACKBONES, Result, nothing_there, over_seeds
from raymaml.specs import Backbone, Split

Quantity = Literal["sharpness", "loss", "accuracy"]
Float64s = npt.NDArray[np.float64]

FEWEST = 3  # points: through two there is always a line, and r is 1 or -1 whatever they are
DRAWS = (100, 100_000)  # fewest and most of a bootstrap: 2.5 % of fewer than 100 are not three; 20 MB per array
CONSTANT = 1e-12  # values that differ by less, in relation to the largest, differ by rounding alone


class Variable(NamedTuple):
    """A quantity of the best checkpoint of a run on the tasks of one split."""

    split: Split
    quantity: Quantity

    def __str__(self) -> str:
        """The variable as a person would name it."""
        return f"{self.split} {self.quantity}"


Pair = tuple[Variable, Variable]
Point = tuple[Backbone, bool, int]  # backbone, augment, seed
Values = dict[Variable, float]  # of one point; without those that are not known

X = (
    Variable("base", "sharpness"),
    Variable("base", "loss"),
    Variable("novel", "sharpness"),
    Variable("novel", "loss"),
)
Y = (Variable("base", "accuracy"), Variable("novel", "accuracy"))
PAIRS: tuple[Pair, ...] = tuple((x, y) for x in X for y in Y)


@dataclass(frozen=True)
class Correlation:
    """Pearson's r of two variables over the runs on one data set."""

    data: str
    x: Variable
    y: Variable
    n: int  # points of which both are known
    r: float | None  # -1..1; None where it is not defined, and `remarks` says why
    p: float | None  # two-sided, for independent normal points
    interval: tuple[float, float] | None  # 95 % percentile interval of a bootstrap over points
    remarks: tuple[str, ...]  # what was left out, and why there is no r or no interval


def correlations(
    results: Iterable[Result],
    pairs: Sequence[Pair] = PAIRS,
    *,
    augment: bool | None = None,
    bootstrap: int = 0,
    seed: int = 0,
) -> list[Correlation]:
    """Correlations over the points (backbone, augmentation, seed) of MAML's best checkpoints, for each data set.

    A bootstrap draws as many points as there are, with replacement, and takes the 2.5th and 97.5th percentile of r
    (Efron 1979). All pairs of one data set see the same draws, which are a function of seed, data set and number
    of points alone.

    Args:
        results: those of other methods, checkpoints and splits are not used.
        pairs: x and y.
        augment: with augmented runs only, or with others only; None for both.
        bootstrap: number of draws, 0 for no interval.
        seed: of the draws.

    Returns:
        For each data set, in alphabetical order, a correlation of each pair, in the order of `pairs`.

    Raises:
        MissingError: no result can be used.
        SpecError: a seed has two results in one cell, or the number of draws is out of its range.
    """
    if bootstrap and not DRAWS[0] <= bootstrap <= DRAWS[1]:
        raise SpecError(f"a bootstrap needs {DRAWS[0]} to {DRAWS[1]:,} draws, got {bootstrap}")
    used = [
        result
        for result in results
        if (result.method, result.checkpoint) == ("maml", "best")
        and result.split != "val"
        and augment in (None, result.augment)
    ]
    if not used:
        kind = "" if augment is None else "augmented " if augment else "not augmented "
        raise nothing_there(f"results of best checkpoints of {kind}MAML runs on base or novel tasks")
    over_seeds(used)  # a seed that is there twice would be two points
    found = []
    for data in sorted({result.data for result in used}):
        points = _points([result for result in used if result.data == data])
        found += [_correlation(data, pair, points, bootstrap, seed) for pair in pairs]
    return found


def _points(results: Iterable[Result]) -> list[Values]:
    """What is known of each point, in the order of backbone, augmentation and seed."""
    points: dict[Point, Values] = {}
    for result in results:
        values = points.setdefault((result.backbone, result.augment, result.seed), {})
        values[Variable(result.split, "loss")] = result.loss
        values[Variable(result.split, "accuracy")] = result.accuracy
        if result.sharpness is not None:
            values[Variable(result.split, "sharpness")] = result.sharpness
    return [points[point] for point in sorted(points, key=lambda p: (BACKBONES.index(p[0]), *p[1:]))]


def _correlation(data: str, pair: Pair, points: Sequence[Values], bootstrap: int, seed: int) -> Correlation:
    both = [values for values in points if all(variable in values for variable in pair)]
    x, y = (np.array([values[variable] for values in both], dtype=np.float64) for variable in pair)
    remarks = [
        f"{count} of {len(points)} points have no {variable}"
        for variable in pair
        if (count := sum(variable not in values for values in points))
    ]
    if reason := _why_none(pair, x, y):
        return Correlation(data, *pair, len(both), None, None, None, (*remarks, reason))
    from scipy.stats import pearsonr  # takes 2 s to load

    found = pearsonr(x, y)
    interval = None
    if bootstrap:
        interval, flat = _interval(x, y, bootstrap, ("correlation", seed, data))
        remarks += [f"{flat:,} of {bootstrap:,} draws are constant and left out of the interval"] if flat else []
    return Correlation(data, *pair, len(both), float(found.statistic), float(found.pvalue), interval, tuple(remarks))


def _why_none(pair: Pair, x: Float64s, y: Float64s) -> str | None:
    """Why r is not defined, or None if it is."""
    if len(x) < FEWEST:
        return f"no r of {len(x)} points: at least {FEWEST} are needed"
    for variable, values in zip(pair, (x, y), strict=True):
        if lost := int(np.count_nonzero(~np.isfinite(values))):
            return f"no r: {variable} diverged at {lost} of {len(values)} points"
        if _constant(values[np.newaxis])[0]:
            return f"no r: {variable} is the same at all {len(values)} points"
    return None


def _constant(rows: Float64s) -> npt.NDArray[np.bool_]:
    """Whether all values of each row of (row, value) are one."""
    same: npt.NDArray[np.bool_] = np.ptp(rows, axis=1) <= CONSTANT * np.abs(rows).max(axis=1)
    return same


def _interval(
    x: Float64s, y: Float64s, draws: int, key: tuple[streams.Key, ...]
) -> tuple[tuple[float, float] | None, int]:
    """Percentile interval of r over resampled points, and of how many draws r is not defined."""
    n = len(x)
    chosen = (n * streams.uniforms(draws * n, *key)).astype(np.int64).reshape(draws, n)
    xs, ys = x[chosen], y[chosen]
    flat = _constant(xs) | _constant(ys)
    if flat.all():
        return None, draws
    dx, dy = (values[~flat] - values[~flat].mean(axis=1, keepdims=True) for values in (xs, ys))
    r = (dx * dy).sum(axis=1) / np.sqrt((dx**2).sum(axis=1) * (dy**2).sum(axis=1))
    low, high = np.percentile(np.clip(r, -1, 1), (2.5, 97.5))
    return (float(low), float(high)), int(flat.sum())


def remarks(found: Iterable[Correlation]) -> tuple[str, ...]:
    """What a reader must know of single correlations, a line for each that needs one."""
    return tuple(f"{c.data}, {c.x} with {c.y}: {'; '.join(c.remarks)}." for c in found if c.remarks)
