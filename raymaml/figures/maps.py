"""Sheets of colour maps: means of surfaces, how uncertain they are, and their differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from raymaml.analysis import Bools, Float64s
from raymaml.figures.flat import aspect_of, hatch
from raymaml.figures.grid import Grid, covers_centre, nothing_to_draw
from raymaml.figures.legend import CROSS, DIVERGED, MISSING
from raymaml.figures.levels import short
from raymaml.figures.panels import ROW
from raymaml.figures.sheet import HEADING_SIZE, NOTE_SIZE, TICK_SIZE, Panel, Row, Sheet, sheet
from raymaml.figures.solid import COOLWARM, Height, height_of, powers
from raymaml.figures.style import DOUBLE, few_ticks, styled, wrap

SEQUENTIAL = "cividis"  # made for colour-blind readers (Nuñez et al. 2018), and even in grey
BAR, BAR_GAP = 0.09, 0.06  # inches: a colour bar, and how far it stands from its panel
LEFT, RIGHT = 0.38, 0.62  # inches: ticks and name of the beta axis; a colour bar with its ticks and label
BELOW = 0.34  # inches under a panel for its ticks and the name of its axis
BANDS = 10  # of colours, about
TAIL = 20.0  # a largest difference of over so many medians would leave all others without colour
KEPT = 90.0  # per cent of the grid points that then keep their own colour


@dataclass(frozen=True)
class Map:
    """One surface as colours."""

    grid: Grid
    heading: str
    quantity: str  # what the colours are
    height: Height | None = None  # their scale, for maps that compare; by default the surface's own
    centred: bool = False  # differences: colours diverge from zero
    dotted: Bools | None = None  # (alpha, beta) grid points with a dot
    dots: str = ""  # what dots mean, for the legend


@styled()
def maps(rows: Sequence[Sequence[Map]], *, title: str) -> Figure:
    """Draw rows of surfaces as filled contours, each with a colour bar.

    A scale is logarithmic where its values ask for that. Cells without a value are hatched as in other figures.

    Args:
        rows: of maps.
        title: one or more lines above everything.

    Raises:
        SpecError: there is no map.
    """
    drawn = [one for row in rows for one in row]
    columns = max((len(row) for row in rows), default=1)
    room = (DOUBLE - LEFT - RIGHT) / columns - 0.2
    handles = _legend(drawn)
    made = sheet(
        [Row("", [Panel(one.grid, wrap(one.heading, room, HEADING_SIZE)) for one in row]) for row in rows],
        title,
        aspect=max((aspect_of(one.grid) for one in drawn), default=1.0),
        left=LEFT,
        right=RIGHT,
        gap=LEFT + RIGHT,
        below=BELOW + ROW * (-(-len(handles) // 2)) / max(len(rows), 1),
    )
    for row, places in zip(rows, made.places, strict=True):
        for one, place in zip(row, places, strict=True):
            _draw(made, one, place)
    width, height = made.figure.get_size_inches()
    made.figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(LEFT / width, 0.04 / height), ncols=2, fontsize=NOTE_SIZE,
        borderaxespad=0, borderpad=0, columnspacing=1.5,
    )  # fmt: skip
    return made.figure


def _draw(made: Sheet, one: Map, place: tuple[float, float]) -> None:
    width, height = made.figure.get_size_inches()
    high = made.wide * aspect_of(one.grid)
    axes = made.figure.add_axes((place[0] / width, place[1] / height, made.wide / width, high / height))
    axes.set(xlim=one.grid.alphas[[0, -1]], ylim=one.grid.betas[[0, -1]])
    few_ticks(axes.xaxis, axes.yaxis)
    axes.tick_params(labelsize=TICK_SIZE, pad=1.5)
    axes.set_xlabel("α", size=NOTE_SIZE, labelpad=0)
    axes.set_ylabel("β", size=NOTE_SIZE, labelpad=0)
    hatch(axes, one.grid)
    if one.grid.range is None:
        _say(axes, nothing_to_draw(one.grid, one.quantity))
    elif one.grid.flat and one.height is None:
        _say(axes, f"constant to 6 digits: {short(one.grid.range[0])}")
    else:
        left, bottom = (place[0] + made.wide + BAR_GAP) / width, place[1] / height
        bar = made.figure.add_axes((left, bottom, BAR / width, high / height))
        (_difference if one.centred else _sequential)(axes, bar, one)
    if one.dotted is not None:
        _dots(axes, one.grid, one.dotted, made.wide)
    if covers_centre(one.grid):
        axes.plot([0], [0], **{**CROSS, "markersize": 5, "markeredgewidth": 1.1})


def _sequential(axes: Axes, bar: Axes, one: Map) -> None:
    height = one.height or height_of(one.grid)
    levels = MaxNLocator(BANDS, min_n_ticks=4).tick_values(*height.limits)
    drawn = _fill(axes, one.grid, height.scale(one.grid.values), levels, cmap=SEQUENTIAL)
    ticks = MaxNLocator(6, integer=True) if height.log else None
    _bar(bar, drawn, height.label(one.quantity), format=powers() if height.log else None, ticks=ticks)


def _difference(axes: Axes, bar: Axes, one: Map) -> None:
    sizes = np.abs(one.grid.values[np.isfinite(one.grid.values)])
    most = float(sizes.max())
    cut = float(np.percentile(sizes, KEPT))
    tail = cut > 0 and most > TAIL * float(np.median(sizes)) and most > 2 * cut
    limit = cut if tail else most
    levels = MaxNLocator(BANDS, symmetric=True, min_n_ticks=4).tick_values(-limit, limit)
    drawn = _fill(
        axes, one.grid, one.grid.values.astype(np.float64), levels, cmap=COOLWARM, extend="both" if tail else "neither"
    )
    _bar(bar, drawn, f"{one.quantity} (up to ±{short(float(f'{most:.3g}'))})" if tail else one.quantity)


def _fill(axes: Axes, grid: Grid, values: Float64s, levels: Sequence[float], **look: Any) -> ContourSet:
    """Colours from grid point to grid point; infinitely large ones were left out before."""
    return axes.contourf(
        grid.alphas,
        grid.betas,
        np.ma.masked_invalid(values).T,  # contour functions take Z[y, x]
        levels=levels,
        corner_mask=True,
        zorder=1,
        **look,
    )


def _bar(axes: Axes, drawn: ContourSet, label: str, **how: Any) -> None:
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    bar = figure.colorbar(drawn, cax=axes, **how)
    bar.ax.tick_params(labelsize=TICK_SIZE, pad=1.5, length=2)
    bar.outline.set_linewidth(0.4)
    bar.set_label(label, size=NOTE_SIZE, labelpad=2)


def _dots(axes: Axes, grid: Grid, mask: Bools, wide: float) -> None:
    a, b = np.nonzero(mask)
    size = min(1.8, 0.35 * 72 * wide / len(grid.alphas))  # points: they stay apart on a fine grid
    axes.plot(grid.alphas[a], grid.betas[b], **_dot(size), zorder=3, clip_on=False)


def _dot(size: float) -> dict[str, Any]:
    return {"linestyle": "none", "marker": "o", "markersize": size, "markeredgewidth": 0, "color": "#222222"}


def _legend(drawn: Sequence[Map]) -> list[Artist]:
    handles: list[Artist] = []
    for text in dict.fromkeys(one.dots for one in drawn if one.dotted is not None and one.dotted.any()):
        handles.append(Line2D([], [], **_dot(1.8), label=text))
    if any(one.grid.diverged.any() for one in drawn):
        handles.append(Patch(**DIVERGED, label="diverged"))
    if not all(one.grid.shown.all() for one in drawn):
        handles.append(Patch(**MISSING, label="not computed yet"))
    if any(covers_centre(one.grid) for one in drawn):
        handles.append(Line2D([], [], **{**CROSS, "markersize": 5}, label="centre (0, 0)"))
    return handles


def _say(axes: Axes, text: str) -> None:
    axes.text(
        0.5, 0.65, text, transform=axes.transAxes, ha="center", va="center", size=NOTE_SIZE,
        bbox={"facecolor": "white", "edgecolor": "#888888", "linewidth": 0.5, "boxstyle": "round,pad=0.4"},
    )  # fmt: skip
