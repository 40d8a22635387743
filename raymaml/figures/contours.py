"""Surfaces as contour lines with filled sub-level sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from raymaml.analysis import Bools, Float64s, Floats
from raymaml.figures.grid import ALPHA, BETA, Grid, checked_grid, covers_centre, nothing_to_draw, progress
from raymaml.figures.legend import CROSS, DIVERGED, LINES, MISSING, fill_colours, legend_handles
from raymaml.figures.levels import Levels, plan_levels, short
from raymaml.figures.line_labels import label_lines
from raymaml.figures.style import DOUBLE, few_ticks, set_title, styled, text_width, title_height


@styled()
def contour(
    surface: Floats,
    *,
    alphas: Sequence[float] | Floats,
    betas: Sequence[float] | Floats,
    title: str,
    levels: Sequence[float] | Floats | None = None,
    fills: Sequence[float] | Floats | None = None,
    quantity: str = "query loss",
    done: Bools | None = None,
    width: float = DOUBLE,
) -> Figure:
    """Draw contour lines and filled sub-level sets of a surface; the legend gives their shares of the grid.

    Lines lie every 0.2 from 0.01 as in the thesis (figs 10 to 12), further apart if there would be
    more than 40, closer if fewer than 3, and at 1, 2, 5, 10, ... if the range is so wide that the
    basin would have none; the legend says which.

    Args:
        surface: (alpha, beta) values; NaN and infinite ones are diverged and are hatched grey.
        alphas: (alpha,) ascending, along x.
        betas: (beta,) ascending, along y.
        title: one or more lines above everything; wrapped to the figure's width.
        levels: of the contour lines instead of the default.
        fills: thresholds of the filled areas; by default up to 4 of the levels between the minimum
            and the median.
        quantity: what the values are, for the legend.
        done: (alpha, beta) cells that are computed, None for all; the others are dotted.
        width: inches; below 5 the legend goes under the plot.

    Raises:
        SpecError: fewer than 2 x 2 grid points, shapes that do not fit, or values that do not ascend.
    """
    grid = checked_grid(surface, alphas, betas, done)
    plan = plan_levels(grid, levels, fills)
    title = "\n".join([title, *progress(grid)])
    handles = legend_handles(grid, plan, quantity)
    figure, axes = _flat_figure(grid, title, handles, width)
    _hatch(axes, grid)
    _fill(axes, grid, plan)
    if grid.range is None:
        _say(axes, nothing_to_draw(grid, quantity))
    elif grid.flat:
        _say(axes, f"constant to 6 digits: {short(grid.range[0])}")
    else:
        _lines(axes, grid, plan)
    if covers_centre(grid):
        axes.plot([0], [0], **CROSS)
    return figure


def _flat_figure(grid: Grid, title: str, handles: list[Artist], width: float) -> tuple[Figure, Axes]:
    """Make a figure with axes of equal aspect; the legend is at the right, or below a narrow plot.

    Everything is placed in inches from the text's own size, so nothing can overlap.
    """
    labels = [str(handle.get_label()) for handle in handles]
    left, bottom, right, top = 0.58, 0.48, 0.12, title_height(title, width)
    row = 0.148
    if width < 5:
        bottom += row * len(handles)
    else:
        right += max(text_width(label, 7.0) for label in labels) + 0.55
    wide = width - left - right
    high = wide * _aspect(grid)
    if high > 1.5 * wide:  # a tall grid would run off the page
        wide, high = wide * 1.5 * wide / high, 1.5 * wide
    height = bottom + high + top
    figure = Figure(figsize=(width, height))
    set_title(figure, title)
    axes = figure.add_axes((left / width, bottom / height, wide / width, high / height))
    axes.set(xlabel=ALPHA, ylabel=BETA, xlim=grid.alphas[[0, -1]], ylim=grid.betas[[0, -1]])
    few_ticks(axes.xaxis, axes.yaxis)
    corner = (0.1 / width, 0.06 / height) if width < 5 else ((left + wide + 0.12) / width, 1 - top / height)
    figure.legend(
        handles=handles,
        loc="lower left" if width < 5 else "upper left",
        bbox_to_anchor=corner,
        borderaxespad=0,
        borderpad=0,
    )
    return figure, axes


def _aspect(grid: Grid) -> float:
    """Height by width of the plot: that of the grid, unless one side is over 4 times the other.

    An equal aspect would then leave a sliver in which nothing can be read.
    """
    aspect = float(np.ptp(grid.betas) / np.ptp(grid.alphas))
    return aspect if 0.25 <= aspect <= 4 else 1.0


def _hatch(axes: Axes, grid: Grid) -> None:
    """Draw the cells without a value; contours later cover what lies between values.

    Contours reach from grid point to grid point, so next to a missing point up to a whole step stays
    empty. Tiles of a whole step fill that; tiles of half a step then give each kind its own half.
    """
    for reach in (1.0, 0.5):
        for mask, look in ((~grid.done, MISSING), (grid.diverged, DIVERGED)):
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


def _fill(axes: Axes, grid: Grid, plan: Levels) -> None:
    """White wherever there are values (it covers the hatching), then each threshold's colour."""
    if grid.range is None:
        return
    low, high = plan.scale(np.array(grid.range))
    inside = [
        (float(plan.scale(np.array(level))), colour)
        for level, colour in zip(plan.fills, fill_colours(plan), strict=True)
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


def _lines(axes: Axes, grid: Grid, plan: Levels) -> None:
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
    label_lines(axes, grid, drawn, [short(level) for level in inside])


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
