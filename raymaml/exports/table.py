"""CSV: a row for each grid point, step and number of query images.

A value that is not computed is empty; one that diverged is `nan` or `inf`. Numbers have as many digits as it takes to
read the same ones back.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml import files
from raymaml.exports.means import Mean, Means

QUANTITIES = ("loss", "accuracy", "support_loss")
MEANS = (
    *("alpha", "beta", "step", "query"),
    *(f"{quantity}_{what}" for quantity in QUANTITIES for what in ("mean", "stderr")),
    *("tasks_done", "tasks"),
)
TASKS = ("task", "step", "query", "alpha", "beta", *QUANTITIES)


def write_means(path: Path, surfaces: Sequence[Means]) -> None:
    """Write means over tasks and their standard errors, with the columns MEANS; accuracies are shares from 0 to 1.

    A grid point of which not all tasks are computed has no mean; one task alone has no standard error.
    """
    _write(path, MEANS, (row for means in surfaces for row in _mean_rows(means)))


def write_tasks(path: Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write each task's values, with the columns TASKS.

    Args:
        path: of the file.
        arrays: with the names and axes of a store; see `landscape.store`.
    """
    _write(path, TASKS, _task_rows(arrays))


def _mean_rows(means: Means) -> Iterable[Sequence[Any]]:
    points = itertools.product(enumerate(means.alphas), enumerate(means.betas))
    for (a, alpha), (b, beta) in points:
        whole = bool(means.computed[a, b])
        numbers = [_numbers(means.of(name), (a, b), whole, means.tasks) for name in QUANTITIES]
        yield alpha, beta, means.step, means.query, *itertools.chain(*numbers), means.tasks_done[a, b], means.tasks


def _numbers(mean: Mean, at: tuple[int, int], whole: bool, tasks: int) -> tuple[Any, Any]:
    return mean.mean[at] if whole else "", mean.error[at] if whole and tasks > 1 else ""


def _task_rows(arrays: Mapping[str, npt.NDArray[Any]]) -> Iterable[Sequence[Any]]:
    loss, accuracy, support, done = (arrays[name] for name in (*QUANTITIES, "done"))
    axes = ("task", "step", "query", "alpha", "beta")
    for t, s, q, a, b in np.ndindex(loss.shape):
        values = (loss[t, s, q, a, b], accuracy[t, s, q, a, b], support[t, s, a, b])
        where = (arrays[axis][i] for axis, i in zip(axes, (t, s, q, a, b), strict=True))
        yield *where, *(values if done[t, a, b] else ("", "", ""))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    # str: of a NumPy float32 it is the shortest text that is still that float32.
    files.write_csv(path, columns, ([str(value) for value in row] for row in rows))
