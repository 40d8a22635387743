"""Numbers read off per-task values: scores, means over tasks and sub-level shares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml import streams
from raymaml.errors import SpecError
from raymaml.specs import Score

Floats = npt.NDArray[np.floating[Any]]
Float64s = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

NORMAL_95 = 1.96  # standard errors to each side of a normal 95 % interval (recipe 6.2)
RESAMPLES = 1_000  # draws of a bootstrap: the ends of a 95 % interval then move by about a tenth of its width


def mean_over_tasks(values: Floats, done: Bools) -> Float64s:
    """Mean loss over tasks at each grid point; NaN unless every task there is done and not NaN.

    NaN is data (a diverged loss), so one diverged task makes its cell NaN: leaving it out would
    show the lowest losses exactly where training blows up. An infinite loss gives an infinite mean.

    Args:
        values: (task, alpha, beta) losses.
        done: (task, alpha, beta) whether each loss has been computed.

    Returns:
        (alpha, beta) float64; float32 sums over 100 tasks would lose two digits.

    Raises:
        SpecError: the shapes differ, or there is no task.
    """
    if values.ndim != 3 or values.shape != done.shape or not len(values):
        raise SpecError(
            "a mean over tasks needs values and done of one shape (task, alpha, beta), with a task, "
            f"not {values.shape} and {done.shape}"
        )
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, which is what we want to store
        mean: Float64s = np.where(done, values, np.nan).mean(axis=0, dtype=np.float64)
    return mean


def sublevel_share(surface: Floats, threshold: float, *, done: Bools | None = None) -> float:
    """Share (0 to 1) of the grid points whose value is <= threshold: the area of a sub-level set.

    Each grid point stands for one cell of equal area, edge points included, so this is a share of
    points and not the area inside an interpolated contour. The thesis (Ding 2023, figs 11 and 12)
    compares these areas by eye only. NaN and infinite values (diverged) count as above.

    Args:
        surface: (alpha, beta) values.
        threshold: the level; compared in the precision of `surface`.
        done: (alpha, beta) cells that have been computed, None for all. The share is over these only.

    Returns:
        The share, or NaN if no cell is done.

    Raises:
        SpecError: `done` has another shape than `surface`.
    """
    if done is None:
        done = np.ones(surface.shape, dtype=np.bool_)
    if done.shape != surface.shape:
        raise SpecError(f"done must have the shape of the surface {surface.shape}, not {done.shape}")
    if not done.any():
        return math.nan
    # float(): a np.float64 threshold would make float32(0.81) <= 0.81 false.
    below = np.isfinite(surface) & (surface <= float(threshold))
    return float(np.count_nonzero(below & done) / np.count_nonzero(done))


@dataclass(frozen=True)
class Area:
    """The sub-level set of a mean over tasks, and how far its size may be off because of the tasks."""

    threshold: float
    share: float  # of the grid points, 0..1
    low: float  # of the 95 % interval over tasks; NaN for one task
    high: float


def all_done(done: Bools) -> Bools:
    """(alpha, beta) whether every task of (task, alpha, beta) is computed."""
    whole: Bools = np.asarray(done.all(axis=0))
    return whole


def areas(values: Floats, done: Bools, thresholds: Sequence[float]) -> list[Area]:
    """The area below each threshold of the mean over tasks, with a 95 % percentile interval over tasks.

    The tasks are drawn with replacement, 1,000 times, whole: each keeps its values at all grid points. Each time
    the mean and its areas are formed again; the interval is from the 2.5th to the 97.5th percentile (Efron and
    Tibshirani 1993, chapter 13). The draws are a pure function of the number of tasks. Only grid points at which every
    task is done count, in the areas and as the grid.

    Args:
        values: (task, alpha, beta) losses.
        done: (task, alpha, beta) whether each has been computed.
        thresholds: of the areas.

    Raises:
        SpecError: the shapes differ, or there is no task.
    """
    mean, whole = mean_over_tasks(values, done), all_done(done)
    weights = _bootstrap_weights(len(values))
    cells = values[:, whole].astype(np.float64)
    finite = np.isfinite(cells)
    means = weights @ np.where(finite, cells, 0.0)  # (draw, cell)
    diverged = weights @ ~finite > 0  # NaN * 0 would make a cell NaN whose diverged task was not drawn
    found = []
    for threshold in thresholds:
        shares = ((means <= threshold) & ~diverged).mean(axis=1) if whole.any() else np.full(len(means), np.nan)
        low, high = np.percentile(shares, (2.5, 97.5)) if len(values) > 1 else (math.nan, math.nan)
        found.append(Area(threshold, sublevel_share(mean, threshold, done=whole), float(low), float(high)))
    return found


def _bootstrap_weights(tasks: int) -> Float64s:
    """(draw, task) share of each task in each of the draws with replacement."""
    drawn = (streams.uniforms(RESAMPLES * tasks, "bootstrap", tasks) * tasks).astype(np.int64)
    draw = np.repeat(np.arange(RESAMPLES), tasks)
    counts = np.bincount(draw * tasks + drawn, minlength=RESAMPLES * tasks)
    return counts.reshape(RESAMPLES, tasks) / tasks


def mean_and_interval(values: Float64s) -> tuple[float, float]:
    """Mean and half-width of its normal 95 % interval, 1.96 s / sqrt(n) with ddof 1 (recipe 6.2)."""
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, which is what we want to tell
        half = NORMAL_95 * float(values.std(ddof=1)) / math.sqrt(values.size) if values.size > 1 else math.nan
        return float(values.mean()), half


def score_of(rows: Float64s) -> Score:
    """Summarise per-task rows (task, 2) of query loss (nats) and accuracy (0..1).

    The interval is that of the mean over tasks, 1.96 s / sqrt(n) with ddof 1, for these weights.
    """
    loss = float(rows[:, 0].mean())
    return Score(*mean_and_interval(rows[:, 1]), loss if np.isfinite(loss) else None, len(rows))
