"""A surface inside plain axes: contour lines, filled sub-level sets, and what has no value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from raymaml.analysis import Bools, Float64s
from raymaml.figures.grid import Grid, covers_centre, nothing_to_draw
from raymaml.figures.legend import COMPUTED, CROSS, DIVERGED, LINES, MISSING
from raymaml.figures.levels import Levels, short
from raymaml.figures.line_labels import label_lines
from raymaml.figures.style import few_ticks


def draw_flat(
    axes: Axes, grid: Grid, plan: Levels, colours: Sequence[Any], quantity: str, *, labelled: bool = True
) -> None:
    """Draw a surface.

    Args:
        axes: whose limits are set to the grid.
        grid: the surface.
        plan: its lines and filled areas.
        colours: of each filled area.
        quantity: what the values are.
        labelled: write the levels into the lines.
    """
    axes.set(xlim=grid.alphas[[0, -1]], ylim=grid.betas[[0, -1]])
    few_ticks(axes.xaxis, axes.yaxis)
    hatch(axes, grid)
    _fill(axes, grid, plan, colours)
    if grid.range is None:
        _say(axes, nothing_to_draw(grid, quantity))
    elif grid.flat:
        _say(axes, f"constant to 6 digits: {short(grid.range[0])}")
    else:
        _lines(axes, grid, plan, labelled)
    if covers_centre(grid):
        axes.plot([0], [0], **CROSS)


def aspect_of(grid: Grid) -> float:
    """Height by width of the plot: that of the grid, unless one side is over 4 times the other.

    An equal aspect would then leave a sliver in which nothing can be read.
    """
    aspect = float(np.ptp(grid.betas) / np.ptp(grid.alphas))
    return aspect if 0.25 <= aspect <= 4 else 1.0


def hatch(axes: Axes, grid: Grid) -> None:
    """Draw the cells without a value; contours later cover what lies between values.

    Contours reach from grid point to grid point, so next to a missing point up to a whole step stays
    empty. Tiles of a whole step fill that; tiles of half a step then give each kind its own half.
    """
    for reach in (1.0, 0.5):
        for mask, look in ((~grid.shown, MISSING), (grid.diverged, DIVERGED)):
            if mask.any():
                axes.add_collection(PolyCollection(list(_tiles(grid, mask, reach)), **look, zorder=0.5))


def _tiles(grid: Grid, mask: Bools, reach: float) -> Float64s:
    """(tile, 4, 2) corners of rectangles around the grid points in `mask`, `reach` steps to each side."""
    (x0, x1), (y0, y1) = (_bounds(axis, reach) for axis in (grid.alphas, grid.betas))
    a, b = np.nonzero(mask)
    corners = [(x0[a], y0[b]), (x1[a], y0[b]), (x1[a], y1[b]), (x0[a], y1[b])]
    return np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)


def _bounds(axis: Float64s, reach: float) -> tuple[Float64s, Float64s]:
    """Where the tile of each grid line starts and ends; at the edge of the grid, on the line."""
    steps = reach * np.diff(axis)
    return axis - np.append(0, steps), axis + np.append(steps, 0)


def _fill(axes: Axes, grid: Grid, plan: Levels, colours: Sequence[Any]) -> None:
    """White wherever there are values (it covers the hatching), then each threshold's colour."""
    if grid.range is None:
        return
    low, high = plan.scale(np.array(grid.range))
    inside = [
        (float(plan.scale(np.array(level))), colour)
        for level, colour in zip(plan.fills, colours, strict=True)
        if level >= grid.range[0]
    ]
    bounds = [low - 1.0, *(level for level, _ in inside)]
    bounds.append(max(high, bounds[-1]) + 1.0)
    axes.contourf(
        grid.alphas,
        grid.betas,
        plan.scale(grid.values).T,  # contour functions take Z[y, x]
        levels=bounds,
        colors=[*(colour for _, colour in inside), "white"],
        corner_mask=True,
        zorder=1,
    )


def _lines(axes: Axes, grid: Grid, plan: Levels, labelled: bool) -> None:
    """Contour lines with inline labels: on each of up to 12 levels, on every second or third of more."""
    assert grid.range is not None
    inside = plan.lines[(plan.lines > grid.range[0]) & (plan.lines < grid.range[1])]
    if not inside.size:
        return  # matplotlib warns where no line is in the data
    drawn = axes.contour(
        grid.alphas,
        grid.betas,
        plan.scale(grid.values).T,
        levels=plan.scale(inside),
        colors=LINES,
        linewidths=0.6,
        linestyles="solid",  # negative ones, as logarithms are, would be dashed
        corner_mask=True,
        zorder=2,
    )
    if labelled:
        label_lines(axes, grid, drawn, [short(level) for level in inside])


def dot_computed(axes: Axes, grid: Grid) -> None:
    """Mark the points that are computed, where the surface between them is interpolated."""
    if grid.interpolated.any():
        a, b = np.nonzero(grid.done)
        axes.plot(grid.alphas[a], grid.betas[b], **COMPUTED, clip_on=False)


def _say(axes: Axes, text: str) -> None:
    axes.text(
        0.5,
        0.65,  # above the cross at the centre
        text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        bbox={"facecolor": "white", "edgecolor": "#888888", "linewidth": 0.5, "boxstyle": "round,pad=0.4"},
    )
