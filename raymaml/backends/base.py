"""What every back end can do: run one backbone under different weights for each of several tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raymaml.params import Params

Function = TypeVar("Function", bound=Callable[..., Any])
HEAD_WEIGHT, HEAD_BIAS = "head.weight", "head.bias"


class Backend(Protocol):
    """A way to compute, none of which changes a value but for rounding.

    A stack holds one thing for each of several tasks along a new first axis: weights (task, ...) by name, images
    (task, image, channel, height, width), labels (image,) that all tasks share.
    """

    @property
    def name(self) -> str:
        """By which it is chosen and recorded."""
        ...

    def runs(self, model: nn.Module, device: torch.device) -> bool:
        """Whether it can compute this backbone there."""
        ...

    def logits(self, model: nn.Module, weights: Params, x: Tensor) -> Tensor:
        """Logits (task, image, output) of a stack of images under a stack of weights; no gradient."""
        ...

    def gradient(self, model: nn.Module, weights: Params, x: Tensor, y: Tensor) -> tuple[Tensor, Params]:
        """Logits (task, image, output), and for each task the gradient of its mean cross-entropy, a stack."""
        ...

    def descended(self, model: nn.Module, weights: Params, x: Tensor, y: Tensor, lr: float, steps: int) -> Params:
        """The stack after so many gradient steps of each task on its images; no graph outlives a step."""
        ...

    def features(self, model: nn.Module, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """What the head is given, (image, feature), of one set of images under one set of weights; no gradient."""
        ...

    def prepared(self, function: Function) -> Function:
        """The function, or a faster one of the same value; it takes and gives tensors, and their shapes are fixed."""
        ...


def stacked(several: Sequence[Mapping[str, Tensor]]) -> Params:
    """The stack of several sets of weights; of one set a view."""
    if len(several) == 1:
        return {name: value.detach()[None] for name, value in several[0].items()}
    return {name: torch.stack([one[name].detach() for one in several]) for name in several[0]}


def unstacked(stack: Mapping[str, Tensor], task: int) -> Params:
    """The weights of one task, as views."""
    return {name: value[task] for name, value in stack.items()}


def leaves(weights: Mapping[str, Tensor]) -> Params:
    """The same values as the start of a graph."""
    return {name: value.detach().requires_grad_() for name, value in weights.items()}


def losses(logits: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy (task,), nats, of logits (task, image, output) under labels (image,)."""
    tasks, images, _ = logits.shape
    return F.cross_entropy(logits.flatten(0, 1), y.repeat(tasks), reduction="none").view(tasks, images).mean(1)


def accuracies(logits: Tensor, y: Tensor) -> Tensor:
    """Share (task,), 0..1, float64, of images whose largest logit is the label's; NaN logits count as wrong."""
    right = (logits.argmax(2) == y) & ~logits.isnan().any(2)
    return right.double().mean(1)


def gradients(loss: Tensor, weights: Mapping[str, Tensor]) -> Params:
    """The derivative with respect to each of the weights; zero for one that has no part in the loss."""
    found = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    return {n: torch.zeros_like(w) if g is None else g for (n, w), g in zip(weights.items(), found, strict=True)}
