"""Sharpness against backbone, with and without augmentation, on base and novel tasks (thesis, figure 13)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product, zip_longest
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from raymaml.errors import SpecError
from raymaml.figures.panels import (
    GREY,
    SPLIT_COLOURS,
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
from raymaml.figures.remarks import not_drawn
from raymaml.figures.style import DOUBLE, few_ticks, styled, title_height
from raymaml.results import BACKBONES, Result, Summary, over_seeds
from raymaml.specs import Backbone, Split

LINES: tuple[tuple[Split, bool], ...] = tuple(product(("base", "novel"), (False, True)))
DODGE = 0.17  # of the distance between two backbones: error bars side by side
SEEDS = 0.065  # of it, from a mean to its seeds at the right
SIZE = 4.5  # points
HIGH = 2.4  # inches


@styled()
def sharpness_lines(results: Sequence[Result], *, title: str, width: float = DOUBLE) -> Figure:
    """Draw sharpness (nats) against backbone: a panel for each data set, four lines in each.

    Colour is the split; marks are filled and lines whole with augmentation, open and dashed without. A mark is the
    mean over the seeds, its error bar the mean of the seeds' 95 % intervals over tasks, as in the thesis; small dots
    at its right are the seeds. A seed whose sharpness is unknown or not finite cannot be drawn: the title counts them,
    and a setting with one that diverged has no mean.

    Args:
        results: MAML's, of one checkpoint.
        title: one or more lines above everything; wrapped to the figure's width.
        width: inches; below 5 the panels stand above one another and the legend goes below.

    Raises:
        SpecError: no result has a sharpness.
    """
    used = [result for result in results if result.sharpness is not None]
    if not used:
        raise SpecError("a figure of sharpness needs at least one result that has it")
    title = "\n".join([title, *not_drawn(results, needs_loss=False)])
    data = sorted({result.data for result in used})
    columns = min(len(data), 1 if width < 5 else 2)
    block = Block(-(-len(data) // columns), columns, left=0.5, gap=0.6, high=HIGH, below=0.4)
    handles, top = _legend(used), title_height(title, width)
    figure = new_figure(title, width, top + block.height + legend_height(handles, width))
    backbones = [b for b in BACKBONES if any(result.backbone == b for result in used)]
    for axes, name in zip_longest(add_panels(figure, block, top, legend_width(handles, width)), data):
        if name is None:
            axes.remove()
        else:
            _draw(axes, name, backbones, [result for result in used if result.data == name])
    add_legend(figure, handles, title)
    return figure


def _draw(axes: Axes, name: str, backbones: Sequence[Backbone], results: Sequence[Result]) -> None:
    found = over_seeds(results).values()
    for index, (split, augment) in enumerate(LINES):
        shift = (index - (len(LINES) - 1) / 2) * DODGE
        of = {s.cell.backbone: s for s in found if (s.cell.split, s.cell.augment) == (split, augment)}
        _draw_line(axes, [of.get(backbone) for backbone in backbones], shift, _look(split, augment))
    heading(axes, name)
    axes.set_ylabel("sharpness (nats)")
    axes.set_xlim(-0.5, len(backbones) - 0.5)
    axes.set_xticks(range(len(backbones)), [name_of(backbone) for backbone in backbones])
    few_ticks(axes.yaxis)
    axes.grid(visible=True, axis="y", color="#E4E4E4")
    axes.set_axisbelow(True)


def _draw_line(axes: Axes, summaries: Sequence[Summary | None], shift: float, look: dict[str, Any]) -> None:
    """One line; it is broken where a backbone has no mean."""
    means = [math.nan if s is None or s.sharpness is None else s.sharpness for s in summaries]
    bars = [math.nan if s is None or s.sharpness_ci95 is None else s.sharpness_ci95 for s in summaries]
    places = [position + shift for position in range(len(summaries))]
    colour = look["color"]
    axes.errorbar(places, means, yerr=bars, capsize=1.8, capthick=0.7, elinewidth=0.7, ecolor=colour, **look)
    for place, summary in zip(places, summaries, strict=True):
        seeds = np.array([r.sharpness for r in summary.results] if summary else [], dtype=np.float64)
        axes.plot(np.full(len(seeds), place + SEEDS), seeds, **_dot(colour))  # one that diverged is not drawn


def _look(split: Split, augment: bool) -> dict[str, Any]:
    colour = SPLIT_COLOURS[split]
    return {
        "color": colour,
        "linestyle": "-" if augment else (0, (3.2, 1.6)),
        "linewidth": 1.0,
        "marker": "o",
        "markersize": SIZE,
        "markeredgewidth": 0.9,
        "markerfacecolor": colour if augment else "white",
    }


def _dot(colour: str) -> dict[str, Any]:
    return {"linestyle": "none", "marker": ".", "markersize": 3.8, "markeredgewidth": 0, "color": colour, "alpha": 0.75}


def _legend(results: Sequence[Result]) -> list[Artist]:
    there = {(result.split, result.augment) for result in results}
    lines = [
        mark(f"{split}, {'aug' if augment else 'no aug'}", **_look(split, augment))
        for split, augment in LINES
        if (split, augment) in there
    ]
    return [*lines, mark("one seed", **_dot(GREY))]
