"""Sheets of contours: numbers of query images, coloured sub-level sets (thesis figures 10 to 12)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from scipy.ndimage import distance_transform_edt

from raymaml.analysis import Area, Bools
from raymaml.figures.flat import aspect_of, draw_flat
from raymaml.figures.grid import Grid
from raymaml.figures.legend import LINES
from raymaml.figures.levels import Levels, contour_levels, level_multiple, plan_levels, short
from raymaml.figures.sheet import NOTE, NOTE_SIZE, TICK_SIZE, Row, Sheet, sheet
from raymaml.figures.style import styled

# The thesis's names for its areas, as colours that remain apart with all common forms of colour blindness
# (Okabe and Ito 2008), lightened so that lines and labels are read on them.
RED, YELLOW, BLUE, GREEN = "#E58A55", "#F3EA7A", "#84C4EC", "#58BF9E"
SMALLEST = 0.12  # inches from its middle to its edge: a smaller area takes no label
BELOW = 0.33  # inches under a panel for its ticks and the name of its axis
LEFT = 0.25  # inches at the left of a panel that its ticks take


@styled()
def flats(
    rows: Sequence[Row],
    *,
    title: str,
    quantity: str = "query loss",
    step: float = 0.2,
) -> Figure:
    """Draw rows of surfaces as contour lines, with coloured areas below thresholds.

    The areas of a panel are filled, labelled with their threshold, and listed under it with their intervals. The
    lines of a panel without areas are labelled.

    Args:
        rows: of panels.
        title: one or more lines above everything.
        quantity: what the values are.
        step: between the lines of all panels, from 0.01 as in the thesis; a whole multiple of it where one of the
            panels would have more than 40 lines.

    Raises:
        SpecError: there is no panel.
    """
    spacing = _common_spacing(rows, step)
    grids = [panel.grid for row in rows for panel in row.panels if panel.grid is not None]
    most = max((len(panel.areas) for row in rows for panel in row.panels), default=0)
    made = sheet(
        rows,
        f"{title}\nlines every {short(spacing)}{', and at the thresholds of the areas' if most else ''}",
        aspect=max((aspect_of(grid) for grid in grids), default=1.0),
        left=0.38,
        right=0.12,
        gap=0.45,
        below=BELOW + NOTE * (most + 0.5 if most else 0),
    )
    for row, places in zip(rows, made.places, strict=True):
        for panel, place in zip(row.panels, places, strict=True):
            if panel.grid is not None:
                axes = _axes(made, panel.grid, place)
                _draw(axes, panel.grid, spacing, panel.areas, panel.colours, quantity)
    return made.figure


def _common_spacing(rows: Sequence[Row], step: float) -> float:
    """One spacing for all panels, so that they compare."""
    ranges = [p.grid.range for row in rows for p in row.panels if p.grid is not None and p.grid.range is not None]
    return step * max((level_multiple(low, high, step) for low, high in ranges), default=1)


def _axes(made: Sheet, grid: Grid, place: tuple[float, float]) -> Axes:
    width, height = made.figure.get_size_inches()
    high = made.wide * aspect_of(grid)
    axes = made.figure.add_axes((place[0] / width, place[1] / height, made.wide / width, high / height))
    axes.tick_params(labelsize=TICK_SIZE, pad=1.5)
    axes.set_xlabel("α", size=NOTE_SIZE, labelpad=0)
    axes.set_ylabel("β", size=NOTE_SIZE, labelpad=0)
    return axes


def _draw(axes: Axes, grid: Grid, spacing: float, areas: Sequence[Area], colours: Sequence[str], quantity: str) -> None:
    thresholds = [area.threshold for area in areas]
    lines = contour_levels(*(grid.range or (0.0, 0.0)), spacing)
    plan = plan_levels(grid, [*lines, *thresholds], thresholds)
    draw_flat(axes, grid, plan, colours, quantity, labelled=not areas)
    if areas:
        _label_areas(axes, grid, plan)
        _list_areas(axes, areas, colours)


def _label_areas(axes: Axes, grid: Grid, plan: Levels) -> None:
    """Write each threshold where its area is widest: the colours then need not be told apart."""
    inside = np.isfinite(grid.values)
    below = np.zeros_like(inside)
    for threshold in plan.fills:
        reached = inside & (grid.values <= threshold)
        spot = _widest(axes, grid, reached & ~below)
        below = reached
        if spot is not None:
            text = axes.text(*spot, f"≤ {short(threshold)}", size=NOTE_SIZE, ha="center", va="center", zorder=5)
            text.set_path_effects([withStroke(linewidth=1.4, foreground="white")])


def _widest(axes: Axes, grid: Grid, mask: Bools) -> tuple[float, float] | None:
    """The grid point of an area that is farthest from everything else; None in a small area.

    The frame and the centre, where the cross is, count as something else.
    """
    width, height = _inches(axes)
    inches = width / (len(grid.alphas) - 1), height / (len(grid.betas) - 1)
    free = mask.copy()
    free[np.abs(grid.alphas).argmin(), np.abs(grid.betas).argmin()] = False
    frame = [np.minimum(k := np.arange(n), n - 1 - k) * size for n, size in zip(free.shape, inches, strict=True)]
    distance = np.minimum(distance_transform_edt(free, sampling=inches), np.minimum.outer(*frame))
    i, j = np.unravel_index(distance.argmax(), distance.shape)
    return (float(grid.alphas[i]), float(grid.betas[j])) if distance[i, j] > SMALLEST else None


def _list_areas(axes: Axes, areas: Sequence[Area], colours: Sequence[str]) -> None:
    handles: list[Patch | Line2D] = [
        Patch(facecolor=colour, edgecolor=LINES, linewidth=0.4, label=area_text(area))
        for area, colour in zip(areas, colours, strict=True)
    ]
    shared: dict[str, Any] = {"borderaxespad": 0, "borderpad": 0, "handlelength": 1.0, "handletextpad": 0.4}
    wide, high = _inches(axes)
    corner = -LEFT / wide, -BELOW / high  # under the ticks, since the widest list is wider than a panel
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=corner, fontsize=NOTE_SIZE, labelspacing=0.3, **shared
    )  # fmt: skip


def _inches(axes: Axes) -> tuple[float, float]:
    """Width and height of the axes."""
    box = axes.bbox.transformed(axes.figure.dpi_scale_trans.inverted())
    return box.width, box.height


def area_text(area: Area) -> str:
    """Threshold, share, and the 95 % interval over tasks if there are several."""
    text = f"≤ {short(area.threshold)}: {100 * area.share:.1f} %"
    return text if np.isnan(area.low) else f"{text} ({100 * area.low:.1f}–{100 * area.high:.1f})"
