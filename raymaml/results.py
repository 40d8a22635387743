"""What runs came to: test results and curves over training, their files, and statistics over seeds."""

from __future__ import annotations

import csv
import io
import itertools
import math
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, NamedTuple

from raymaml import files
from raymaml.errors import MissingError, SpecError
from raymaml.specs import Backbone, Split, Which

Method = Literal["maml", "transfer"]

METHODS: tuple[Method, ...] = typing.get_args(Method)
BACKBONES: tuple[Backbone, ...] = typing.get_args(Backbone)
SPLITS: tuple[Split, ...] = typing.get_args(Split)
CHECKPOINTS: tuple[Which, ...] = typing.get_args(Which)
RHO = 0.05  # length of the step of sharpness (thesis's scripts; its parser's default, 0.5, was not used)
CHOICES: dict[str, tuple[str, ...]] = {
    "method": METHODS,
    "backbone": BACKBONES,
    "split": SPLITS,
    "checkpoint": CHECKPOINTS,
}


class Cell(NamedTuple):
    """What the seeds of one entry of a table share."""

    data: str
    method: Method
    backbone: Backbone
    augment: bool
    split: Split
    checkpoint: Which

    def __str__(self) -> str:
        """The cell as a person would name it."""
        augmented = "with" if self.augment else "without"
        return (
            f"{self.method} {self.backbone} {augmented} augmentation on {self.data}, "
            f"{self.split} split, {self.checkpoint} checkpoint"
        )


@dataclass(frozen=True)
class Result:
    """The score of one checkpoint of one seed, a mean over tasks, and how sharp its meta-loss is where that is known.

    Sharpness is the rise of a task's query loss when the initialisation is moved by `RHO` along its gradient
    (thesis, section 3.3 and its code); its mean is over tasks of its own.

    Raises:
        SpecError: a value is not one of its choices or lies outside its range.
    """

    data: str
    method: Method
    backbone: Backbone
    augment: bool  # whether training images were augmented
    seed: int
    split: Split
    checkpoint: Which
    accuracy: float  # share of query images, 0..1
    accuracy_ci95: float  # half-width of the 95 % interval over tasks, a share
    loss: float  # mean query loss in nats; NaN or infinite where it diverged
    tasks: int  # 0 where unknown
    sharpness: float | None = None  # nats, may be negative; None where unknown, NaN where it diverged
    sharpness_ci95: float | None = None  # half-width of the 95 % interval over tasks, nats; None where unknown
    sharpness_tasks: int = 0  # 0 where unknown

    def __post_init__(self) -> None:
        """Check every value: tables and figures trust them."""
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise SpecError(f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}")
        if not self.data:
            raise SpecError("data must be the name of a data set, got nothing")
        for name in ("accuracy", "accuracy_ci95"):
            if not 0 <= getattr(self, name) <= 1:  # NaN is outside too
                raise SpecError(f"{name} must be a share from 0 to 1, not a percentage, got {getattr(self, name)}")
        if self.loss < 0:
            raise SpecError(f"loss must be at least 0, or nan where it diverged, got {self.loss}")
        for name in ("seed", "tasks", "sharpness_tasks"):
            if getattr(self, name) < 0:
                raise SpecError(f"{name} must be at least 0, got {getattr(self, name)}")
        self._check_sharpness()

    def _check_sharpness(self) -> None:
        if self.sharpness is not None and math.isinf(self.sharpness):
            raise SpecError(f"sharpness must be finite, or nan where it diverged, got {self.sharpness}")
        if self.sharpness is None and (self.sharpness_ci95 is not None or self.sharpness_tasks):
            raise SpecError("sharpness must be known where its interval or its number of tasks is")
        if self.sharpness_ci95 is not None and (self.sharpness_ci95 < 0 or math.isinf(self.sharpness_ci95)):
            raise SpecError(f"sharpness_ci95 must be at least 0 and finite, or nan, got {self.sharpness_ci95}")

    @property
    def cell(self) -> Cell:
        """Everything but the seed and the numbers."""
        return Cell(self.data, self.method, self.backbone, self.augment, self.split, self.checkpoint)


@dataclass(frozen=True)
class Curve:
    """Accuracy of one seed of a MAML run over its training, on one split.

    Raises:
        SpecError: there is no point, the lengths differ, or the steps do not ascend.
    """

    backbone: Backbone
    augment: bool
    seed: int
    split: Split
    steps: Sequence[int]  # updates done
    accuracy: Sequence[float]  # share of query images, 0..1; as many as steps

    def __post_init__(self) -> None:
        """Check that it can be drawn."""
        if not len(self.steps) or len(self.steps) != len(self.accuracy):
            raise SpecError(f"a curve needs as many accuracies as steps, got {len(self.accuracy)}, {len(self.steps)}")
        if any(later <= earlier for earlier, later in itertools.pairwise(self.steps)):
            raise SpecError("the steps of a curve must ascend")


COLUMNS = tuple(item.name for item in fields(Result) if item.default is MISSING)
OPTIONAL = tuple(item.name for item in fields(Result) if item.default is not MISSING)


def write_csv(path: Path, results: Iterable[Result]) -> None:
    """Write results, one per line, so that `read_csv` gives the same values back; whole or not at all."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(COLUMNS + OPTIONAL)
    lines.writerows([_written(getattr(result, name)) for name in COLUMNS + OPTIONAL] for result in results)
    files.write_text(path, text.getvalue())


def _written(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_csv(path: Path) -> list[Result]:
    """Read results that `write_csv`, or a person, wrote.

    The columns are those of `Result`, in any order; those of sharpness may be absent, or empty where it is
    unknown. Accuracies are shares; a diverged loss is `nan` or `inf`, a diverged sharpness `nan`.

    Raises:
        MissingError: there is no such file.
        SpecError: it is no table of results; the text names the line and what was expected there.
    """
    lines = csv.reader(io.StringIO(_text_of(path)), strict=True)
    results: list[Result] = []
    first: dict[tuple[Cell, int], int] = {}
    try:
        header = _checked_header(path, next(lines, []))
        for row in lines:
            result = _parsed(header, row)
            line = first.setdefault((result.cell, result.seed), lines.line_num)
            if line != lines.line_num:
                raise SpecError(f"a second result of seed {result.seed} of {result.cell}; the first is in line {line}")
            results.append(result)
    except (SpecError, csv.Error) as error:
        raise SpecError(f"{path} line {max(lines.line_num, 1)}: {error}") from None
    return results


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # spreadsheets write a byte-order mark
    except FileNotFoundError:
        raise MissingError(f"{path} is not there; name a CSV file of results") from None
    except (OSError, ValueError) as error:
        raise SpecError(f"{path} cannot be read as CSV in UTF-8: {error}") from error


def _checked_header(path: Path, header: list[str]) -> list[str]:
    if sorted(set(header) - set(OPTIONAL)) != sorted(COLUMNS) or len(set(header)) != len(header):
        got = ",".join(header) or "nothing"
        raise SpecError(f"the columns {','.join(COLUMNS)}, and any of {','.join(OPTIONAL)}, were expected, got {got}")
    return header


def _parsed(header: list[str], row: list[str]) -> Result:
    if len(row) != len(header):
        raise SpecError(f"{len(header)} values were expected, got {len(row)}")
    hints = typing.get_type_hints(Result)
    known = {name: text.strip() for name, text in zip(header, row, strict=True) if text.strip() or name not in OPTIONAL}
    return Result(**{name: _value(name, text, hints[name]) for name, text in known.items()})


def _value(name: str, text: str, hint: Any) -> Any:
    """One field; a text where any text, or one of some choices, is expected."""
    hint = float if hint == (float | None) else hint
    if hint is bool:
        if text not in ("true", "false"):
            raise SpecError(f"{name} must be true or false, got {text!r}")
        return text == "true"
    if hint not in (int, float):
        return text
    try:
        return hint(text)
    except ValueError:
        kind = "a whole number" if hint is int else "a number"
        raise SpecError(f"{name} must be {kind}, got {text!r}") from None


@dataclass(frozen=True)
class Summary:
    """The seeds of one cell taken together."""

    cell: Cell
    results: tuple[Result, ...]  # of each seed, in ascending order
    accuracy: float  # mean over seeds, a share
    accuracy_ci95: float  # mean of the seeds' half-widths over tasks: the "±" of the thesis's records
    accuracy_sd: float  # standard deviation over seeds (n - 1); NaN of one seed
    accuracy_t95: float  # half-width of the 95 % t-interval of the mean over seeds; NaN of one seed
    loss: float  # mean over seeds; NaN or infinite if one is
    sharpness: float | None  # mean over seeds, nats; None if one is unknown, NaN if one diverged
    sharpness_ci95: float | None  # mean of the seeds' half-widths over tasks: the "±" of the thesis's tables 7 and 8
    sharpness_sd: float | None  # standard deviation over seeds (n - 1); NaN of one seed

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, in ascending order."""
        return tuple(result.seed for result in self.results)


def over_seeds(results: Iterable[Result]) -> dict[Cell, Summary]:
    """Statistics over the seeds of each cell, in the order of data set, method, augmentation, backbone.

    The mean of the seeds' intervals says how finely each seed was measured. How far another seed may lie
    is said by the standard deviation and the t-interval, which treat the seeds as a sample (Student 1908).

    Raises:
        SpecError: a cell has one seed twice.
    """
    cells: dict[Cell, dict[int, Result]] = {}
    for result in results:
        seeds = cells.setdefault(result.cell, {})
        if result.seed in seeds:
            raise SpecError(f"there are two results of seed {result.seed} of {result.cell}; give one of them")
        seeds[result.seed] = result
    return {cell: _summary(cell, cells[cell]) for cell in sorted(cells, key=order)}


def nothing_there(what: str) -> MissingError:
    """The error of a table or a figure for which there is no result."""
    return MissingError(
        f"there are no {what}; make some with `raymaml train --seeds 5 6 7` or `raymaml matrix`, "
        "name a file with --from, or take the thesis's with --published"
    )


def no_sharpness(what: str) -> MissingError:
    """The error of a table or a figure of sharpness for which no result has one."""
    return MissingError(
        f"there is no sharpness of {what}; measure it with `raymaml sharpness --split base novel`, "
        "name a file of results with a sharpness column with --from, or take the thesis's with --published"
    )


def low_to_high(values: Iterable[int]) -> str:
    """Counts as a person would sum them up: 1,000, or 600 to 1,000."""
    low, high = f"{min(values := list(values)):,}", f"{max(values):,}"
    return low if low == high else f"{low} to {high}"


def order(cell: Cell) -> tuple[Any, ...]:
    """Sort key of cells: as in the thesis's tables, which go from the smallest backbone to the largest."""
    return (
        cell.data,
        METHODS.index(cell.method),
        cell.augment,
        BACKBONES.index(cell.backbone),
        SPLITS.index(cell.split),
        CHECKPOINTS.index(cell.checkpoint),
    )


def _summary(cell: Cell, seeds: dict[int, Result]) -> Summary:
    ordered = tuple(seeds[seed] for seed in sorted(seeds))
    accuracies = [result.accuracy for result in ordered]
    mean, sd = _mean(accuracies), _standard_deviation(accuracies)
    return Summary(
        cell=cell,
        results=ordered,
        accuracy=mean,
        accuracy_ci95=_mean([result.accuracy_ci95 for result in ordered]),
        accuracy_sd=sd,
        accuracy_t95=_t95(len(ordered)) * sd / math.sqrt(len(ordered)),
        loss=_mean([result.loss for result in ordered]),
        sharpness=_of_known(_mean, [result.sharpness for result in ordered]),
        sharpness_ci95=_of_known(_mean, [result.sharpness_ci95 for result in ordered]),
        sharpness_sd=_of_known(_standard_deviation, [result.sharpness for result in ordered]),
    )


def _of_known(statistic: Callable[[Sequence[float]], float], values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistic(known) if len(known) == len(values) else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _standard_deviation(values: Sequence[float]) -> float:
    if len(values) < 2:
        return math.nan
    mean = _mean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _t95(count: int) -> float:
    """Quantile 0.975 of Student's t with count - 1 degrees of freedom; NaN for none."""
    from scipy.special import stdtrit  # not scipy.stats, which takes seconds to load

    return float(stdtrit(count - 1, 0.975)) if count > 1 else math.nan
