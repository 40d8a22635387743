"""Model-agnostic meta-learning (Finn, Abbeel and Levine 2017), first and second order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raymaml.backends import PLAIN, Execution
from raymaml.backends.base import accuracies, leaves, losses, stacked, unstacked
from raymaml.learners.base import Gradient, Scorer, Trace, Tracer, accuracy_of
from raymaml.learners.inner import Images, adapt_and_score, follow, score_stack
from raymaml.models import apply
from raymaml.params import Params
from raymaml.specs import MamlSpec
from raymaml.tasks import Task, TaskSampler


@dataclass(frozen=True)
class Maml:
    """Plain gradient descent on all weights, head and batch-norm affine included (recipe 2.1)."""

    spec: MamlSpec
    execution: Execution = PLAIN

    def adapt(self, model: nn.Module, params: Mapping[str, Tensor], task: Task, steps: int) -> Params:
        """The weights after `steps` full-batch steps on the support set, detached."""
        return next(self.trajectory(model, params, task, [steps]))

    def trajectory(
        self, model: nn.Module, params: Mapping[str, Tensor], task: Task, steps: Sequence[int]
    ) -> Iterator[Params]:
        """The weights after each of the ascending numbers of full-batch steps on the support set, detached."""
        for state in self._follow(model, stacked([params]), [task], steps):
            yield unstacked(state, 0)

    def _follow(
        self, model: nn.Module, weights: Params, tasks: Sequence[Task], steps: Sequence[int]
    ) -> Iterator[Params]:
        support, way = _images(tasks).support, _way(tasks)
        return follow(self.execution.backend, model, weights, support, way, self.spec.inner_lr, steps)

    def evaluate(self, model: nn.Module, params: Mapping[str, Tensor], task: Task, steps: int) -> tuple[float, float]:
        """Mean cross-entropy (nats) and accuracy (0..1) of the query set after `steps` inner steps."""
        [found] = self._evaluate(model, params, [task], steps)
        return found

    def _evaluate(
        self, model: nn.Module, params: Mapping[str, Tensor], tasks: Sequence[Task], steps: int
    ) -> list[tuple[float, float]]:
        [adapted] = self._follow(model, stacked([params] * len(tasks)), tasks, [steps])
        found = score_stack(self.execution.backend, model, adapted, _images(tasks).query, _way(tasks))
        return list(zip(*(values.tolist() for values in found), strict=True))

    def scorer(self, model: nn.Module, params: Mapping[str, Tensor], sampler: TaskSampler, steps: int) -> Scorer:
        """Evaluates tasks of the sampler, as many at once as the execution says."""

        def score_tasks(numbers: Sequence[int]) -> list[tuple[float, float]]:
            found: list[tuple[float, float]] = []
            for some in self._chunks(numbers):
                found += self._evaluate(model, params, [sampler.task(n) for n in some], steps)
            return found

        return score_tasks

    def tracer(self, model: nn.Module, sampler: TaskSampler, steps: Sequence[int], queries: Sequence[int]) -> Tracer:
        """Follows tasks of the sampler, each along one adaptation, as many at once as the execution says."""
        settings = (self.execution.backend, model, sampler.spec.way, self.spec.inner_lr, steps, queries)
        run = self.execution.backend.prepared(partial(adapt_and_score, *settings))

        def trace_tasks(starts: Sequence[Params], numbers: Sequence[int]) -> list[Trace]:
            found: list[Trace] = []
            for some in self._chunks(range(len(numbers))):
                weights = stacked([starts[i] for i in some])
                found += run(weights, _images([sampler.task(numbers[i]) for i in some])).traces()
            return found

        return trace_tasks

    def _chunks(self, items: Sequence[int]) -> Iterator[Sequence[int]]:
        each = self.execution.at_once
        return (items[i : i + each] for i in range(0, len(items), each))

    def task_gradients(self, model: nn.Module, params: Mapping[str, Tensor], tasks: Sequence[Task]) -> list[Gradient]:
        """Gradient of each task's query loss after `inner_steps` with respect to the initial weights.

        First order: the query gradient at the adapted weights (thesis eq. 5), since the inner gradients
        count as constants. Second order: the exact derivative through every inner step (eq. 4).
        """
        if self.spec.order == 2:
            return [self._through_all_steps(model, params, task) for task in tasks]
        found: list[Gradient] = []
        for some in self._chunks(range(len(tasks))):
            found += self._at_adapted(model, params, [tasks[i] for i in some])
        return found

    def _at_adapted(self, model: nn.Module, params: Mapping[str, Tensor], tasks: Sequence[Task]) -> list[Gradient]:
        [adapted] = self._follow(model, stacked([params] * len(tasks)), tasks, [self.spec.inner_steps])
        y = tasks[0].query_y
        logits, grads = self.execution.backend.gradient(model, adapted, _images(tasks).query, y)
        scores = zip(losses(logits, y).tolist(), accuracies(logits, y).tolist(), strict=True)
        return [Gradient(unstacked(grads, t), *score) for t, score in enumerate(scores)]

    def _through_all_steps(self, model: nn.Module, params: Mapping[str, Tensor], task: Task) -> Gradient:
        start = leaves(params)
        fast = start
        for _ in range(self.spec.inner_steps):
            loss = F.cross_entropy(apply(model, fast, task.support_x), task.support_y)
            grads = torch.autograd.grad(loss, list(fast.values()), create_graph=True)
            fast = {n: v - self.spec.inner_lr * g for (n, v), g in zip(fast.items(), grads, strict=True)}
        logits = apply(model, fast, task.query_x)
        loss = F.cross_entropy(logits, task.query_y)
        found = dict(zip(start, torch.autograd.grad(loss, list(start.values())), strict=True))
        return Gradient(found, loss.item(), accuracy_of(logits.detach(), task.query_y))


@dataclass(frozen=True)
class MetaObjective:
    """The adapted query losses of the base tasks step * meta_batch + 0, 1, ... (thesis eq. 4 and 5)."""

    learner: Maml
    model: nn.Module
    base: TaskSampler

    @property
    def pieces(self) -> int:
        """Tasks per update."""
        return self.learner.spec.meta_batch

    @property
    def mean(self) -> bool:
        """Whether the tasks' gradients are averaged rather than summed."""
        return self.learner.spec.outer_reduce == "mean"

    def gradients(self, params: Params, step: int, pieces: Sequence[int]) -> list[Gradient]:
        """The gradients of some tasks."""
        tasks = [self.base.task(step * self.pieces + piece) for piece in pieces]
        return self.learner.task_gradients(self.model, params, tasks)


def _images(tasks: Sequence[Task]) -> Images:
    if len(tasks) == 1:
        return Images(tasks[0].support_x[None], tasks[0].query_x[None])
    return Images(torch.stack([t.support_x for t in tasks]), torch.stack([t.query_x for t in tasks]))


def _way(tasks: Sequence[Task]) -> int:
    return int(tasks[0].support_y[-1]) + 1  # labels go class by class
