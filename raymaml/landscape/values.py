"""What is computed for a box of cells, as arrays."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating[Any]]


class Values(NamedTuple):
    """The values of a block in the order in which a store keeps them."""

    loss: Array  # (task, step, query, alpha, beta) of the query set, nats
    accuracy: Array  # (task, step, query, alpha, beta) of the query set, 0..1
    support_loss: Array  # (task, step, alpha, beta) nats


def empty(shape: tuple[int, int, int], steps: int, queries: int, dtype: str) -> Values:
    """Room for the values of a block of shape (task, alpha, beta)."""
    tasks, *point = shape
    return Values(
        np.empty((tasks, steps, queries, *point), dtype),
        np.empty((tasks, steps, queries, *point), dtype),
        np.empty((tasks, steps, *point), dtype),
    )
