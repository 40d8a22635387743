"""Make a table of the thesis from results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from raymaml import files
from raymaml.errors import SpecError
from raymaml.results import Result
from raymaml.tables import RENDERERS, Table, as_text, sharpness_table, table2, table3, table4

TABLES: dict[int, Callable[[Sequence[Result]], Table]] = {
    2: table2,
    3: table3,
    4: table4,
    7: sharpness_table,
    8: sharpness_table,
}


def table(
    number: int,
    results: Sequence[Result],
    out: Path | None = None,
    formats: Sequence[str] = ("txt", "csv", "tex"),
) -> str:
    """Make table `number`, and write `table<number>.txt`, `.csv` and `.tex` if a folder is given.

    Args:
        number: 2, the accuracies on novel tasks; 3, correlations of accuracy with sharpness and loss; 4, the same of
            augmented runs; 7 or 8, sharpness.
        results: for 7 and 8 of one data set; see `tables.table2`, `tables.table3`, `tables.sharpness_table`.
        out: folder of the files; none are written without it.
        formats: of `txt`, `csv`, `tex`.

    Returns:
        The table as text.

    Raises:
        SpecError: another number or format, or results that contradict each other.
        MissingError: there is no result for it.
    """
    if number not in TABLES:
        raise SpecError(f"the table must be one of {', '.join(map(str, TABLES))}, got {number}")
    check_formats(formats)
    made = TABLES[number](results)
    write(made, table_files(f"table{number}", out, formats) if out else [])
    return as_text(made)


def check_formats(formats: Sequence[str]) -> None:
    """Refuse formats that no table can be written in.

    Raises:
        SpecError: there is one.
    """
    unknown = [name for name in formats if name not in RENDERERS]
    if unknown:
        raise SpecError(f"a table can be written as {', '.join(RENDERERS)}, not {', '.join(unknown)}")


def write(made: Table, paths: Sequence[Path]) -> None:
    """Write a table into files, each in the format of its suffix, whole or not at all."""
    for path in paths:
        files.write_text(path, RENDERERS[path.suffix[1:]](made))


def table_files(stem: str, out: Path, formats: Sequence[str] = ("txt", "csv", "tex")) -> list[Path]:
    """The files of a table: `table2.txt` and so on, in the folder `out`."""
    return [out.expanduser() / f"{stem}.{name}" for name in formats]
