"""Correlate accuracy with sharpness and loss over runs."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from raymaml.correlation import X, Y, correlations
from raymaml.results import Result
from raymaml.tables import as_text, correlation_table
from raymaml.verbs.table import check_formats, table_files, write

STEM = "correlations"  # of the files

Aug = Literal["all", "only", "none"]
AUG: dict[Aug, bool | None] = {"all": None, "only": True, "none": False}
XName = Literal["base-sharpness", "base-loss", "novel-sharpness", "novel-loss"]
YName = Literal["base-accuracy", "novel-accuracy"]
X_NAMES: tuple[XName, ...] = typing.get_args(XName)
Y_NAMES: tuple[YName, ...] = typing.get_args(YName)


def correlate(
    results: Sequence[Result],
    *,
    x: Sequence[XName] = X_NAMES,
    y: Sequence[YName] = Y_NAMES,
    aug: Aug = "all",
    bootstrap: int = 0,
    seed: int = 0,
    out: Path | None = None,
    formats: Sequence[str] = ("txt", "csv", "tex"),
) -> str:
    """Pearson's r, its p and its points for each pair of x and y, as a table; see `correlation.correlations`.

    Args:
        results: those of MAML's best checkpoints on base and novel tasks are used.
        x: of what, on the tasks of which split.
        y: accuracy, on the tasks of which split.
        aug: of all runs, of those with augmentation only, or of those with none.
        bootstrap: number of draws of an interval, 0 for none.
        seed: of the draws.
        out: folder of `correlations.txt`, `.csv` and `.tex`; none are written without it.
        formats: of `txt`, `csv`, `tex`.

    Returns:
        The table as text.

    Raises:
        SpecError: a number of draws or a format that cannot be, or results that contradict each other.
        MissingError: there is no result for it.
    """
    check_formats(formats)
    pairs = [
        (one, other)
        for one in X
        for other in Y
        if f"{one.split}-{one.quantity}" in x and f"{other.split}-{other.quantity}" in y
    ]
    found = correlations(results, pairs, augment=AUG[aug], bootstrap=bootstrap, seed=seed)
    made = correlation_table(found, augment=AUG[aug], bootstrap=bootstrap, seed=seed)
    write(made, table_files(STEM, out, formats) if out else [])
    return as_text(made)
