"""Tables 3 and 4 of the thesis, and tables of any correlations between sharpness, loss and accuracy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Literal

from raymaml import published
from raymaml.correlation import PAIRS, Correlation, correlations, remarks
from raymaml.results import Result
from raymaml.tables.table import Cell, Column, Table

COLUMNS = [
    *(Column(name, words=True) for name in ("data", "x", "y")),
    Column("n"),
    Column("r", digits=3),
    Column("p", digits=1, powers=True),
]
INTERVAL = [Column("low", digits=3), Column("high", digits=3)]
THESIS = [Column("thesis r"), Column("thesis p", digits=0, powers=True), Column("diff", digits=3, signed=True)]
POINTS = {None: "all", True: "augmented", False: "not augmented"}

MEANING = (
    "A point is one backbone, augmentation and seed of MAML, at the best checkpoint: its sharpness or mean query loss "
    "(x) and its accuracy (y) on 5-way 1-shot tasks of a split. n: points; r: Pearson's; p: two-sided."
)
INDEPENDENCE = "p{} would hold for independent points; the seeds of one backbone and augmentation are alike."
MEANING_PUBLISHED = (
    "thesis r, thesis p: as printed by Ding (2023), who cuts r to two digits, and cuts or rounds p to one. diff: r "
    "minus thesis r. The thesis's own records give the printed digits in all loss rows, and r within 0.021 in those of "
    "sharpness"
)
EXCEPTIONS = {
    3: ".",
    4: ", but for cub novel sharpness (0.23, printed 0.38). -0.95 of cub base loss with novel accuracy is a misprint "
    "of -0.97, whose p it has.",
}


def correlation_table(
    found: Sequence[Correlation],
    *,
    augment: bool | None = None,
    bootstrap: int = 0,
    seed: int = 0,
) -> Table:
    """A row for each correlation; one that is not defined has dashes, and a note says why.

    Args:
        found: made by `correlations` with the values of the other arguments.
        augment: which points there are; None for all.
        bootstrap: number of draws; with 0 there are no columns of intervals.
        seed: of the draws.
    """
    drawn = f" low, high: 95 % percentile interval of r over {bootstrap:,} draws of the points with replacement, seed "
    return Table(
        title=_title(found, augment),
        columns=tuple([*COLUMNS, *INTERVAL] if bootstrap else COLUMNS),
        rows=tuple((*_cells(c), *(c.interval or (None, None) if bootstrap else ())) for c in found),
        notes=(
            MEANING + (f"{drawn}{seed}." if bootstrap else ""),
            INDEPENDENCE.format(" and interval" if bootstrap else ""),
            *remarks(found),
        ),
        groups=1,
    )


def _thesis(number: Literal[3, 4], results: Iterable[Result]) -> Table:
    """Table 3 or 4, beside what the thesis prints.

    Args:
        number: 3 for all runs, 4 for those with augmentation.
        results: those of other methods, checkpoints and splits are not used.

    Raises:
        MissingError: no result can be used.
        SpecError: a seed has two results in one cell.
    """
    augment = True if number == 4 else None
    printed = published.correlations(number)
    reported = {pair[1:] for pair in printed}  # the thesis has no accuracy on base with a quantity of novel
    found = correlations(results, [p for p in PAIRS if (*p[0], p[1].split) in reported], augment=augment)
    compared = any(_key(c) in printed for c in found)
    return Table(
        title=_title(found, augment),
        columns=tuple([*COLUMNS, *THESIS] if compared else COLUMNS),
        rows=tuple((*_cells(c), *(_compared(c, printed.get(_key(c))) if compared else ())) for c in found),
        notes=(
            MEANING,
            INDEPENDENCE.format(""),
            *([MEANING_PUBLISHED + EXCEPTIONS[number]] if compared else []),
            *remarks(found),
        ),
        groups=1,
    )


table3 = partial(_thesis, 3)
table4 = partial(_thesis, 4)


def _title(found: Sequence[Correlation], augment: bool | None) -> str:
    data = ", ".join(sorted({c.data for c in found}))
    return f"Pearson correlation of accuracy with sharpness and loss over {POINTS[augment]} MAML runs: {data}"


def _key(c: Correlation) -> published.Pair:
    return (c.data, *c.x, c.y.split)


def _cells(c: Correlation) -> list[Cell]:
    return [c.data, str(c.x), str(c.y), c.n, c.r, c.p]


def _compared(c: Correlation, printed: published.PrintedCorrelation | None) -> list[Cell]:
    if printed is None:
        return [None, None, None]
    return [printed.r, printed.p, None if c.r is None else c.r - printed.r]
