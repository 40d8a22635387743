"""Surfaces as 3-D views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from raymaml.analysis import Bools, Floats
from raymaml.errors import SpecError
from raymaml.figures.grid import ALPHA, BETA, Grid, checked_grid, nothing_to_draw, progress
from raymaml.figures.levels import LOG_FLOOR, needs_log, short
from raymaml.figures.style import few_ticks, set_title, styled, title_height

# As coolwarm, from Okabe and Ito's blue to their vermilion: no red-green pair, grey in between.
COOLWARM = LinearSegmentedColormap.from_list("raymaml_coolwarm", ["#0072B2", "#E4E1DC", "#D55E00"])


@styled()
def surface_3d(
    surface: Floats,
    *,
    alphas: Sequence[float] | Floats,
    betas: Sequence[float] | Floats,
    title: str,
    quantity: str = "query loss",
    done: Bools | None = None,
    z_limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw a surface in 3-D, seen from above the corner of low alpha and low beta, coloured by height.

    Cells that diverged or are not computed leave holes. A range too wide for even spacing is drawn
    on a logarithmic height; the axis says so.

    Args:
        surface: (alpha, beta) values.
        alphas: (alpha,) ascending.
        betas: (beta,) ascending.
        title: one or more lines above everything; wrapped to the figure's width.
        quantity: what the values are, for the axis and the colour bar.
        done: (alpha, beta) cells that are computed, None for all.
        z_limits: (low, high) of height and colour, the same for surfaces to be compared; values
            outside are drawn at the limit, and the figure says how many.

    Raises:
        SpecError: fewer than 2 x 2 grid points, shapes that do not fit, values that do not ascend, or
            z_limits that are not finite and ascending.
    """
    grid = checked_grid(surface, alphas, betas, done)
    limits = _height_range(grid, z_limits)
    log = needs_log(*limits)
    notes = [*progress(grid), *_cut_off(grid, limits if z_limits else None)]
    figure, axes = _solid_figure("\n".join([title, " · ".join(notes)]) if notes else title)
    shown = np.clip(grid.values, *limits)
    if log:
        limits = (math.log10(max(limits[0], LOG_FLOOR)), math.log10(limits[1]))
        shown = np.log10(np.maximum(shown, LOG_FLOOR))
    label = f"{quantity} (log scale)" if log else quantity
    _label_solid(axes, grid, limits, label, log)
    if grid.range is None:
        axes.text2D(0.5, 0.5, nothing_to_draw(grid, quantity), transform=axes.transAxes, ha="center")
        return figure
    drawn = _draw_solid(axes, grid, shown, limits)
    _colour_bar(figure, drawn, label, log)
    return figure


def _height_range(grid: Grid, z_limits: tuple[float, float] | None) -> tuple[float, float]:
    """Limits of height and colour: the caller's, or the data's, widened if they are one value."""
    if z_limits is not None:
        low, high = z_limits
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise SpecError(f"z_limits must be finite and ascending, not {low} and {high}")
        return low, high
    low, high = grid.range or (0.0, 1.0)
    pad = 0.1 * max(abs(low), 1.0) if low == high else 0.0
    return low - pad, high + pad


def _cut_off(grid: Grid, limits: tuple[float, float] | None) -> list[str]:
    """Say what is not seen at its own height."""
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


def _solid_figure(title: str) -> tuple[Figure, Any]:
    """Make a figure with 3-D axes; `Any`, as mpl_toolkits has no types."""
    width, view = 6.0, 3.75
    top = title_height(title, width)
    height = view + top
    figure = Figure(figsize=(width, height))
    set_title(figure, title)
    axes: Any = figure.add_subplot(projection="3d")
    # The box is larger than the room: matplotlib leaves wide margins around a 3-D view.
    axes.set_position((-0.1 / width, -0.03 / height, 5.3 / width, (view + 0.4) / height))
    axes.set_box_aspect((1, 1, 0.72), zoom=0.94)
    axes.patch.set_visible(False)
    axes.view_init(elev=28, azim=-58)
    return figure, axes


def _label_solid(axes: Any, grid: Grid, limits: tuple[float, float], label: str, log: bool) -> None:
    axes.set(xlabel=ALPHA, ylabel=BETA, zlabel=label, zlim=limits)
    axes.set(xlim=grid.alphas[[0, -1]], ylim=grid.betas[[0, -1]])
    few_ticks(axes.xaxis, axes.yaxis)
    if log:
        axes.zaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.zaxis.set_major_formatter(_powers())
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0.97, 0.97, 0.97, 1.0))


def _draw_solid(axes: Any, grid: Grid, shown: Floats, limits: tuple[float, float]) -> Any:
    x, y = np.meshgrid(grid.alphas, grid.betas, indexing="ij")
    return axes.plot_surface(
        x,
        y,
        shown,
        cmap=COOLWARM,
        vmin=limits[0],
        vmax=limits[1],
        rstride=1,  # the default draws every n-th point of a grid over 50 × 50
        cstride=1,
        linewidth=0.15,
        edgecolor=(0.25, 0.25, 0.25, 0.35),
        rasterized=shown.size > 10_000,  # 10,000 polygons make a PDF of megabytes
    )


def _colour_bar(figure: Figure, drawn: Any, label: str, log: bool) -> None:
    width, height = figure.get_size_inches()
    bar = figure.colorbar(
        drawn,
        cax=figure.add_axes((5.2 / width, 1.0 / height, 0.13 / width, 2.0 / height)),
        format=_powers() if log else None,
        ticks=MaxNLocator(6, integer=log),
    )
    bar.set_label(label)


def _powers() -> FuncFormatter:
    return FuncFormatter(lambda value, _: f"$10^{{{value:.3g}}}$")
