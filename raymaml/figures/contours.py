"""Surfaces as contour lines with filled sub-level sets."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from raymaml.analysis import Bools, Floats
from raymaml.figures.flat import aspect_of, dot_computed, draw_flat
from raymaml.figures.grid import ALPHA, BETA, Grid, checked_grid, progress
from raymaml.figures.legend import fill_colours, legend_handles
from raymaml.figures.levels import plan_levels
from raymaml.figures.style import DOUBLE, set_title, styled, text_width, title_height


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
    interpolated: Bools | None = None,
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
        done: (alpha, beta) cells that are computed, None for all; the others are hatched with dots.
        interpolated: (alpha, beta) cells that are not, whose value is from those that are: the figure says so, and
            marks the computed ones.
        width: inches; below 5 the legend goes under the plot.

    Raises:
        SpecError: fewer than 2 x 2 grid points, shapes that do not fit, or values that do not ascend.
    """
    grid = checked_grid(surface, alphas, betas, done, interpolated)
    plan = plan_levels(grid, levels, fills)
    title = "\n".join([title, *progress(grid)])
    handles = legend_handles(grid, plan, quantity)
    figure, axes = _flat_figure(grid, title, handles, width)
    draw_flat(axes, grid, plan, fill_colours(plan), quantity)
    dot_computed(axes, grid)
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
    high = wide * aspect_of(grid)
    if high > 1.5 * wide:  # a tall grid would run off the page
        wide, high = wide * 1.5 * wide / high, 1.5 * wide
    height = bottom + high + top
    figure = Figure(figsize=(width, height))
    set_title(figure, title)
    axes = figure.add_axes((left / width, bottom / height, wide / width, high / height))
    axes.set(xlabel=ALPHA, ylabel=BETA)
    corner = (0.1 / width, 0.06 / height) if width < 5 else ((left + wide + 0.12) / width, 1 - top / height)
    figure.legend(
        handles=handles,
        loc="lower left" if width < 5 else "upper left",
        bbox_to_anchor=corner,
        borderaxespad=0,
        borderpad=0,
    )
    return figure, axes
