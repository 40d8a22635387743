"""What every learner can do, so that training, evaluation and landscapes need not know which it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raymaml.models import apply
from raymaml.params import Params
from raymaml.tasks import Task


@dataclass(frozen=True)
class TaskGradient:
    """One task's share of the outer gradient, with the query loss and accuracy it was taken at."""

    grads: Params
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

    def task_gradient(self, model: nn.Module, params: Mapping[str, Tensor], task: Task) -> TaskGradient:
        """Gradient of the task's adapted query loss with respect to the initial weights."""
        ...


@torch.no_grad()
def score(model: nn.Module, params: Mapping[str, Tensor], images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and accuracy (0..1) of one batch, normalised by its own statistics."""
    logits = apply(model, params, images)
    loss = F.cross_entropy(logits, labels)
    return loss.item(), accuracy_of(logits, labels)


def accuracy_of(logits: Tensor, labels: Tensor) -> float:
    """Share (0..1) of rows whose largest logit is the label's; rows with NaN logits count as wrong."""
    right = (logits.argmax(1) == labels) & ~logits.isnan().any(1)
    return right.double().mean().item()
