"""Query loss of the initialisation and after each of several inner steps: how far adapting brings a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raymaml.analysis import Floats, mean_and_interval
from raymaml.errors import MissingError, SpecError
from raymaml.specs import Backbone, Counts
from raymaml.tables.table import Cell, Column, Table


@dataclass(frozen=True)
class Adaptation:
    """The query losses of one seed at its unperturbed weights."""

    backbone: Backbone
    augment: bool
    seed: int
    steps: Counts
    loss: Floats  # (task, step) nats

    @property
    def means(self) -> list[float]:
        """Mean over tasks after each number of steps."""
        return [float(value) for value in self.loss.astype(np.float64).mean(axis=0)]


def adaptation_table(data: str, found: Sequence[Adaptation], way: int = 5) -> Table:
    """Mean query loss before and after inner steps, a row for each seed of each run.

    Args:
        data: name of the data set.
        found: all recorded after the same numbers of steps.
        way: classes per task; guessing costs ln(way) nats.

    Raises:
        MissingError: there is none.
        SpecError: the numbers of steps differ.
    """
    if not found:
        raise MissingError("there is no surface recorded after several steps")
    if len({one.steps for one in found}) > 1:
        raise SpecError("a table of adaptation needs the same inner steps in every row")
    steps = found[0].steps
    intervals = [mean_and_interval(one.loss[:, 0].astype(np.float64))[1] for one in found]
    rows = tuple(
        (one.backbone, "yes" if one.augment else "no", one.seed, *_cells(one.means, half))
        for one, half in zip(found, intervals, strict=True)
    )
    return Table(
        title=f"Query loss (nats) of MAML on novel {way}-way tasks: {data}",
        columns=(
            Column("backbone", words=True),
            Column("aug", words=True),
            Column("seed"),
            Column(f"{steps[0]} steps"),
            Column("±"),
            *(Column(f"{step} step{'s' * (step != 1)}") for step in steps[1:]),
        ),
        rows=rows,
        notes=(
            f"mean over {len(found[0].loss)} tasks at the unperturbed weights of the best checkpoint; ±: half-width of "
            f"the 95 % interval of the first column. Guessing costs ln {way} = {math.log(way):.3f}.",
        ),
        groups=2,
    )


def _cells(means: Sequence[float], half: float) -> list[Cell]:
    return [means[0], half, *means[1:]]
