"""Panels on a grid with a legend outside them, everything placed in inches so that nothing can overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from raymaml.figures.style import COLOURS, set_title, text_width, title_height
from raymaml.specs import Backbone, Split

BACKBONE_COLOURS: dict[Backbone, str] = dict(
    zip(("conv4", "conv6", "resnet10", "resnet18"), COLOURS[:4], strict=True)  # blue, vermilion, green, purple
)
SPLIT_COLOURS: dict[Split, str] = {"base": COLOURS[0], "val": COLOURS[2], "novel": COLOURS[1]}
GREY = "#555555"
HEADING = 0.2  # inches above a panel for its name
ROW = 0.16  # inches per line of a legend under the panels
LEGEND_SIZE = 7.0  # points


@dataclass(frozen=True)
class Block:
    """Panels of one size on a grid, from `top` inches below the figure's upper edge."""

    rows: int
    columns: int
    left: float  # inches for the labels of the first column
    gap: float  # inches between columns
    high: float  # inches, of a panel
    below: float  # inches under a row for its labels
    under: float = 0.0  # inches more under the last row

    @property
    def height(self) -> float:
        """Inches from the first heading to the labels of the last row."""
        return self.rows * (HEADING + self.high + self.below) + self.under


def add_panels(figure: Figure, block: Block, top: float, right: float) -> list[Axes]:
    """Axes of a block, row by row; `right` inches at the right of the figure stay free."""
    width, height = figure.get_size_inches()
    wide = (width - block.left - right - (block.columns - 1) * block.gap) / block.columns
    axes = []
    for index in range(block.rows * block.columns):
        row, column = divmod(index, block.columns)
        x = block.left + column * (wide + block.gap)
        y = height - top - row * (HEADING + block.high + block.below) - HEADING - block.high
        axes.append(figure.add_axes((x / width, y / height, wide / width, block.high / height)))
    return axes


def heading(axes: Axes, text: str) -> None:
    """The name of a panel, at its upper left."""
    axes.annotate(
        text, (0, 1), xycoords="axes fraction", xytext=(0, 3), textcoords="offset points", va="bottom", parse_math=False
    )


def legend_width(handles: Sequence[Artist], width: float) -> float:
    """Inches to leave free at the right for a legend there; a margin where the legend goes below."""
    return 0.12 if width < 5 else max(text_width(str(h.get_label()), LEGEND_SIZE) for h in handles) + 0.6


def legend_height(handles: Sequence[Artist], width: float) -> float:
    """Inches to leave free at the bottom of a narrow figure, whose legend has two columns there."""
    return 0.08 + ROW * -(-len(handles) // 2) if width < 5 else 0.0


def add_legend(figure: Figure, handles: Sequence[Artist], title: str) -> None:
    """The legend, at the right of a wide figure under its title, or at the bottom of a narrow one."""
    width, height = figure.get_size_inches()
    shared: dict[str, Any] = {"handles": list(handles), "borderaxespad": 0, "borderpad": 0}
    if width < 5:
        corner = (0.1 / width, 0.06 / height)
        figure.legend(**shared, loc="lower left", bbox_to_anchor=corner, ncols=2, columnspacing=1.2)
        return
    corner = (
        1 - legend_width(handles, width) / width + 0.12 / width,
        1 - (title_height(title, width) + HEADING) / height,
    )
    figure.legend(**shared, loc="upper left", bbox_to_anchor=corner)


def mark(label: str, **look: Any) -> Line2D:
    """A legend entry that is a mark and no line, unless `look` says otherwise."""
    return Line2D([], [], **{"linestyle": "none", "color": GREY, **look}, label=label)


def new_figure(title: str, width: float, height: float) -> Figure:
    """An empty figure with its title."""
    figure = Figure(figsize=(width, height))
    set_title(figure, title)
    return figure


def name_of(backbone: Backbone) -> str:
    """A backbone as papers write it."""
    return backbone.replace("conv", "Conv").replace("resnet", "ResNet")
