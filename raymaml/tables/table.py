"""Tables: cells and what they mean, and how they become text, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from raymaml.errors import SpecError

Cell = str | int | float | None
EMPTY = "–"  # a cell without a number: a zero would be read as a result


@dataclass(frozen=True)
class Column:
    """How the cells of a column are written."""

    name: str
    digits: int = 2  # after the point, of float cells in text and LaTeX
    signed: bool = False  # whether positive numbers get a plus
    powers: bool = False  # whether float cells are written with powers of ten: 1.6e-7
    words: bool = False  # whether it holds words, which are set at the left


@dataclass(frozen=True)
class Table:
    """A table and all that a reader needs beside it.

    Raises:
        SpecError: a row has another number of cells than there are columns.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    groups: int = 0  # a rule is drawn where one of the first so many columns changes

    def __post_init__(self) -> None:
        """Check that it is a rectangle."""
        for row in self.rows:
            if len(row) != len(self.columns):
                raise SpecError(f"a row of {len(self.columns)} cells is needed, got {len(row)}: {row}")

    def starts_group(self, row: int) -> bool:
        """Whether a rule belongs above this row; the first one has the header's."""
        return row > 0 and self.rows[row][: self.groups] != self.rows[row - 1][: self.groups]


def as_text(table: Table) -> str:
    """Aligned columns under the title, then the notes; ends with a line break."""
    cells = [[column.name for column in table.columns], *_formatted(table)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    rule = "  ".join("-" * width for width in widths)
    lines = [table.title, "", _aligned(table.columns, cells[0], widths), rule]
    for i, row in enumerate(cells[1:]):
        lines += [rule] * table.starts_group(i)
        lines.append(_aligned(table.columns, row, widths))
    lines += ["", *table.notes] if table.notes else []
    return "\n".join(lines) + "\n"


def _formatted(table: Table) -> list[list[str]]:
    return [[_shown(c, column) for c, column in zip(row, table.columns, strict=True)] for row in table.rows]


def _shown(cell: Cell, column: Column) -> str:
    if cell is None:
        return EMPTY
    if not isinstance(cell, float):
        return str(cell)
    if not math.isfinite(cell):
        return "diverged"
    text = f"{cell:{'+' if column.signed else ''}.{column.digits}{'e' if column.powers else 'f'}}"
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else text


def _aligned(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        text.ljust(width) if column.words else text.rjust(width)
        for text, width, column in zip(row, widths, columns, strict=True)
    )
    return "  ".join(padded).rstrip()


def as_csv(table: Table) -> str:
    """Header and rows for programs: all digits of the numbers, an empty field where there is none, no notes."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([column.name for column in table.columns])
    lines.writerows(["" if cell is None else cell for cell in row] for row in table.rows)
    return text.getvalue()


SPECIAL = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
}


def escaped(text: str) -> str:
    """`text` with every character that LaTeX reads as a command, or may have no glyph for, written out."""
    return "".join(SPECIAL.get(character, character) for character in text)


def as_latex(table: Table) -> str:
    r"""A `table*` environment over the width of the page; the document needs only \usepackage{booktabs}.

    Table 2 fits the text of a two-column article (469 pt), compiled with TeX Live 2022.
    """
    alignment = "".join("l" if column.words else "r" for column in table.columns)
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table*}",
        rf"\caption{{{escaped(table.title)}}}",
        r"\centering\scriptsize\setlength{\tabcolsep}{2pt}",
        rf"\begin{{tabular}}{{{alignment}}}",
        r"\toprule",
        _latex_row([column.name for column in table.columns]),
        r"\midrule",
    ]
    for i, row in enumerate(_formatted(table)):
        lines += [r"\midrule"] * table.starts_group(i)
        lines.append(_latex_row([_minus(text, cell) for text, cell in zip(row, table.rows[i], strict=True)]))
    lines += [r"\bottomrule", r"\end{tabular}"]
    lines += [rf"\par\smallskip\raggedright {escaped(' '.join(table.notes))}"] if table.notes else []
    return "\n".join([*lines, r"\end{table*}"]) + "\n"


def _minus(text: str, cell: Cell) -> str:
    """A hyphen before a number becomes a minus."""
    return text.replace("-", "−") if isinstance(cell, float | int) else text


def _latex_row(texts: Iterable[str]) -> str:
    return " & ".join(map(escaped, texts)) + r" \\"


RENDERERS = {"txt": as_text, "csv": as_csv, "tex": as_latex}
