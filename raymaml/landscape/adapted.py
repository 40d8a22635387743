"""Weights adapted once to each task, and both sets of the task scored under perturbations of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn import functional as F

from raymaml.backends.base import HEAD_BIAS, HEAD_WEIGHT, accuracies, losses, stacked
from raymaml.learners.base import Batch, Learner, Trace, first_of_each
from raymaml.params import Params
from raymaml.specs import Counts
from raymaml.tasks import KEPT_BYTES, Task, TaskSampler


@dataclass(frozen=True)
class State:
    """A task after a number of inner steps: the weights, and what to score."""

    params: Params
    support: Batch
    queries: list[Batch]  # the first so many query images of each class

    @property
    def bytes(self) -> int:
        """Memory that it takes."""
        sets = (self.support, *self.queries)
        return sum(t.nbytes for t in (*self.params.values(), *(x for x, _ in sets)))


@dataclass
class AdaptedTasks:
    """The states of tasks by number; those of tasks that come again are kept, up to KEPT_BYTES.

    Where the head alone is perturbed no point changes a feature: states then hold features instead of images, so that
    they are computed once for the whole grid.
    """

    model: nn.Module
    learner: Learner
    centre: Params
    sampler: TaskSampler
    steps: Counts
    queries: Counts
    head_alone: bool
    keep: bool
    kept: dict[int, list[State]] = field(default_factory=dict, init=False)
    room: int = field(default=KEPT_BYTES, init=False)

    def states(self, number: int) -> Iterable[State]:
        """The task after each of the numbers of steps."""
        if number in self.kept:
            return self.kept[number]
        found = self._adapt(self.sampler.task(number))
        if not self.keep:
            return found
        states = list(found)
        size = sum(state.bytes for state in states)
        if size <= self.room:
            self.room -= size
            self.kept[number] = states
        return states

    def _adapt(self, task: Task) -> Iterable[State]:
        sets = [(task.support_x, task.support_y), *(self._first(task, count) for count in self.queries)]
        for params in self.learner.trajectory(self.model, self.centre, task, self.steps):
            support, *queries = [(self._features(params, x), y) for x, y in sets] if self.head_alone else sets
            head = {name: params[name] for name in (HEAD_WEIGHT, HEAD_BIAS)}
            yield State(head if self.head_alone else params, support, queries)

    def _first(self, task: Task, count: int) -> Batch:
        x, y = (first_of_each(rows[None], self.sampler.spec.way, count)[0] for rows in (task.query_x, task.query_y))
        return x, y

    def _features(self, params: Params, x: Tensor) -> Tensor:
        return self.learner.execution.backend.features(self.model, params, x)

    def trace(self, state: State, weights: Params) -> Trace:
        """Score both sets of a state under perturbed weights, the head alone if the state holds features."""
        logits = [self._logits(weights, x) for x, _ in (*state.queries, state.support)]
        labels = [y for _, y in (*state.queries, state.support)]
        loss = [losses(row, y).item() for row, y in zip(logits, labels, strict=True)]
        accuracy = [accuracies(row, y).item() for row, y in zip(logits[:-1], labels, strict=False)]
        return Trace([loss[:-1]], [accuracy], [loss[-1]])

    def _logits(self, weights: Params, x: Tensor) -> Tensor:
        if self.head_alone:
            return F.linear(x, weights[HEAD_WEIGHT], weights[HEAD_BIAS])[None]
        return self.learner.execution.backend.logits(self.model, stacked([weights]), x[None])
