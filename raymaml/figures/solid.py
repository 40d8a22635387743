"""A surface inside 3-D axes, and the scale of its heights and colours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import FuncFormatter, MaxNLocator

from raymaml.analysis import Float64s, Floats
from raymaml.figures.grid import Grid
from raymaml.figures.levels import LOG_FLOOR, needs_log, short
from raymaml.figures.style import few_ticks

# As coolwarm, from Okabe and Ito's blue to their vermilion: no red-green pair, grey in between.
COOLWARM = LinearSegmentedColormap.from_list("raymaml_coolwarm", ["#0072B2", "#E4E1DC", "#D55E00"])


@dataclass(frozen=True)
class Height:
    """From the lowest to the highest value that is drawn; logarithmic if the range is too wide for even spacing."""

    low: float
    high: float

    @property
    def log(self) -> bool:
        """Whether heights are powers of ten."""
        return needs_log(self.low, self.high)

    @property
    def limits(self) -> tuple[float, float]:
        """Of the axis and of the colours, as drawn."""
        low, high = self.scale(np.array([self.low, self.high]))
        return float(low), float(high)

    def scale(self, values: Floats) -> Float64s:
        """Values as they are drawn; those outside at the limit."""
        inside = np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)
        return np.log10(np.maximum(inside, LOG_FLOOR)) if self.log else inside

    def label(self, quantity: str) -> str:
        """Name of the axis."""
        return f"{quantity} (log scale)" if self.log else quantity


def height_of(*grids: Grid) -> Height:
    """Of all values of some surfaces, widened if they are one value; 0 to 1 if there is none."""
    ranges = [grid.range for grid in grids if grid.range is not None]
    low = min((low for low, _ in ranges), default=0.0)
    high = max((high for _, high in ranges), default=1.0)
    pad = 0.1 * max(abs(low), 1.0) if low == high else 0.0
    return Height(low - pad, high + pad)


def cut_off(grid: Grid, limits: tuple[float, float] | None) -> list[str]:
    """Say what is not seen at its own height, within given limits or the surface's own."""
    notes = []
    done = max(int(grid.done.sum()), 1)
    if grid.diverged.any():
        notes.append(f"{100 * grid.diverged.sum() / done:.1f} % diverged (holes)")
    if limits is None:
        return notes
    for outside, side, limit in (
        (grid.values < limits[0], "below", limits[0]),
        (grid.values > limits[1], "above", limits[1]),
    ):
        if outside.any():
            notes.append(f"{100 * outside.sum() / done:.1f} % {side} {short(limit)}, drawn at {short(limit)}")
    return notes


def shape_solid(axes: Any, grid: Grid, height: Height) -> None:
    """Limits, ticks and panes of 3-D axes, seen from above the corner of low alpha and low beta."""
    axes.view_init(elev=28, azim=-58)
    axes.patch.set_visible(False)
    axes.set(xlim=grid.alphas[[0, -1]], ylim=grid.betas[[0, -1]], zlim=height.limits)
    few_ticks(axes.xaxis, axes.yaxis)
    if height.log:
        axes.zaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.zaxis.set_major_formatter(powers())
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0.97, 0.97, 0.97, 1.0))


def draw_solid(axes: Any, grid: Grid, height: Height, linewidth: float = 0.15) -> Any:
    """The surface, coloured by height; cells without a value leave holes."""
    x, y = np.meshgrid(grid.alphas, grid.betas, indexing="ij")
    low, high = height.limits
    return axes.plot_surface(
        x,
        y,
        height.scale(grid.values),
        cmap=COOLWARM,
        vmin=low,
        vmax=high,
        rstride=1,  # the default draws every n-th point of a grid over 50 × 50
        cstride=1,
        linewidth=linewidth,
        edgecolor=(0.25, 0.25, 0.25, 0.35),
        rasterized=grid.values.size > 10_000,  # 10,000 polygons make a PDF of megabytes
    )


def powers() -> FuncFormatter:
    """Labels of a logarithmic axis whose values are the exponents."""
    return FuncFormatter(lambda value, _: f"$10^{{{value:.3g}}}$")
