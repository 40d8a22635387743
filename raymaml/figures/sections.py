"""Cross-sections of surfaces through the centre, as lines with bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from raymaml.analysis import Float64s
from raymaml.errors import SpecError
from raymaml.figures.levels import LOG_FLOOR, needs_log
from raymaml.figures.panels import (
    GREY,
    Block,
    add_legend,
    add_panels,
    heading,
    legend_height,
    legend_width,
    new_figure,
)
from raymaml.figures.style import COLOURS, DOUBLE, few_ticks, styled, title_height

STYLES = ("-", "--", ":", "-.")  # one for each round through the colours
HIGH = 2.2  # inches


@dataclass(frozen=True)
class Line:
    """Values along one axis with a band around them; NaN leaves a gap."""

    label: str
    middle: Float64s  # (point,)
    low: Float64s  # (point,) of the band; NaN for none
    high: Float64s


@dataclass(frozen=True)
class Section:
    """Lines of one panel."""

    heading: str
    axis: str  # name of the axis
    places: Float64s  # (point,) along it
    lines: Sequence[Line]


@styled()
def sections(drawn: Sequence[Section], *, title: str, quantity: str, band: str = "", width: float = DOUBLE) -> Figure:
    """Draw cross-sections side by side on one scale of values, logarithmic where the values ask for that.

    Args:
        drawn: the panels; each has the same lines in the same order.
        title: one or more lines above everything.
        quantity: what the values are.
        band: what the bands are, for the legend; nothing where there is none.
        width: inches.

    Raises:
        SpecError: there is no panel.
    """
    if not drawn:
        raise SpecError("there is no cross-section to draw")
    handles = _legend(drawn[0].lines, band)
    columns = len(drawn)
    block = Block(1, columns, left=0.5, gap=0.35, high=HIGH, below=0.42)
    top = title_height(title, width)
    figure = new_figure(title, width, top + block.height + legend_height(handles, width))
    panels = add_panels(figure, block, top, legend_width(handles, width))
    low, high = _range(drawn)
    log = needs_log(low, high)
    for axes, section in zip(panels, drawn, strict=True):
        _draw(axes, section, log)
        axes.sharey(panels[0])
        axes.tick_params(labelleft=axes is panels[0])
    panels[0].set_ylabel(f"{quantity} (log scale)" if log else quantity)
    if log:
        panels[0].set_yscale("log")
        panels[0].set_ylim(max(low, LOG_FLOOR) / 1.3, high * 1.3)
    add_legend(figure, handles, title)
    return figure


def _draw(axes: Axes, section: Section, log: bool) -> None:
    floor = LOG_FLOOR if log else -np.inf
    for index, line in enumerate(section.lines):
        look = _look(index)
        low, high = (np.maximum(side, floor) for side in (line.low, line.high))
        axes.fill_between(section.places, low, high, color=look["color"], alpha=0.18, linewidth=0)
        axes.plot(section.places, np.maximum(line.middle, floor), **look, marker=".", markersize=_mark(section))
    axes.axvline(0, color="#BBBBBB", linewidth=0.6, zorder=0)
    axes.set_xlabel(section.axis)
    axes.set_xlim(section.places[0], section.places[-1])
    if not log:
        few_ticks(axes.yaxis)
    few_ticks(axes.xaxis)
    heading(axes, section.heading)


def _mark(section: Section) -> float:
    """Points are marked where they can be told apart, and small elsewhere so that a lone one is seen."""
    return 4.0 if len(section.places) <= 25 else 1.5


def _look(index: int) -> dict[str, Any]:
    return {
        "color": COLOURS[index % len(COLOURS)],
        "linestyle": STYLES[index // len(COLOURS) % len(STYLES)],
        "linewidth": 1.1,
    }


def _legend(lines: Sequence[Line], band: str) -> list[Artist]:
    handles: list[Artist] = [Line2D([], [], **_look(k), label=line.label) for k, line in enumerate(lines)]
    if band:
        handles.append(Patch(facecolor=GREY, alpha=0.25, linewidth=0, label=band))
    return handles


def _range(drawn: Sequence[Section]) -> tuple[float, float]:
    values = np.concatenate([line.middle for section in drawn for line in section.lines])
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
