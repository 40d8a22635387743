"""What every learner can do, so that training, evaluation and landscapes need not know which it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn
from torch.nn import functional as F

from raymaml.backends import Execution
from raymaml.backends.base import accuracies
from raymaml.params import Params
from raymaml.tasks import Task, TaskSampler

Scorer = Callable[[Sequence[int]], list[tuple[float, float]]]  # numbers of tasks -> query losses (nats), accuracies
Predictor = Callable[[Tensor], Tensor]  # images, or features of them -> logits (image, output)
Batch = tuple[Tensor, Tensor]  # images, or features of them, class by class, with their labels


@dataclass(frozen=True)
class Trace:
    """What one task evaluation shows on its way: a value for each recorded number of inner steps."""

    loss: list[list[float]]  # (step, query) nats, of the first so many query images of each class
    accuracy: list[list[float]]  # (step, query) 0..1
    support_loss: list[float]  # (step,) nats


Tracer = Callable[[Sequence[Params], Sequence[int]], list[Trace]]  # initial weights and number of each task


@dataclass(frozen=True)
class Gradient:
    """One share of the outer gradient, with the loss and accuracy it was taken at."""

    grads: Params  # of the trained weights
    loss: float
    accuracy: float  # 0..1


class Learner(Protocol):
    """A way to adapt to a task. Implementations are frozen values; weights come in and go out."""

    @property
    def execution(self) -> Execution:
        """How its numbers are computed."""
        ...

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

    def tracer(self, model: nn.Module, sampler: TaskSampler, steps: Sequence[int], queries: Sequence[int]) -> Tracer:
        """Task evaluations with a value for each of the ascending steps and each number of query images per class.

        Tasks that start from the same weights, the same object, share what they can.
        """
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

    def gradients(self, params: Params, step: int, pieces: Sequence[int]) -> list[Gradient]:
        """Some pieces of update number `step`; running statistics among `params` move in place."""
        ...


def trace(predictors: Iterable[Predictor], support: Batch, query: Batch, way: int, queries: Sequence[int]) -> Trace:
    """Score a support and a query set under each of the predictors.

    Each number of query images is a batch of its own, since batch norm sees the whole batch: the values are those
    of a task with so many query images, to the bit.
    """
    parts = [tuple(first_of_each(rows[None], way, count)[0] for rows in query) for count in queries]
    found = Trace([], [], [])
    for predictor in predictors:
        scores = [score_logits(predictor(x), y) for x, y in parts]
        found.loss.append([loss for loss, _ in scores])
        found.accuracy.append([accuracy for _, accuracy in scores])
        found.support_loss.append(score_logits(predictor(support[0]), support[1])[0])
    return found


def first_of_each(x: Tensor, way: int, count: int) -> Tensor:
    """The first `count` rows of each class, of rows (task, way * each, ...) that lie class by class."""
    return x.view(len(x), way, -1, *x.shape[2:])[:, :, :count].flatten(1, 2)


def score_logits(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy (0..1) of logits (batch, outputs)."""
    return F.cross_entropy(logits, labels).item(), accuracy_of(logits, labels)


def accuracy_of(logits: Tensor, labels: Tensor) -> float:
    """Share (0..1) of rows whose largest logit is the label's; rows with NaN logits count as wrong."""
    return accuracies(logits[None], labels).item()
