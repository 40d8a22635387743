"""What every learner can do, so that training, evaluation and landscapes need not know which it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raymaml.models import apply
from raymaml.params import Params
from raymaml.tasks import Task, TaskSampler

Scorer = Callable[[int], tuple[float, float]]  # number of a task -> query loss (nats), accuracy (0..1)


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


@torch.no_grad()
def score(model: nn.Module, params: Mapping[str, Tensor], images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy (0..1) of one batch."""
    return score_logits(apply(model, params, images), labels)


def score_logits(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy (0..1) of logits (batch, outputs)."""
    return F.cross_entropy(logits, labels).item(), accuracy_of(logits, labels)


def accuracy_of(logits: Tensor, labels: Tensor) -> float:
    """Share (0..1) of rows whose largest logit is the label's; rows with NaN logits count as wrong."""
    right = (logits.argmax(1) == labels) & ~logits.isnan().any(1)
    return right.double().mean().item()
