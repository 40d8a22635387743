"""Sheets of 3-D views: inner loops, parts of the network, meta-losses (thesis figures 4 to 8 and 15 to 18)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from raymaml.figures.grid import nothing_to_draw
from raymaml.figures.levels import short
from raymaml.figures.sheet import NOTE_SIZE, TICK_SIZE, Panel, Row, Sheet, sheet
from raymaml.figures.solid import Height, draw_solid, height_of, powers, shape_solid
from raymaml.figures.style import styled

Scale = Literal["own", "row", "all"]


@styled()
def solids(rows: Sequence[Row], *, title: str, quantity: str = "query loss", scale: Scale = "own") -> Figure:
    """Draw rows of surfaces in 3-D.

    Args:
        rows: of panels.
        title: one or more lines above everything.
        quantity: what the values are.
        scale: of heights and colours: each panel its `own`, one for each `row`, or one for `all`. Panels with a
            common scale share a colour bar.

    Raises:
        SpecError: there is no panel.
    """
    right = 0.12 if scale == "own" else 0.75
    made = sheet(rows, title, aspect=0.82, left=0.02, right=right, gap=0.1, below=0.06)
    heights = _heights(rows, scale)
    for row, places, of_row in zip(rows, made.places, heights, strict=True):
        drawn = [_draw(made, *each, quantity) for each in zip(row.panels, places, of_row, strict=True)]
        if scale != "own" and (scale == "row" or row is rows[0]):
            _bar(made, next((d for d in drawn if d is not None), None), places[0][1], of_row[0], quantity)
    return made.figure


def _heights(rows: Sequence[Row], scale: Scale) -> list[list[Height]]:
    of_all = height_of(*(grid for row in rows for grid in _grids(row.panels)))
    found = []
    for row in rows:
        shared = of_all if scale == "all" else height_of(*_grids(row.panels))
        found.append([height_of(*_grids([panel])) if scale == "own" else shared for panel in row.panels])
    return found


def _grids(panels: Sequence[Panel]) -> list[Any]:
    return [panel.grid for panel in panels if panel.grid is not None]


def _draw(made: Sheet, panel: Panel, place: tuple[float, float], height: Height, quantity: str) -> Any:
    """The surface of one panel, None if there is none."""
    if panel.grid is None:
        return None
    width, high = made.figure.get_size_inches()
    axes: Any = made.figure.add_subplot(projection="3d")
    # Larger than the panel: matplotlib leaves wide margins around a 3-D view.
    x, y = place[0] - 0.05 * made.wide, place[1] - 0.02 * made.high
    axes.set_position((x / width, y / high, 1.04 * made.wide / width, 1.06 * made.high / high))
    axes.set_box_aspect((1, 1, 0.75), zoom=0.9)
    shape_solid(axes, panel.grid, height)
    axes.tick_params(labelsize=TICK_SIZE, pad=-3.5)
    for axis, values in ((axes.xaxis, panel.grid.alphas), (axes.yaxis, panel.grid.betas)):
        axis.set_ticks(values[[0, -1]], [short(value) for value in values[[0, -1]]])  # the name lies between
    if not height.log:
        axes.zaxis.set_major_locator(MaxNLocator(5))
    longest = max(len(label.get_text()) for label in axes.zaxis.get_majorticklabels())
    axes.zaxis.set_tick_params(pad=-3.5 + 1.5 * max(longest - 3, 0))  # points: labels are centred at their place
    axes.set_xlabel("α", size=NOTE_SIZE, labelpad=-13)
    axes.set_ylabel("β", size=NOTE_SIZE, labelpad=-13)
    if panel.grid.range is None:
        axes.text2D(0.5, 0.5, nothing_to_draw(panel.grid, quantity), transform=axes.transAxes, ha="center", size=6)
        return None
    return draw_solid(axes, panel.grid, height, linewidth=0.1)


def _bar(made: Sheet, drawn: Any, bottom: float, height: Height, quantity: str) -> None:
    """The colour bar of a row, or of all rows, beside it."""
    if drawn is None:
        return
    width, high = made.figure.get_size_inches()
    axes = made.figure.add_axes(
        (1 - 0.68 / width, (bottom + 0.15 * made.high) / high, 0.1 / width, 0.65 * made.high / high)
    )
    bar = made.figure.colorbar(
        drawn, cax=axes, format=powers() if height.log else None, ticks=MaxNLocator(5, integer=height.log)
    )
    bar.ax.tick_params(labelsize=TICK_SIZE)
    bar.set_label(height.label(quantity), size=NOTE_SIZE)
