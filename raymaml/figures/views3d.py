"""Surfaces as 3-D views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from raymaml.analysis import Bools, Floats
from raymaml.errors import SpecError
from raymaml.figures.grid import ALPHA, BETA, checked_grid, nothing_to_draw, progress
from raymaml.figures.solid import Height, cut_off, draw_solid, height_of, powers, shape_solid
from raymaml.figures.style import set_title, styled, title_height


@styled()
def surface_3d(
    surface: Floats,
    *,
    alphas: Sequence[float] | Floats,
    betas: Sequence[float] | Floats,
    title: str,
    quantity: str = "query loss",
    done: Bools | None = None,
    interpolated: Bools | None = None,
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
        interpolated: (alpha, beta) cells that are not, whose value is from those that are; the figure says so.
        z_limits: (low, high) of height and colour, the same for surfaces to be compared; values
            outside are drawn at the limit, and the figure says how many.

    Raises:
        SpecError: fewer than 2 x 2 grid points, shapes that do not fit, values that do not ascend, or
            z_limits that are not finite and ascending.
    """
    grid = checked_grid(surface, alphas, betas, done, interpolated)
    height = height_of(grid) if z_limits is None else _given(*z_limits)
    notes = [*progress(grid), *cut_off(grid, z_limits)]
    figure, axes = _solid_figure("\n".join([title, " · ".join(notes)]) if notes else title)
    shape_solid(axes, grid, height)
    axes.set(xlabel=ALPHA, ylabel=BETA, zlabel=height.label(quantity))
    if grid.range is None:
        axes.text2D(0.5, 0.5, nothing_to_draw(grid, quantity), transform=axes.transAxes, ha="center")
        return figure
    _colour_bar(figure, draw_solid(axes, grid, height), height, quantity)
    return figure


def _given(low: float, high: float) -> Height:
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SpecError(f"z_limits must be finite and ascending, not {low} and {high}")
    return Height(low, high)


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
    return figure, axes


def _colour_bar(figure: Figure, drawn: Any, height: Height, quantity: str) -> None:
    wide, high = figure.get_size_inches()
    bar = figure.colorbar(
        drawn,
        cax=figure.add_axes((5.2 / wide, 1.0 / high, 0.13 / wide, 2.0 / high)),
        format=powers() if height.log else None,
        ticks=MaxNLocator(6, integer=height.log),
    )
    bar.set_label(height.label(quantity))
