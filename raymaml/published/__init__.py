"""Published numbers, to compare with: the thesis's records of each run, and what its Table 2 prints.

SOURCE.md beside the files says where every number comes from.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

from raymaml.results import Result

TASKS = 1_000  # of every recorded test (thesis section 4.2.1)


@dataclass(frozen=True)
class Printed:
    """An accuracy on novel 5-way 1-shot tasks as Table 2 of the thesis prints it."""

    accuracy: float  # a share, 0..1
    plus_minus: float  # a share; its caption calls it a standard deviation and a 95 % interval


Source = Literal["thesis", "chen"]
Setting = tuple[str, str, str, bool]  # data, method, backbone, augment


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
        )
        for row in _rows("runs.csv")
    ]


def table2(source: Source = "thesis") -> dict[Setting, Printed]:
    """The accuracies in Table 2 of the thesis: its own, or those it quotes from Chen et al. (2019)."""
    return {
        (row["data"], row["method"], row["backbone"], row["augment"] == "true"): Printed(
            _share(row["accuracy_pct"]), _share(row["plus_minus_pct"])
        )
        for row in _rows("table2.csv")
        if row["source"] == source
    }


def _rows(name: str) -> list[dict[str, Any]]:
    text = files(__name__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _share(percent: str) -> float:
    return float(percent) / 100
