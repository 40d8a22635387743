"""Tables 7 and 8 of the thesis: sharpness of every backbone, on base and novel tasks, beside what is published."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from raymaml import published
from raymaml.errors import SpecError
from raymaml.results import BACKBONES, RHO, Result, Summary, low_to_high, no_sharpness, over_seeds
from raymaml.tables.table import Cell, Column, Table

Setting = tuple[str, bool, str]  # split, augment, backbone

UNIT = 10  # tenths of a nat, as in the thesis's tables

COLUMNS = [
    *(Column(name, words=True) for name in ("data", "split", "aug", "backbone")),
    *(Column(name, digits=3) for name in ("sharpness", "±", "SD")),
    Column("n"),
]
THESIS = [Column("thesis", digits=3), Column("± thesis", digits=3), Column("diff", digits=3, signed=True)]

MEANINGS = (
    f"sharpness, in 0.1 nats: rise of a task's query loss when the initialisation moves by rho = {RHO} along its "
    "gradient; mean over tasks and then over the seeds, at the best checkpoint; seed columns: of each seed.",
    "±: mean of the seeds' 95 % intervals over tasks (half-widths). SD: standard deviation over seeds (n - 1).",
)
MEANINGS_PUBLISHED = (
    "thesis: as printed in Tables 7 and 8 of Ding (2023). diff: sharpness minus thesis. The thesis's own records give "
    "means up to 0.156 away, since some of its runs were measured again.",
)


def sharpness_table(results: Iterable[Result]) -> Table:
    """Sharpness of MAML's best checkpoints on base and novel tasks, over seeds and of each seed.

    A data set of which the thesis has numbers gets all of its rows, another one a row for each combination of what
    it has. A combination without sharpness has empty cells. Seeds that were scored and have no sharpness are counted
    in a note.

    Args:
        results: of one data set; those of other methods, checkpoints and splits are not used.

    Raises:
        MissingError: no result has a sharpness.
        SpecError: there are several data sets, or a seed has two results in one cell.
    """
    maml = [r for r in results if (r.method, r.checkpoint) == ("maml", "best") and r.split != "val"]
    data = sorted({result.data for result in maml})
    if len(data) > 1:
        raise SpecError(f"a table of sharpness shows one data set, not {', '.join(data)}: name one with --data")
    used = [result for result in maml if result.sharpness is not None]
    if not used:
        raise no_sharpness("best checkpoints of MAML runs on base or novel tasks")
    found: dict[Setting, Summary] = {
        (s.cell.split, s.cell.augment, s.cell.backbone): s for s in over_seeds(used).values()
    }
    printed = {
        (split, augment, backbone): value
        for (name, split, backbone, augment), value in published.sharpness().items()
        if name == data[0]
    }
    seeds = sorted({result.seed for result in used})
    columns = [*COLUMNS, *(Column(f"seed {seed}", digits=3) for seed in seeds)]
    rows = []
    for setting in _settings([*found, *printed]):
        split, augment, backbone = setting
        row = [data[0], split, "yes" if augment else "no", backbone, *_statistics(found.get(setting), seeds)]
        rows.append((*row, *(_compared(found.get(setting), printed[setting]) if printed else ())))
    return Table(
        title=f"Sharpness (0.1 nats) of the meta-loss of MAML on 5-way 1-shot tasks: {data[0]}",
        columns=tuple([*columns, *THESIS] if printed else columns),
        rows=tuple(rows),
        notes=(_amount(maml), *MEANINGS, *(MEANINGS_PUBLISHED if printed else ())),
        groups=3,
    )


def _settings(there: Iterable[Setting]) -> list[Setting]:
    """The rows, in the order of the thesis: every combination of what is there."""
    splits, augments, backbones = (set(values) for values in zip(*there, strict=True))
    return [(s, a, b) for s in sorted(splits) for a in sorted(augments) for b in BACKBONES if b in backbones]


def _statistics(summary: Summary | None, seeds: Sequence[int]) -> list[Cell]:
    if summary is None or summary.sharpness is None:
        return [None] * (4 + len(seeds))
    of_seed = {result.seed: result.sharpness for result in summary.results}
    alone = len(summary.seeds) == 1  # its deviation is not defined, which is not divergence
    values = [summary.sharpness, summary.sharpness_ci95, None if alone else summary.sharpness_sd]
    return [*map(_tenths, values), len(summary.seeds), *(_tenths(of_seed.get(seed)) for seed in seeds)]


def _tenths(value: float | None) -> float | None:
    return None if value is None else UNIT * value


def _compared(summary: Summary | None, printed: published.PrintedSharpness) -> list[Cell]:
    mean = summary.sharpness if summary else None
    difference = None if mean is None or math.isnan(mean) else UNIT * (mean - printed.mean)
    return [UNIT * printed.mean, UNIT * printed.plus_minus, difference]


def _amount(results: Sequence[Result]) -> str:
    """How many seeds and tasks the numbers stand on, and what has no sharpness, as one line."""
    used = [result for result in results if result.sharpness is not None]
    sizes = [len(summary.seeds) for summary in over_seeds(used).values()]
    tasks = [result.sharpness_tasks for result in used if result.sharpness_tasks]
    text = f"n: number of seeds ({low_to_high(sizes)}); "
    text += f"{low_to_high(tasks)} tasks per seed" if tasks else "number of tasks unknown"
    if tasks and (unknown := len(used) - len(tasks)):
        text += f"; unknown for {unknown}"
    if lost := len(results) - len(used):
        text += f"; without sharpness, hence not in it: {lost}"
    return text + "."
