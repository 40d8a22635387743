"""Contact sheets: what the classes of a split look like, and what one few-shot task holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from raymaml.errors import SpecError
from raymaml.figures.style import DOUBLE, drawable, set_title, styled, text_width, title_height

Images = npt.NDArray[np.uint8]

LABEL_SIZE = 7.0  # points
LARGEST = 0.7  # inches: a lone 28-pixel glyph blown up further is only blur
MARGIN = 0.08  # inches


@styled()
def split_sheet(images: Images, *, title: str, columns: int = 20) -> Figure:
    """Images in reading order on one tight grid, `columns` a row; empty places stay white.

    Args:
        images: (image, channel, height, width) uint8, grey or RGB: one sample of each class.
        title: shown above, wrapped if it is too long.
        columns: images in a row.

    Raises:
        SpecError: no image, another dtype or shape, or columns < 1.
    """
    _check("images", images, 4)
    if columns < 1:
        raise SpecError(f"a sheet needs at least 1 column, not {columns}")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = _mosaic(images, rows, columns)
    width = min(LARGEST, (DOUBLE - 2 * MARGIN) / columns) * columns
    height = width * sheet.shape[0] / sheet.shape[1]
    figure = Figure(figsize=(DOUBLE, title_height(title, DOUBLE) + height + MARGIN))
    set_title(figure, title)
    _show(figure, sheet, (MARGIN, MARGIN, width, height))
    return figure


@styled()
def task_sheet(support: Images, query: Images, *, title: str, class_names: Sequence[str] | None = None) -> Figure:
    """One task: a row for each class, its support images on the left, its queries on the right.

    Args:
        support: (way, shot, channel, height, width) uint8, grey or RGB.
        query: (way, query, channel, height, width) uint8, as support.
        title: shown above, wrapped if it is too long.
        class_names: one for each row; "class 1", "class 2", ... if None.

    Raises:
        SpecError: no image, a dtype or shape that does not fit, or another number of names than rows.
    """
    names = _names(support, query, class_names)
    labels = max(text_width(name, LABEL_SIZE) for name in names) + 2 * MARGIN
    shots, queries = support.shape[1], query.shape[1]
    cell = min(LARGEST, (DOUBLE - labels - 0.4 - MARGIN) / (shots + queries))
    gap = max(0.15, 0.45 - cell * shots)  # 0.45: the heading "support" must end before the next
    parts = [_mosaic(part.reshape(-1, *part.shape[2:]), *part.shape[:2]) for part in (support, query)]
    height = cell * shots * parts[0].shape[0] / parts[0].shape[1]
    top = title_height(title, DOUBLE) + 0.14  # room for the headings
    figure = Figure(figsize=(DOUBLE, top + height + MARGIN))
    set_title(figure, title)
    left = _show(figure, parts[0], (labels, MARGIN, cell * shots, height))
    right = _show(figure, parts[1], (labels + cell * shots + gap, MARGIN, cell * queries, height))
    _heading(left, "support")
    _heading(right, f"queries ({queries} per class)" if cell * queries > 1.2 else "queries")
    _label_rows(left, names)
    return figure


def _names(support: Images, query: Images, class_names: Sequence[str] | None) -> list[str]:
    """One drawable name for each row, once it is sure that everything fits together."""
    _check("support", support, 5)
    _check("query", query, 5)
    if len(support) != len(query) or support.shape[2:] != query.shape[2:]:
        raise SpecError(
            f"support and query must have the same classes and image shape, not {support.shape} and {query.shape}"
        )
    if class_names is None:
        class_names = [f"class {row + 1}" for row in range(len(support))]
    if len(class_names) != len(support):
        raise SpecError(f"a task of {len(support)} classes needs that many names, not {len(class_names)}")
    return [_short(drawable(name)) for name in class_names]


def _short(name: str, width: float = 1.6) -> str:
    """`name` cut to `width` inches, with an ellipsis: a long label must leave room for the images."""
    if text_width(name, LABEL_SIZE) <= width:
        return name
    kept = name
    while kept and text_width(kept + "…", LABEL_SIZE) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def _check(name: str, images: npt.NDArray[Any], ndim: int) -> None:
    if images.dtype != np.uint8 or images.ndim != ndim or images.shape[-3] not in (1, 3) or not images.size:
        axes = "(image, channel, height, width)" if ndim == 4 else "(class, image, channel, height, width)"
        raise SpecError(
            f"{name} must be non-empty uint8 {axes} with 1 or 3 channels, not {images.dtype} {images.shape}"
        )


def _mosaic(images: Images, rows: int, columns: int) -> Images:
    """(image, channel, h, w) to one (height, width, 3) picture with thin grey lines between images."""
    count, _, height, width = images.shape
    gap = max(1, height // 28)
    tiles = np.full((rows * columns, height + gap, width + gap, 3), 255, dtype=np.uint8)
    tiles[:count] = 200  # grey shows between black and between white images
    tiles[:count, :height, :width] = np.moveaxis(images, 1, -1)  # one grey channel fills all three
    grid = tiles.reshape(rows, columns, height + gap, width + gap, 3).swapaxes(1, 2)
    return grid.reshape(rows * (height + gap), columns * (width + gap), 3)


def _show(figure: Figure, picture: Images, box: tuple[float, float, float, float]) -> Axes:
    """Draw a picture in a box of (left, bottom, width, height) inches, without axes."""
    wide, high = figure.get_size_inches()
    left, bottom, width, height = box
    axes = figure.add_axes((left / wide, bottom / high, width / wide, height / high))
    axes.imshow(picture, aspect="auto", interpolation_stage="rgba")
    axes.set_axis_off()
    return axes


def _heading(axes: Axes, text: str) -> None:
    axes.annotate(
        text,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 2),
        textcoords="offset points",
        ha="left",
        va="bottom",
        fontsize=LABEL_SIZE,
    )


def _label_rows(axes: Axes, names: Sequence[str]) -> None:
    for row, name in enumerate(names):
        axes.annotate(
            name,
            (0, 1 - (row + 0.5) / len(names)),
            xycoords="axes fraction",
            xytext=(-4, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=LABEL_SIZE,
            parse_math=False,
        )
