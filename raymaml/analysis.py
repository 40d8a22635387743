"""Numbers read off finished surfaces: means over tasks, sub-level shares and contour levels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml.errors import SpecError

Floats = npt.NDArray[np.floating[Any]]
Float64s = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

MOST_LINES = 40  # more contour lines than this merge into grey at column width
LOG_FLOOR = 0.01  # a loss below this is drawn as this on a logarithmic scale; the thesis's lowest level


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


def contour_levels(low: float, high: float, step: float = 0.2, offset: float = 0.01) -> Float64s:
    """Levels offset + k * step from the last one <= low to the first one >= high.

    The defaults are the thesis's arange(0.01, 100, 0.2). Where that would be more than 40 lines, the
    smallest whole multiple of `step` that gives at most 40 is used, so every level stays one of the
    thesis's.

    Returns:
        (level,) ascending, at most 40 of them within [low, high].

    Raises:
        SpecError: a bound is not finite, low > high, or step <= 0.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low <= high and step > 0):
        raise SpecError(f"contour levels need finite low <= high and step > 0, not low {low}, high {high}, step {step}")
    spacing = step * level_multiple(low, high, step)
    first, last = math.floor((low - offset) / spacing), math.ceil((high - offset) / spacing)
    # Rounded: 0.01 + 3 * 0.2 is 0.6100000000000001, which no one wants in a label or as a threshold.
    return np.round(offset + spacing * (first + np.arange(last - first + 1, dtype=np.float64)), 10)


def level_multiple(low: float, high: float, step: float = 0.2) -> int:
    """How many steps apart `contour_levels` puts its lines: 1 unless there would be more than 40."""
    return max(1, math.ceil((high - low) / (step * MOST_LINES)))


def finer_step(low: float, high: float) -> float:
    """Pick the first of 0.2, 0.1, 0.05, 0.02, ... with at least 3 levels inside (low, high).

    At 0.2 a surface around an untrained model's ln 5 = 1.609 would show no line at all. Ends at 5e-8.
    """
    for decade in range(7):
        for factor in (0.2, 0.1, 0.05):
            step = factor / 10.0**decade
            levels = contour_levels(low, high, step)
            if np.count_nonzero((levels > low) & (levels < high)) >= 3:
                return step
    return 5e-8


def needs_log(low: float, high: float) -> bool:
    """Whether [low, high] is too wide for even spacing: over 40 steps of 0.2, and over a factor of 100.

    Evenly spaced lines would then all lie on the walls and none in the basin.
    """
    return low >= 0 and high - low > 0.2 * MOST_LINES and high > 100 * max(low, LOG_FLOOR)


def decade_levels(low: float, high: float) -> Float64s:
    """Levels 1, 2 and 5 times powers of ten around [low, high]; values below 0.01 get none of their own.

    Where that would be over 40 lines, every power of ten, or every second, third, ... of them.

    Raises:
        SpecError: a bound is not finite, low > high, or high <= 0.
    """
    if not (math.isfinite(low) and math.isfinite(high) and low <= high and high > 0):
        raise SpecError(f"logarithmic levels need finite low <= high and high > 0, not {low} and {high}")
    bottom = min(max(low, LOG_FLOOR), high)
    decades = np.arange(math.floor(math.log10(bottom)), math.ceil(math.log10(high)) + 1, dtype=np.float64)
    if 3 * len(decades) <= MOST_LINES:
        return np.outer(10.0**decades, (1.0, 2.0, 5.0)).ravel()
    return 10.0 ** decades[:: math.ceil(len(decades) / MOST_LINES)]
