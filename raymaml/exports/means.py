"""What the files that hold one surface are made of: means over tasks and their standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from raymaml.analysis import Bools, Float64s, Floats, mean_over_tasks
from raymaml.spread import standard_error


class Mean(NamedTuple):
    """A mean over tasks at each grid point, and its standard error, s / sqrt(n) with ddof 1; both (alpha, beta).

    Both are NaN unless every task there is done; the error is NaN for one task too.
    """

    mean: Float64s
    error: Float64s


@dataclass(frozen=True)
class Means:
    """A surface after one number of inner steps, of one number of query images per class."""

    alphas: Float64s  # (alpha,) ascending
    betas: Float64s  # (beta,) ascending
    loss: Mean  # of the query sets, nats
    accuracy: Mean  # of the query sets, 0..1
    support_loss: Mean  # nats
    tasks_done: npt.NDArray[np.int64]  # (alpha, beta) how many tasks are computed
    tasks: int  # how many there are
    step: int
    query: int

    @property
    def computed(self) -> Bools:
        """(alpha, beta) whether all tasks are computed."""
        return np.asarray(self.tasks_done == self.tasks)

    def of(self, quantity: str) -> Mean:
        """The mean of `loss`, `accuracy` or `support_loss`."""
        found: Any = getattr(self, quantity)
        assert isinstance(found, Mean), quantity
        return found


def mean_of(values: Floats, done: Bools) -> Mean:
    """The mean of (task, alpha, beta) values; see `Mean`. A diverged task makes its cell NaN or infinite.

    Raises:
        SpecError: the shapes differ, or there is no task.
    """
    return Mean(mean_over_tasks(values, done), standard_error(values, done))
