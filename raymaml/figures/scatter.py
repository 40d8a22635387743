"""Loss against accuracy, every seed a point of its own (thesis, figure 3)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from raymaml.errors import SpecError
from raymaml.figures.panels import (
    BACKBONE_COLOURS,
    GREY,
    Block,
    add_legend,
    add_panels,
    heading,
    legend_height,
    legend_width,
    mark,
    name_of,
    new_figure,
)
from raymaml.figures.remarks import of_each
from raymaml.figures.style import DOUBLE, few_ticks, styled, title_height
from raymaml.results import BACKBONES, METHODS, Method, Result, order

MARKERS: dict[Method, str] = {"maml": "o", "transfer": "^"}
NAMES: dict[Method, str] = {"maml": "MAML", "transfer": "transfer"}
SIZE = 4.5  # points
WIDE_RANGE = 3.0  # losses that differ by more than this factor go on a logarithmic axis
CROWD = 1.5  # where losses reach more than so many medians, those up to there are drawn again, larger
HIGH = 2.4  # inches

_Panel = tuple[str, list[Result]]


@styled()
def scatter(results: Sequence[Result], *, title: str, width: float = DOUBLE) -> Figure:
    """Draw mean query loss (x) against accuracy (y): a panel for each data set, a point for each seed.

    Colour is the backbone, shape the method, and marks are filled with augmentation and open without.
    Where single losses are more than 1.5 times the median, a second panel shows those up to there again.
    A result whose loss is not finite has no place on the axis: the title says how many there are.

    Args:
        results: of one split and one checkpoint; tables of several would mix what differs.
        title: one or more lines above everything; wrapped to the figure's width.
        width: inches; below 5 the panels stand above one another and the legend goes below.

    Raises:
        SpecError: there is no result.
    """
    if not results:
        raise SpecError("a scatter plot needs at least one result")
    title = "\n".join([title, *_not_drawn(results)])
    ordered = sorted(results, key=lambda result: (order(result.cell), result.seed))
    panels = _panels(ordered, columns=1 if width < 5 else 2)
    handles = _legend(ordered)
    top = title_height(title, width)
    figure = new_figure(title, width, top + sum(b.height for b, _ in panels) + legend_height(handles, width))
    for block, row in panels:
        for axes, panel in zip_longest(add_panels(figure, block, top, legend_width(handles, width)), row):
            if panel:
                _draw(axes, *panel)
            else:
                axes.remove()
        top += block.height
    add_legend(figure, handles, title)
    return figure


def _panels(results: Sequence[Result], columns: int) -> list[tuple[Block, list[_Panel | None]]]:
    """Rows of panels: of data sets, and under each row, where a few high losses press the others together, these.

    A panel is its name and its results.
    """
    data = list(dict.fromkeys(result.data for result in results))
    rows: list[list[_Panel | None]] = []
    for first in range(0, len(data), columns):
        whole = [(name, [r for r in results if r.data == name]) for name in data[first : first + columns]]
        rows += [[*whole], [_crowd(*panel) for panel in whole]]
    columns = min(columns, len(data))
    return [(Block(1, columns, left=0.5, gap=0.6, high=HIGH, below=0.5), row) for row in rows if any(row)]


def _crowd(name: str, results: Sequence[Result]) -> _Panel | None:
    losses = [result.loss for result in results if math.isfinite(result.loss)]
    limit = float(f"{CROWD * float(np.median(losses)):.2g}") if losses else math.inf  # as the heading says it
    if max(losses, default=0.0) <= limit:
        return None
    return f"{name}, detail: losses up to {limit:g}", [r for r in results if r.loss <= limit]


def _not_drawn(results: Sequence[Result]) -> list[str]:
    lost = of_each(result for result in results if not math.isfinite(result.loss))
    return [f"not drawn, since the loss is not finite: {lost}"] if lost else []


def _draw(axes: Axes, name: str, results: Sequence[Result]) -> None:
    """One panel. Points are drawn one by one, so that each is what one result says."""
    finite = [result for result in results if math.isfinite(result.loss)]
    for result in finite:
        axes.plot(result.loss, 100 * result.accuracy, **_look(result.method, result.augment, _colour(result)))
    heading(axes, name)
    axes.set(xlabel="mean query loss (nats)", ylabel="query accuracy (%)")
    few_ticks(axes.xaxis, axes.yaxis)
    axes.grid(visible=True, color="#E4E4E4")
    axes.set_axisbelow(True)
    losses = [result.loss for result in finite if result.loss > 0]
    if not finite:
        axes.text(0.5, 0.5, "no finite loss", transform=axes.transAxes, ha="center", va="center")
    elif len(losses) == len(finite) and max(losses) > WIDE_RANGE * min(losses):
        _logarithmic(axes, min(losses), max(losses))


def _logarithmic(axes: Axes, low: float, high: float) -> None:
    axes.set_xscale("log")
    axes.set_xlabel("mean query loss (nats, logarithmic)")
    axes.set_xlim(low / (high / low) ** 0.06, high * (high / low) ** 0.06)
    decades = np.log10(high / low)
    axes.xaxis.set_major_locator(
        LogLocator(subs=(1, 1.5, 2, 3, 4, 5, 7) if decades < 1 else (1, 2, 5) if decades < 2 else (1,))
    )
    axes.xaxis.set_minor_locator(LogLocator(subs=range(1, 10)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _colour(result: Result) -> str:
    return BACKBONE_COLOURS[result.backbone]


def _look(method: Method, augment: bool, colour: str) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": MARKERS[method],
        "markersize": SIZE,
        "markeredgecolor": colour,
        "markeredgewidth": 0.9,
        "markerfacecolor": colour if augment else "none",
        "alpha": 0.9,
    }


def _legend(results: Sequence[Result]) -> list[Artist]:
    """What each colour, shape and filling that is on the figure means."""
    colours = [b for b in BACKBONES if any(result.backbone == b for result in results)]
    shapes = [m for m in METHODS if any(result.method == m for result in results)]
    fillings = sorted({result.augment for result in results})
    return [
        *(mark(name_of(b), marker="s", markersize=SIZE, color=BACKBONE_COLOURS[b]) for b in colours),
        *(mark(NAMES[m], **_look(m, True, GREY)) for m in shapes),
        *(mark("augmented" if a else "not augmented", **_look("maml", a, GREY)) for a in fillings),
    ]
