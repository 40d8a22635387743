"""Table 2 of the thesis: accuracy on novel tasks, of every method and backbone, beside what is published."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

from raymaml import published
from raymaml.results import BACKBONES, METHODS, Result, Summary, low_to_high, nothing_there, over_seeds
from raymaml.tables.table import Cell, Column, Table

Row = tuple[published.Setting, Summary | None]

SETTING = [Column(name, words=True) for name in ("data", "method", "aug", "backbone")]
STATISTICS = [Column(name) for name in ("accuracy", "±", "SD", "t95")]
PUBLISHED = [Column("thesis"), Column("± thesis"), Column("diff", signed=True), Column("Chen"), Column("± Chen")]

MEANINGS = (
    "accuracy: percentage of query images, mean over the seeds, of the best checkpoint on 5-way 1-shot novel tasks; "
    "seed columns: of each seed.",
    "±: mean of the seeds' 95 % intervals over tasks (half-widths). SD: standard deviation over seeds (n - 1). "
    "t95: half-width of the 95 % t-interval of the mean over seeds.",
    "loss: mean query loss in nats.",
)
MEANINGS_PUBLISHED = (
    "thesis, Chen: as printed in Table 2 of Ding (2023), which quotes Chen et al. (2019). diff: accuracy minus "
    "thesis, in points.",
    "Not reproducible from the thesis's own records: its ± for either method, and its means for transfer (its records "
    "give means 0.4 to 9.3 points away). Its MAML means are those of the records, cut to two digits.",
)


def table2(results: Iterable[Result]) -> Table:
    """Accuracy on 5-way 1-shot novel tasks with the best checkpoint, over seeds and of each seed.

    Data sets for which Table 2 of the thesis has numbers get all of its rows; others a row for each
    combination of what they have results of. A combination without results has empty cells.

    Args:
        results: of any split and checkpoint; those that are not novel and best are not used.

    Raises:
        MissingError: no result is of the novel split and the best checkpoint.
        SpecError: a seed has two results in one cell.
    """
    used = [result for result in results if (result.split, result.checkpoint) == ("novel", "best")]
    if not used:
        raise nothing_there("results of best checkpoints on novel tasks")
    rows = _rows(list(over_seeds(used).values()))
    seeds = sorted({result.seed for result in used})
    thesis, chen = published.table2("thesis"), published.table2("chen")
    compared = any(setting in thesis for setting, _ in rows)
    columns = [*SETTING, *STATISTICS, Column("loss", digits=3), Column("n"), *(Column(f"seed {s}") for s in seeds)]
    cells = [
        (
            *(setting[0], setting[1], "yes" if setting[3] else "no", setting[2]),
            *_statistics(summary, seeds),
            *(_compared(summary, thesis.get(setting), chen.get(setting)) if compared else ()),
        )
        for setting, summary in rows
    ]
    return Table(
        title=f"Accuracy (%) on 5-way 1-shot tasks of novel classes: {', '.join(sorted({r.data for r in used}))}",
        columns=tuple([*columns, *PUBLISHED] if compared else columns),
        rows=tuple(cells),
        notes=(_amount(used), *MEANINGS, *(MEANINGS_PUBLISHED if compared else ())),
        groups=3,
    )


def _rows(summaries: Sequence[Summary]) -> list[Row]:
    """A row for each setting, in the order of the thesis: with its summary, or None."""
    found = {(s.cell.data, s.cell.method, s.cell.backbone, s.cell.augment): s for s in summaries}
    printed = {setting[0] for setting in published.table2()}
    rows: list[Row] = []
    for data in sorted({setting[0] for setting in found}):
        here = [setting for setting in found if setting[0] == data]
        methods = [m for m in METHODS if data in printed or any(m == setting[1] for setting in here)]
        augments = [a for a in (False, True) if data in printed or any(a == setting[3] for setting in here)]
        backbones = [b for b in BACKBONES if data in printed or any(b == setting[2] for setting in here)]
        for method, augment, backbone in itertools.product(methods, augments, backbones):
            setting = (data, method, backbone, augment)
            rows.append((setting, found.get(setting)))
    return rows


def _statistics(summary: Summary | None, seeds: Sequence[int]) -> list[Cell]:
    if summary is None:
        return [None] * (len(STATISTICS) + 2 + len(seeds))
    of_seed = {result.seed: 100 * result.accuracy for result in summary.results}
    return [
        100 * summary.accuracy,
        100 * summary.accuracy_ci95,
        *(None if math.isnan(spread) else 100 * spread for spread in (summary.accuracy_sd, summary.accuracy_t95)),
        summary.loss,
        len(summary.seeds),
        *(of_seed.get(seed) for seed in seeds),
    ]


def _compared(summary: Summary | None, thesis: published.Printed | None, chen: published.Printed | None) -> list[Cell]:
    difference = 100 * (summary.accuracy - thesis.accuracy) if summary and thesis else None
    return [*_printed(thesis), difference, *_printed(chen)]


def _printed(number: published.Printed | None) -> list[Cell]:
    return [100 * number.accuracy, 100 * number.plus_minus] if number else [None, None]


def _amount(results: Sequence[Result]) -> str:
    """How many seeds and tasks the numbers stand on, as one line."""
    sizes = sorted({len(summary.seeds) for summary in over_seeds(results).values()})
    tasks = sorted({result.tasks for result in results if result.tasks})
    unknown = sum(not result.tasks for result in results)
    text = f"n: number of seeds ({low_to_high(sizes)}); "
    text += f"{low_to_high(tasks)} tasks per seed" if tasks else "number of tasks unknown"
    return text + (f"; unknown for {unknown} results." if tasks and unknown else ".")
