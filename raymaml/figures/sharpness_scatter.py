"""Loss, sharpness and accuracy together, every seed a point of its own (thesis, figure 14)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from raymaml.errors import SpecError
from raymaml.figures.panels import (
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
from raymaml.figures.remarks import drawable, not_drawn
from raymaml.figures.style import DOUBLE, few_ticks, styled, title_height
from raymaml.results import BACKBONES, SPLITS, Result, order
from raymaml.specs import Backbone

MARKERS: dict[Backbone, str] = {"conv4": "o", "conv6": "s", "resnet10": "^", "resnet18": "D"}
SCALE: dict[Backbone, float] = {"conv4": 1.0, "conv6": 0.94, "resnet10": 1.08, "resnet18": 0.86}  # to look alike
# Without its last fifth, whose yellow is lost on white: an open mark is its outline alone.
COLOURS = ListedColormap(colormaps["viridis"].resampled(256)(range(205)), name="raymaml_accuracy")
SIZE = 5.2  # points
HIGH = 1.9  # inches
BAR = (0.07, 0.09)  # inches from a panel to its colour bar, and of its width
BAR_TEXT = 0.45  # inches at its right


@styled()
def sharpness_scatter(results: Sequence[Result], *, title: str, width: float = DOUBLE) -> Figure:
    """Draw mean query loss (x), sharpness (y) and accuracy (colour): a panel for each data set and split.

    Shape is the backbone, and marks are filled with augmentation and open without. Each panel has a scale of colours of
    its own, from its lowest to its highest accuracy: that of base tasks would leave one colour to novel ones. A
    result whose sharpness or loss is unknown or not finite has no place: the title says how many there are.

    Args:
        results: MAML's, of one checkpoint.
        title: one or more lines above everything; wrapped to the figure's width.
        width: inches; below 5 the panels stand above one another and the legend goes below.

    Raises:
        SpecError: no result has a sharpness.
    """
    if all(result.sharpness is None for result in results):
        raise SpecError("a figure of sharpness needs at least one result that has it")
    title = "\n".join([title, *not_drawn(results, needs_loss=True)])
    ordered = sorted(results, key=lambda result: (order(result.cell), result.seed))
    splits = [split for split in SPLITS if any(result.split == split for result in results)]
    panels = list(product(sorted({result.data for result in results}), splits))
    columns = 1 if width < 5 else len(splits)
    bar = sum(BAR) + BAR_TEXT
    block = Block(len(panels) // columns, columns, left=0.5, gap=0.62 + bar, high=HIGH, below=0.5)
    handles, top = _legend(ordered), title_height(title, width)
    figure = new_figure(title, width, top + block.height + legend_height(handles, width))
    for axes, (data, split) in zip(
        add_panels(figure, block, top, legend_width(handles, width) + bar), panels, strict=True
    ):
        heading(axes, f"{data}, {split} tasks")
        _draw(axes, [r for r in ordered if (r.data, r.split) == (data, split) and drawable(r, needs_loss=True)])
    add_legend(figure, handles, title)
    return figure


def _draw(axes: Axes, results: Sequence[Result]) -> None:
    """One panel. Points are drawn one by one, so that each is what one result says."""
    axes.set(xlabel="mean query loss (nats)", ylabel="sharpness (nats)")
    axes.grid(visible=True, color="#E4E4E4")
    axes.set_axisbelow(True)
    few_ticks(axes.xaxis, axes.yaxis)
    if not results:
        axes.text(0.5, 0.5, "nothing to draw", transform=axes.transAxes, ha="center", va="center")
        return
    colours = _colours([100 * result.accuracy for result in results])
    rgba = colours.to_rgba(np.array([100 * result.accuracy for result in results]))
    for result, colour in zip(results, rgba, strict=True):
        sharpness = np.array([result.sharpness], dtype=np.float64)
        axes.plot([result.loss], sharpness, **_look(result.backbone, result.augment, colour))
    _add_bar(axes, colours)


def _colours(accuracies: Sequence[float]) -> ScalarMappable:
    low, high = min(accuracies), max(accuracies)
    spare = 0.5 if low == high else 0.0  # one accuracy alone would have a scale of no length
    return ScalarMappable(Normalize(low - spare, high + spare), COLOURS)


def _add_bar(axes: Axes, colours: ScalarMappable) -> None:
    figure = axes.get_figure(root=True)
    assert figure is not None
    place, inches = axes.get_position(), float(figure.get_size_inches()[0])
    beside = figure.add_axes((place.x1 + BAR[0] / inches, place.y0, BAR[1] / inches, place.height))
    bar = figure.colorbar(colours, cax=beside, label="accuracy (%)")
    few_ticks(bar.ax.yaxis)
    bar.outline.set_linewidth(0.4)


def _look(backbone: Backbone, augment: bool, colour: Any) -> dict[str, Any]:
    return {
        "linestyle": "none",
        "marker": MARKERS[backbone],
        "markersize": SIZE * SCALE[backbone],
        "markeredgecolor": colour,
        "markeredgewidth": 1.1,
        "markerfacecolor": colour if augment else "none",
        "alpha": 0.9,
    }


def _legend(results: Sequence[Result]) -> list[Artist]:
    """What each shape and filling that is on the figure means."""
    shapes = [b for b in BACKBONES if any(result.backbone == b for result in results)]
    fillings = sorted({result.augment for result in results})
    return [
        *(mark(name_of(b), **_look(b, True, GREY)) for b in shapes),
        *(mark("augmented" if a else "not augmented", **_look("conv4", a, GREY)) for a in fillings),
    ]
