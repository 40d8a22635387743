"""Which part of a stored surface is exported, as arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml.exports.means import Means, mean_of
from raymaml.landscape.store import DIMENSIONS, SurfaceStore, index_of
from raymaml.verbs.views import task_count


@dataclass(frozen=True)
class Chosen:
    """What is exported of one store, read from disk once: a chunk holds all steps and query numbers."""

    store: SurfaceStore
    steps: tuple[int, ...]  # indices
    queries: tuple[int, ...]  # indices
    tasks: int
    asked: str  # for the names of files

    @classmethod
    def of(cls, store: SurfaceStore, step: int | None, query: int | None, tasks: int | None) -> Chosen:
        """All that was recorded, or one number of steps or query images, and the first so many tasks.

        Raises:
            MissingError: the step or the number of query images was not recorded.
            SpecError: more tasks than are stored.
        """
        spec = store.spec
        at_step, at_query = index_of(spec.steps, step, "steps"), index_of(spec.queries, query, "query images")
        words = {"steps": step, "queries": query, "tasks": tasks}
        return cls(
            store,
            tuple(range(len(spec.steps))) if step is None else (at_step,),
            tuple(range(len(spec.queries))) if query is None else (at_query,),
            task_count(store, tasks),
            "".join(f"-{count}{what}" for what, count in words.items() if count is not None),
        )

    @cached_property
    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        """The arrays of the store and its coordinates under their names, cut to what was chosen."""
        spec = self.store.spec
        taken = {"task": tuple(range(self.tasks)), "step": self.steps, "query": self.queries}
        found: dict[str, npt.NDArray[Any]] = {}
        for name, axes in DIMENSIONS.items():
            values = self.store.read(name)
            for number, axis in enumerate(axes):
                if axis in taken:
                    values = values.take(taken[axis], axis=number)
            found[name] = values
        coordinates: dict[str, Sequence[float]] = {
            "task": spec.task_numbers[: self.tasks],
            "step": [spec.steps[i] for i in self.steps],
            "query": [spec.queries[i] for i in self.queries],
            "alpha": spec.grid.coordinates(spec.grid.alphas),
            "beta": spec.grid.coordinates(spec.grid.betas),
        }
        return found | {name: np.array(values) for name, values in coordinates.items()}

    @property
    def done(self) -> npt.NDArray[np.bool_]:
        """(task, alpha, beta) whether each cell is computed."""
        return self.arrays["done"].astype(np.bool_)

    @property
    def unfinished(self) -> str:
        """How much is computed, in words; nothing if all is."""
        share = float(self.done.mean())
        return "" if share == 1 else f"{math.floor(100 * share)} %"

    def means(self) -> Iterator[Means]:
        """The means over tasks, by query number and then by step; the last has the most of both."""
        for query in range(len(self.queries)):
            for step in range(len(self.steps)):
                yield self.means_at(step, query)

    def means_at(self, step: int = -1, query: int = -1) -> Means:
        """The means over tasks at positions among the chosen steps and query numbers; by default the last."""
        a, done = self.arrays, self.done
        return Means(
            a["alpha"],
            a["beta"],
            loss=mean_of(a["loss"][:, step, query], done),
            accuracy=mean_of(a["accuracy"][:, step, query], done),
            support_loss=mean_of(a["support_loss"][:, step], done),
            tasks_done=done.sum(axis=0),
            tasks=self.tasks,
            step=int(a["step"][step]),
            query=int(a["query"][query]),
        )
