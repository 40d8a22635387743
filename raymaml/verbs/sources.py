"""Where the results of a table or a figure come from: the runs here, files, or the thesis's records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from raymaml import published as thesis
from raymaml.errors import MissingError
from raymaml.results import Curve, Result, nothing_there, read_csv
from raymaml.verbs.results import collect


def gather(
    *,
    published: bool = False,
    files: Sequence[Path] = (),
    data: Sequence[str] = (),
    paired: bool = False,
    home: Path | None = None,
    on_skip: Callable[[str], None] = lambda text: None,
) -> tuple[list[Result], list[Curve]]:
    """The results, and the curves where there are any.

    Args:
        published: take the records of the thesis's runs.
        files: CSV files of results to take, with or without the records.
        data: names of the data sets to keep; all if there is none.
        paired: of the runs here, take scores of checkpoints over the same tasks; see `collect`.
        home: folder of the runs; by default `runs.home()`.
        on_skip: told which runs do not count; see `collect`.

    Returns:
        Results and curves. With neither records nor files, those of the runs in `home`. Curves carry no
        name of a data set: they are of `data` if that is one, else of all.

    Raises:
        MissingError: there is no result and no curve, or none of a data set that was named.
        RaymamlError: a file or a run is damaged.
    """
    if published or files:
        found = [*(thesis.runs() if published else []), *(result for path in files for result in read_csv(path))]
        curves: list[Curve] = []
    else:
        found, curves = collect(data[0] if len(data) == 1 else None, paired=paired, home=home, on_skip=on_skip)
    if not found and not curves:
        raise nothing_there(f"results or curves{f' of {data[0]}' if len(data) == 1 else ''}")
    kept = [result for result in found if not data or result.data in data]
    there = sorted({result.data for result in found})
    absent = [name for name in data if name not in there]
    if absent and not (curves and len(data) == 1):
        raise MissingError(f"there are no results of {', '.join(absent)}, only of: {', '.join(there) or 'none'}")
    return kept, curves
