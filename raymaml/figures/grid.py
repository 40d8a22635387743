"""A surface that is sure to fit its axes, as every figure takes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raymaml.analysis import Bools, Float64s, Floats
from raymaml.errors import SpecError

ALPHA, BETA = "α (first direction)", "β (second direction)"


@dataclass(frozen=True)
class Grid:
    """A surface that fits its axes, with everything that cannot be drawn as NaN."""

    alphas: Float64s  # (alpha,) ascending
    betas: Float64s  # (beta,) ascending
    values: Floats  # (alpha, beta) NaN where diverged, and where neither done nor interpolated
    done: Bools  # (alpha, beta) computed
    interpolated: Bools  # (alpha, beta) not computed, but with a value from points that are

    @property
    def diverged(self) -> Bools:
        """(alpha, beta) cells that were computed and have no finite value."""
        return self.done & np.isnan(self.values)

    @property
    def shown(self) -> Bools:
        """(alpha, beta) cells of which something is known: computed, diverged or not, and interpolated ones."""
        return self.done | self.interpolated

    @property
    def range(self) -> tuple[float, float] | None:
        """Lowest and highest value, None if there is no finite one."""
        finite = self.values[np.isfinite(self.values)]
        return (float(finite.min()), float(finite.max())) if finite.size else None

    @property
    def flat(self) -> bool:
        """Whether all values are the same up to float32 rounding: contours of that are noise."""
        low, high = self.range or (0.0, 0.0)
        return high - low <= 1e-6 * max(1.0, abs(low), abs(high))


def checked_grid(
    surface: Floats,
    alphas: Sequence[float] | Floats,
    betas: Sequence[float] | Floats,
    done: Bools | None,
    interpolated: Bools | None = None,
) -> Grid:
    """The grid of a surface (alpha, beta); infinite values, and those neither done nor interpolated, become NaN.

    Raises:
        SpecError: fewer than 2 x 2 grid points, shapes that do not fit, or values that do not ascend.
    """
    x, y = np.asarray(alphas, dtype=np.float64), np.asarray(betas, dtype=np.float64)
    if surface.shape != (x.size, y.size) or x.ndim != 1 or y.ndim != 1:
        raise SpecError(f"a surface of {x.size} alphas × {y.size} betas is needed, not one of {surface.shape}")
    if min(surface.shape) < 2:
        raise SpecError(
            f"a surface is drawn from at least 2 × 2 grid points, not {x.size} × {y.size}: "
            "compute a grid with more points"
        )
    if not (_ascends(x) and _ascends(y)):
        raise SpecError("alphas and betas must be finite and ascending")
    if done is None:
        done = np.ones(surface.shape, dtype=np.bool_)
    if interpolated is None:
        interpolated = np.zeros(surface.shape, dtype=np.bool_)
    for name, mask in (("done", done), ("interpolated", interpolated)):
        if mask.shape != surface.shape:
            raise SpecError(f"{name} must have the shape of the surface {surface.shape}, not {mask.shape}")
    between = interpolated & ~done & np.isfinite(surface)
    return Grid(x, y, np.where((done | between) & np.isfinite(surface), surface, np.nan), done, between)


def _ascends(values: Float64s) -> bool:
    return bool(np.isfinite(values).all() and (np.diff(values) > 0).all())


def covers_centre(grid: Grid) -> bool:
    """Whether (0, 0), the unperturbed parameters, lies on or between grid points."""
    return all(bool(axis[0] <= 0 <= axis[-1]) for axis in (grid.alphas, grid.betas))


def index_of_zero(axis: Float64s) -> int | None:
    """Index of the grid line at 0; linspace(-1, 1, 51) may miss it by a rounding error."""
    nearest = int(np.abs(axis).argmin())
    return nearest if abs(axis[nearest]) < 1e-9 * (axis[-1] - axis[0]) else None


def progress(grid: Grid) -> list[str]:
    """Say how much of the grid is there, none if all of it is; 99.6 % must not read 100 %."""
    if grid.interpolated.any():
        what = "the rest" if grid.shown.all() else f"{int(grid.interpolated.sum()):,}"
        return [f"{int(grid.done.sum()):,} of {grid.done.size:,} points computed", f"{what} interpolated"]
    share = grid.done.mean()
    return [] if share == 1 else [f"{math.floor(100 * share)} % computed"]


def nothing_to_draw(grid: Grid, quantity: str) -> str:
    """What an empty plot says of itself."""
    return f"no finite {quantity}" if grid.done.all() else f"no finite {quantity} yet"
