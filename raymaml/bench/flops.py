"""Floating-point operations of a task evaluation: multiplications and additions of convolutions and the head.

Batch norm, ReLU, pooling, the loss and the update of the weights are left out, as everywhere in this field.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from raymaml import models
from raymaml.specs import ModelSpec


@dataclass(frozen=True)
class Flops:
    """Of one task evaluation with first-order adaptation."""

    needed: float  # a backward pass without the gradient of the images, which nobody needs
    passes: float  # a backward pass counted as two forward passes, as in performance notes of this field


def of_evaluation(spec: ModelSpec, *, support: int, query: int, steps: int) -> Flops:
    """Of `steps` full-batch steps on `support` images, and a forward pass of `query` images."""
    layers = _per_image(spec)
    forward = sum(layers)
    backward = 2 * forward - layers[0]
    return Flops(
        needed=steps * support * (forward + backward) + query * forward,
        passes=(3 * steps * support + query) * forward,
    )


def _per_image(spec: ModelSpec) -> list[float]:
    """Of a forward pass of one image, layer by layer."""
    model, found = models.build(spec), []

    def count(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        weight = layer.weight
        assert isinstance(weight, Tensor)
        found.append(2.0 * weight[0].numel() * out[0].numel())

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    model(torch.empty(1, spec.channels, spec.image_size, spec.image_size, device="meta"))
    return found
