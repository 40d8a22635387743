"""Tables 5 and 6 of the thesis: the hyperparameters that it prints, beside those of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from raymaml.errors import MissingError, SpecError
from raymaml.specs import LearnerSpec, MamlSpec, TrainSpec, TransferSpec
from raymaml.tables.table import Cell, Column, Table

Row = tuple[str, Cell, Callable[[TrainSpec], Cell]]  # name, in the thesis, of a run


def _of_maml(name: str) -> Callable[[TrainSpec], Cell]:
    return lambda spec: _value(spec.learner, MamlSpec, name)


def _of_transfer(name: str) -> Callable[[TrainSpec], Cell]:
    return lambda spec: _value(spec.learner, TransferSpec, name)


def _value(learner: LearnerSpec, kind: type[LearnerSpec], name: str) -> Cell:
    if not isinstance(learner, kind):
        raise SpecError(f"table 5 is of MAML and table 6 of transfer learning, got a run of {learner.kind}")
    value: Cell = getattr(learner, name)
    return value


ROWS: dict[int, tuple[Row, ...]] = {
    5: (
        ("inner-loop learning rate (alpha)", 0.01, _of_maml("inner_lr")),
        ("outer-loop learning rate (beta)", 0.001, lambda spec: spec.outer_lr),
        ("inner steps in training", 5, _of_maml("inner_steps")),
        ("inner steps in tests", 10, lambda spec: spec.test_steps),
        ("outer optimiser", "Adam", lambda spec: "Adam"),
        ("tasks per update (meta-batch)", 4, _of_maml("meta_batch")),
        ("updates", None, lambda spec: spec.updates),
    ),
    6: (
        ("training learning rate", 0.001, lambda spec: spec.outer_lr),
        ("training optimiser", "Adam", lambda spec: "Adam"),
        ("training batch", 128, _of_transfer("batch")),
        ("head updates on a task", 10, lambda spec: spec.test_steps),
        ("head optimiser", "SGD", lambda spec: "SGD"),
        ("head momentum", 0.9, _of_transfer("head_momentum")),
        ("head dampening", 0.9, _of_transfer("head_dampening")),
        ("head weight decay", 0.001, _of_transfer("head_weight_decay")),
        ("head learning rate", 0.01, _of_transfer("head_lr")),
        ("head batch", 4, _of_transfer("head_batch")),
        ("updates", None, lambda spec: spec.updates),
    ),
}
TITLES = {5: "Hyperparameters of MAML", 6: "Hyperparameters of transfer learning"}


def settings_table(number: int, specs: Sequence[TrainSpec]) -> Table:
    """What the thesis prints as Table 5 or 6, and what the runs were trained with; values that differ are listed.

    Args:
        number: 5, MAML; 6, transfer learning.
        specs: of runs of that method.

    Raises:
        SpecError: another number, or a run of the other method.
        MissingError: there is no run.
    """
    if number not in ROWS:
        raise SpecError(f"the table of hyperparameters must be one of {', '.join(map(str, ROWS))}, got {number}")
    if not specs:
        raise MissingError("there is no run whose hyperparameters could be shown; train one: raymaml train --seeds 5")
    rows = tuple((name, _text(thesis), _text(*(of(spec) for spec in specs))) for name, thesis, of in ROWS[number])
    return Table(
        title=f"{TITLES[number]}: {', '.join(sorted({spec.data for spec in specs}))}",
        columns=(Column("hyperparameter", words=True), Column("thesis"), Column("here")),
        rows=rows,
        notes=(
            f"thesis: as printed in Table {number} of Ding (2023). Its text gives 60,000 updates for either method.",
        ),
    )


def _text(*values: Cell) -> Cell:
    """One cell for all runs: numbers as they are written in a specification, not rounded."""
    if values == (None,):
        return None
    return ", ".join(dict.fromkeys(f"{v:,}" if isinstance(v, int) else str(v) for v in values))
