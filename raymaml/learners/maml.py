"""Model-agnostic meta-learning (Finn, Abbeel and Levine 2017), first and second order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raymaml.learners.base import Gradient, Scorer, Trace, Tracer, accuracy_of, predict, score, trace
from raymaml.models import apply
from raymaml.params import Params
from raymaml.specs import MamlSpec
from raymaml.tasks import Task, TaskSampler


@dataclass(frozen=True)
class Maml:
    """Plain gradient descent on all weights, head and batch-norm affine included (recipe 2.1)."""

    spec: MamlSpec

    def adapt(self, model: nn.Module, params: Mapping[str, Tensor], task: Task, steps: int) -> Params:
        """The weights after `steps` full-batch steps on the support set, detached."""
        return next(self.trajectory(model, params, task, [steps]))

    def trajectory(
        self, model: nn.Module, params: Mapping[str, Tensor], task: Task, steps: Sequence[int]
    ) -> Iterator[Params]:
        """The weights after each of the ascending numbers of full-batch steps on the support set, detached.

        No graph outlives a step, so memory does not grow with `steps`.
        """
        fast, at = {name: value.detach() for name, value in params.items()}, 0
        for count in steps:
            for _ in range(at, count):
                leaves = _leaves(fast)
                grads = self._support_gradient(model, leaves, task, create_graph=False)
                fast = {n: v.detach() - self.spec.inner_lr * g for (n, v), g in zip(leaves.items(), grads, strict=True)}
            at = count
            yield fast

    def evaluate(self, model: nn.Module, params: Mapping[str, Tensor], task: Task, steps: int) -> tuple[float, float]:
        """Mean cross-entropy (nats) and accuracy (0..1) of the query set after `steps` inner steps."""
        return score(model, self.adapt(model, params, task, steps), task.query_x, task.query_y)

    def scorer(self, model: nn.Module, params: Mapping[str, Tensor], sampler: TaskSampler, steps: int) -> Scorer:
        """Evaluates tasks of the sampler one by one: adaptation shares nothing between tasks."""
        return lambda number: self.evaluate(model, params, sampler.task(number), steps)

    def tracer(
        self,
        model: nn.Module,
        params: Mapping[str, Tensor],
        sampler: TaskSampler,
        steps: Sequence[int],
        queries: Sequence[int],
    ) -> Tracer:
        """Follows the tasks of the sampler one by one, each along one adaptation."""

        def trace_task(number: int) -> Trace:
            task = sampler.task(number)
            states = self.trajectory(model, params, task, steps)
            support, query = (task.support_x, task.support_y), (task.query_x, task.query_y)
            return trace((partial(predict, model, s) for s in states), support, query, sampler.spec.way, queries)

        return trace_task

    def task_gradient(self, model: nn.Module, params: Mapping[str, Tensor], task: Task) -> Gradient:
        """Gradient of the query loss after `inner_steps` with respect to the initial weights.

        First order: the query gradient at the adapted weights (thesis eq. 5), since the inner gradients
        count as constants. Second order: the exact derivative through every inner step (eq. 4).
        """
        if self.spec.order == 1:
            start = _leaves(self.adapt(model, params, task, self.spec.inner_steps))
            adapted: Mapping[str, Tensor] = start
        else:
            start = _leaves(params)
            adapted = self._adapt_with_graph(model, start, task)
        logits = apply(model, adapted, task.query_x)
        loss = F.cross_entropy(logits, task.query_y)
        grads = torch.autograd.grad(loss, list(start.values()))
        return Gradient(dict(zip(start, grads, strict=True)), loss.item(), accuracy_of(logits.detach(), task.query_y))

    def _adapt_with_graph(self, model: nn.Module, start: Params, task: Task) -> Params:
        fast = start
        for _ in range(self.spec.inner_steps):
            grads = self._support_gradient(model, fast, task, create_graph=True)
            fast = {n: v - self.spec.inner_lr * g for (n, v), g in zip(fast.items(), grads, strict=True)}
        return fast

    def _support_gradient(
        self, model: nn.Module, params: Params, task: Task, *, create_graph: bool
    ) -> tuple[Tensor, ...]:
        loss = F.cross_entropy(apply(model, params, task.support_x), task.support_y)
        return torch.autograd.grad(loss, list(params.values()), create_graph=create_graph)


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

    def gradient(self, params: Params, step: int, piece: int) -> Gradient:
        """The gradient of one task."""
        return self.learner.task_gradient(self.model, params, self.base.task(step * self.pieces + piece))


def _leaves(params: Mapping[str, Tensor]) -> Params:
    return {name: value.detach().requires_grad_() for name, value in params.items()}
