"""Numbers read off per-task values: scores, means over tasks and sub-level shares."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml.errors import SpecError
from raymaml.specs import Score

Floats = npt.NDArray[np.floating[Any]]
Float64s = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


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


def score_of(rows: Float64s) -> Score:
    """Summarise per-task rows (task, 2) of query loss (nats) and accuracy (0..1).

    The interval is that of the mean over tasks, 1.96 s / sqrt(n) with ddof 1, for these weights.
    """
    loss, accuracy = float(rows[:, 0].mean()), rows[:, 1]
    half_width = 1.96 * float(accuracy.std(ddof=1)) / len(rows) ** 0.5
    return Score(float(accuracy.mean()), half_width, loss if np.isfinite(loss) else None, len(rows))
