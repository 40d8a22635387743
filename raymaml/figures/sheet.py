"""Where the panels of a sheet of surfaces lie, in inches, so that nothing can overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from raymaml.analysis import Area
from raymaml.errors import SpecError
from raymaml.figures.grid import Grid, progress
from raymaml.figures.solid import cut_off
from raymaml.figures.style import DOUBLE, set_title, title_height

HEADING_SIZE, NOTE_SIZE, TICK_SIZE = 7.5, 6.0, 5.5  # points
HEADING, NOTE = 0.17, 0.12  # inches that a line of either takes
ROW_LABEL = 0.17  # inches per line of a row's label, which is written upwards
CLEAR = 0.06  # inches between a panel and what is written over it: half a tick label
MOST_WIDE = 3.0  # inches, of a panel on a sheet of one or two columns


@dataclass(frozen=True)
class Panel:
    """One surface on a sheet; none where nothing is drawn."""

    grid: Grid | None
    heading: str = ""
    areas: Sequence[Area] = ()  # below thresholds, for contours, from the lowest
    colours: Sequence[str] = ()  # of the areas

    @property
    def notes(self) -> list[str]:
        """What the surface does not show by itself."""
        return [] if self.grid is None else [*progress(self.grid), *cut_off(self.grid, None)]


@dataclass(frozen=True)
class Row:
    """Panels from left to right, with what they have in common."""

    label: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Sheet:
    """An empty figure and the places of its panels."""

    figure: Figure
    places: list[list[tuple[float, float]]]  # lower left corner of each panel, inches from the lower left
    wide: float  # inches, of a panel
    high: float


def sheet(
    rows: Sequence[Row], title: str, *, aspect: float, left: float, right: float, gap: float, below: float
) -> Sheet:
    """Lay out rows of panels under a title, with their headings, notes and labels.

    Args:
        rows: of panels.
        title: of the figure.
        aspect: height by width of a panel.
        left: inches at the left of the first column, beside the row labels.
        right: inches at the right of the last column.
        gap: inches between columns.
        below: inches under each row.

    Raises:
        SpecError: there is no panel.
    """
    columns = max((len(row.panels) for row in rows), default=0)
    if not columns:
        raise SpecError("there is no surface to draw")
    lines = max(row.label.count("\n") + 1 if row.label else 0 for row in rows)
    left += ROW_LABEL * lines
    wide = min(MOST_WIDE, (DOUBLE - left - right - gap * (columns - 1)) / columns)
    high = wide * aspect
    width = max(left + right + gap * (columns - 1) + wide * columns, 4.0)
    over = [_over(row) for row in rows]
    top = title_height(title, width)
    height = top + sum(over) + len(rows) * (high + below)
    figure = Figure(figsize=(width, height))
    set_title(figure, title)
    places, y = [], height - top
    for row, above in zip(rows, over, strict=True):
        y -= above + high
        places.append([(left + column * (wide + gap), y) for column in range(len(row.panels))])
        _write(figure, row, places[-1], wide, high)
        y -= below
    return Sheet(figure, places, wide, high)


def _over(row: Row) -> float:
    """Inches above the panels of a row."""
    headings = max(panel.heading.count("\n") + 1 if panel.heading else 0 for panel in row.panels)
    return HEADING * headings + NOTE * max(len(panel.notes) for panel in row.panels) + CLEAR


def _write(figure: Figure, row: Row, places: list[tuple[float, float]], wide: float, high: float) -> None:
    width, height = figure.get_size_inches()
    for panel, (x, y) in zip(row.panels, places, strict=True):
        centre, top = (x + wide / 2) / width, y + high + CLEAR
        shared: dict[str, Any] = {"ha": "center", "va": "bottom", "linespacing": 1.2}
        notes = "\n".join(panel.notes)
        figure.text(centre, top / height, notes, **shared, size=NOTE_SIZE, color="#555555")
        above = (top + NOTE * len(panel.notes)) / height
        figure.text(centre, above, panel.heading, **shared, size=HEADING_SIZE, parse_math=False)
    if row.label:
        y = (places[0][1] + high / 2) / height
        figure.text(
            0.06 / width, y, row.label, rotation=90, ha="left", va="center", size=HEADING_SIZE, linespacing=1.2,
            multialignment="center", parse_math=False,
        )  # fmt: skip
