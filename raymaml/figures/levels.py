"""Which contour lines and filled areas a figure gets, and whether its scale is logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raymaml.analysis import Float64s, Floats
from raymaml.errors import SpecError
from raymaml.figures.grid import Grid

MOST_LINES = 40  # more contour lines than this merge into grey at column width
LOG_FLOOR = 0.01  # a loss below this is drawn as this on a logarithmic scale; the thesis's lowest level


@dataclass(frozen=True)
class Levels:
    """The contour lines and thresholds of one figure, and the scale they are drawn on."""

    lines: Float64s  # (level,) ascending
    fills: Float64s  # (threshold,) ascending
    log: bool
    note: str

    def scale(self, values: Floats) -> Float64s:
        """Values as they are drawn: between grid points we interpolate on this scale."""
        plain = np.asarray(values, dtype=np.float64)
        return np.log10(np.maximum(plain, LOG_FLOOR)) if self.log else plain


def plan_levels(grid: Grid, levels: Sequence[float] | Floats | None, fills: Sequence[float] | Floats | None) -> Levels:
    """The levels and thresholds of a figure: the caller's where given, else what the data ask for.

    Raises:
        SpecError: a given level is not a finite number.
    """
    lines, log, note = _line_levels(grid.range, levels)
    areas = _default_fills(grid, lines) if fills is None else _given("fills", fills)
    return Levels(lines, areas, log, note)


def _line_levels(
    bounds: tuple[float, float] | None, levels: Sequence[float] | Floats | None
) -> tuple[Float64s, bool, str]:
    """Contour levels, whether the scale is logarithmic, and what the legend says about them."""
    if levels is not None:
        return _given("levels", levels), False, "contour lines"
    if bounds is None:
        return np.empty(0), False, ""
    if needs_log(*bounds):
        lines = decade_levels(*bounds)
        ratio = lines[1] / lines[0]
        where = "at 1, 2, 5, 10, …" if ratio < 5 else f"at every factor of {short(ratio)}"
        return lines, True, f"lines {where} (log scale)"
    step = finer_step(*bounds)
    return contour_levels(*bounds, step), False, f"lines every {short(step * level_multiple(*bounds, step))}"


def _given(name: str, values: Sequence[float] | Floats) -> Float64s:
    """Levels from the caller, ascending and each once."""
    levels = np.unique(np.asarray(values, dtype=np.float64))
    if levels.ndim != 1 or not np.isfinite(levels).all():
        raise SpecError(f"{name} must be finite numbers, not {list(values)}")
    return levels


def _default_fills(grid: Grid, lines: Float64s) -> Float64s:
    """Up to 4 of the levels from the minimum to the median: the basin, not the walls.

    The lowest level above the minimum if the median lies under it too.
    """
    finite = grid.values[np.isfinite(grid.values)]
    if not finite.size or grid.flat:
        return np.empty(0)
    inside: Float64s = lines[(lines > finite.min()) & (lines < finite.max())]
    basin: Float64s = inside[inside <= np.median(finite)]
    if not basin.size:
        return inside[:1]
    picked = np.unique(np.linspace(0, basin.size - 1, 4).round().astype(np.int64))
    return np.take(basin, picked)


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


def short(value: float) -> str:
    """Write a level as short as it is exact: 0.81, 20, 1e6."""
    return f"{value:.6g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")
