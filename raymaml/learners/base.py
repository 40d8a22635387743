"""What every learner can do, so that training, evaluation and landscapes need not know which it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raymaml.models import apply
from raymaml.params import Params
from raymaml.tasks import Task, TaskSampler

Scorer = Callable[[int], tuple[float, float]]  # number of a task -> query loss (nats), accuracy (0..1)
Predictor = Callable[[Tensor], Tensor]  # images, or features of them -> logits (image, output)
Batch = tuple[Tensor, Tensor]  # images, or features of them, class by class, with their labels


@dataclass(frozen=True)
class Trace:
    """What one task evaluation shows on its way: a value for each recorded number of inner steps."""

    loss: list[list[float]]  # (step, query) nats, of the first so many query images of each class
    accuracy: list[list[float]]  # (step, query) 0..1
    support_loss: list[float]  # (step,) nats


Tracer = Callable[[int], Trace]  # by number of the task


@dataclass(frozen=True)
class Gradient:
    """One share of the outer gradient, with the loss and accuracy it was taken at."""

    grads: Params  # of the trained weights
    loss: float
    accuracy: float  # 0..1


class Learner(Protocol):
    """A way to adapt to a task. Implementations are frozen values; weights come in and go out."""

    def adapt(self, model: nn.Module, params: Mapping[str, Tensor], task: Task, steps: int) -> Params:
        """The weights after `steps` inner steps on the task's support set; detached."""
        ...

    def evaluate(self, model: nn.Module, params: Mapping[str, Tensor], task: Task, steps: int) -> tuple[float, float]:
        """Query loss and accuracy (0..1) after `steps` inner steps from `params`: one task evaluation."""
        ...

    def scorer(self, model: nn.Module, params: Mapping[str, Tensor], sampler: TaskSampler, steps: int) -> Scorer:
        """The task evaluations of one set of weights, by number; work that tasks share is done once."""
        ...

    def trajectory(
        self, model: nn.Module, params: Mapping[str, Tensor], task: Task, steps: Sequence[int]
    ) -> Iterator[Params]:
        """The weights after each of the ascending numbers of inner steps, from one adaptation; detached."""
        ...

    def tracer(
        self,
        model: nn.Module,
        params: Mapping[str, Tensor],
        sampler: TaskSampler,
        steps: Sequence[int],
        queries: Sequence[int],
    ) -> Tracer:
        """As `scorer`, with a value for each of the ascending steps and each number of query images per class."""
        ...


class Objective(Protocol):
    """What an outer step descends: the sum or the mean of `pieces` gradients, in whatever order they come."""

    @property
    def pieces(self) -> int:
        """Gradients of one update; workers share them."""
        ...

    @property
    def mean(self) -> bool:
        """Whether they are averaged rather than summed."""
        ...

    def gradient(self, params: Params, step: int, piece: int) -> Gradient:
        """One piece of update number `step`; running statistics among `params` move in place."""
        ...


def score(model: nn.Module, params: Mapping[str, Tensor], images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy (0..1) of one batch."""
    return score_logits(predict(model, params, images), labels)


@torch.no_grad()
def predict(model: nn.Module, params: Mapping[str, Tensor], images: Tensor) -> Tensor:
    """Logits (image, output) of one batch."""
    return apply(model, params, images)


def trace(predictors: Iterable[Predictor], support: Batch, query: Batch, way: int, queries: Sequence[int]) -> Trace:
    """Score a support and a query set under each of the predictors.

    Each number of query images is a batch of its own, since batch norm sees the whole batch: the values are those
    of a task with so many query images, to the bit.
    """
    parts = [tuple(first_of_each(rows, way, count) for rows in query) for count in queries]
    found = Trace([], [], [])
    for predictor in predictors:
        scores = [score_logits(predictor(x), y) for x, y in parts]
        found.loss.append([loss for loss, _ in scores])
        found.accuracy.append([accuracy for _, accuracy in scores])
        found.support_loss.append(score_logits(predictor(support[0]), support[1])[0])
    return found


def first_of_each(rows: Tensor, way: int, count: int) -> Tensor:
    """The first `count` rows of each class, of rows (way * each, ...) that lie class by class."""
    return rows.view(way, -1, *rows.shape[1:])[:, :count].flatten(0, 1)


def score_logits(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy (0..1) of logits (batch, outputs)."""
    return F.cross_entropy(logits, labels).item(), accuracy_of(logits, labels)


def accuracy_of(logits: Tensor, labels: Tensor) -> float:
    """Share (0..1) of rows whose largest logit is the label's; rows with NaN logits count as wrong."""
    right = (logits.argmax(1) == labels) & ~logits.isnan().any(1)
    return right.double().mean().item()
