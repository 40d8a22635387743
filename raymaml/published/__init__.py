"""Published numbers, to compare with: the thesis's records of each run, and what its tables print.

SOURCE.md beside the files says where every number comes from.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from raymaml.results import Result

TASKS = 1_000  # of every recorded test (thesis section 4.2.1)
SHARPNESS_TASKS = 100  # of every recorded sharpness: its code; section 4.4 says 150, which its intervals do not fit


@dataclass(frozen=True)
class Printed:
    """An accuracy on novel 5-way 1-shot tasks as Table 2 of the thesis prints it."""

    accuracy: float  # a share, 0..1
    plus_minus: float  # a share; its caption calls it a standard deviation and a 95 % interval


@dataclass(frozen=True)
class PrintedCorrelation:
    """A cell of Table 3 or 4 of the thesis."""

    r: float  # Pearson's, cut to two digits
    p: float  # two-sided, one digit


@dataclass(frozen=True)
class PrintedSharpness:
    """A cell of Table 7 or 8 of the thesis."""

    mean: float  # over seeds, nats
    plus_minus: float  # nats: mean over seeds of the half-width of the 95 % interval over tasks


Source = Literal["thesis", "chen"]
Setting = tuple[str, str, str, bool]  # data, method, backbone, augment
Pair = tuple[str, str, str, str]  # data, split and quantity (sharpness, loss) of x, split of the accuracy
SharpnessSetting = tuple[str, str, str, bool]  # data, split, backbone, augment


def runs() -> list[Result]:
    """The records of the thesis's 96 runs (Ding 2023): best and last checkpoints on base and novel tasks."""
    return [
        Result(
            data=row["dataset"],
            method=row["method"],
            backbone=row["backbone"],
            augment=row["augment"] == "true",
            seed=int(row["seed"]),
            split=row["split"],
            checkpoint=row["checkpoint"],
            accuracy=_share(row["accuracy_pct"]),
            accuracy_ci95=_share(row["accuracy_ci95_pct"]),
            loss=float(row["query_loss"]),
            tasks=TASKS,
            **_sharpness(row),
        )
        for row in _rows("runs.csv")
    ]


def _sharpness(row: dict[str, str]) -> dict[str, Any]:
    """The three values of a best MAML checkpoint, none of others."""
    if not row["sharpness_rho0.05"]:
        return {}
    return {
        "sharpness": float(row["sharpness_rho0.05"]),
        "sharpness_ci95": float(row["sharpness_ci95"]),
        "sharpness_tasks": SHARPNESS_TASKS,
    }


def table2(source: Source = "thesis") -> dict[Setting, Printed]:
    """The accuracies in Table 2 of the thesis: its own, or those it quotes from Chen et al. (2019)."""
    return {
        (row["data"], row["method"], row["backbone"], row["augment"] == "true"): Printed(
            _share(row["accuracy_pct"]), _share(row["plus_minus_pct"])
        )
        for row in _rows("table2.csv")
        if row["source"] == source
    }


def correlations(number: Literal[3, 4]) -> dict[Pair, PrintedCorrelation]:
    """The cells of Table 3 (all runs) or 4 (augmented runs), but for those that say N/A."""
    return {
        (row["data"], row["split"], row["quantity"], row["accuracy_split"]): PrintedCorrelation(
            float(row["r"]), float(row["p"])
        )
        for row in _rows(f"table{number}.csv")
    }


def sharpness() -> dict[SharpnessSetting, PrintedSharpness]:
    """The cells of Tables 7 (miniImageNet) and 8 (CUB), whose "Train" and "Test" are base and novel."""
    return {
        (row["data"], row["split"], row["backbone"], row["augment"] == "true"): PrintedSharpness(
            float(row["sharpness_tenths"]) / 10, float(row["plus_minus_tenths"]) / 10
        )
        for number in (7, 8)
        for row in _rows(f"table{number}.csv")
    }


def _rows(name: str) -> list[dict[str, Any]]:
    text = files(__name__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _share(percent: str) -> float:
    return float(percent) / 100
