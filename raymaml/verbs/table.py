"""Make a table of the thesis from results."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from raymaml import files
from raymaml.errors import SpecError
from raymaml.results import Result
from raymaml.tables import RENDERERS, Table, as_text, table2

TABLES: dict[int, Callable[[Sequence[Result]], Table]] = {2: table2}


def table(
    number: int,
    results: Sequence[Result],
    out: Path | None = None,
    formats: Sequence[str] = ("txt", "csv", "tex"),
) -> str:
    """Make table `number`, and write `table<number>.txt`, `.csv` and `.tex` if a folder is given.

    Args:
        number: 2, the accuracies on novel tasks.
        results: see `tables.table2`.
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
    unknown = [name for name in formats if name not in RENDERERS]
    if unknown:
        raise SpecError(f"a table can be written as {', '.join(RENDERERS)}, not {', '.join(unknown)}")
    made = TABLES[number](results)
    for path in table_files(number, out, formats) if out else []:
        text = RENDERERS[path.suffix[1:]](made)
        files.replace(path, partial(Path.write_text, data=text, encoding="utf-8"))
    return as_text(made)


def table_files(number: int, out: Path, formats: Sequence[str] = ("txt", "csv", "tex")) -> list[Path]:
    """The files that `table` writes."""
    return [out.expanduser() / f"table{number}.{name}" for name in formats]
