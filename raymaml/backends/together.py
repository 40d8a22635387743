"""All tasks of a stack at once: folded into channels, or by torch's vmap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import grad_and_value, vmap
from torch.nn import functional as F

from raymaml.backends.base import HEAD_BIAS, HEAD_WEIGHT, gradients, leaves, losses
from raymaml.backends.looped import Plain
from raymaml.models.layers import ComputeLayer, Layer
from raymaml.models.memory import for_device
from raymaml.models.norm import EPS
from raymaml.params import Params


@dataclass(frozen=True)
class Grouped(Plain):
    """Tasks side by side in the channels: (image, task * channel, height, width), one group of filters for each.

    Normalisation then is that of each task by itself, and one backward pass of the summed losses gives every task's
    gradient.
    """

    name: str = "grouped"

    def runs(self, model: nn.Module, device: torch.device) -> bool:
        """For backbones that are a flow of layers and normalise by the batch."""
        return hasattr(model, "flow") and not any(True for _ in model.buffers())

    def logits(self, model: nn.Module, weights: Params, x: Tensor) -> Tensor:
        """See `Backend`."""
        with torch.no_grad():
            return _grouped(model, weights, x)

    def gradient(self, model: nn.Module, weights: Params, x: Tensor, y: Tensor) -> tuple[Tensor, Params]:
        """See `Backend`."""
        own = leaves(weights)
        logits = _grouped(model, own, x)
        return logits.detach(), gradients(losses(logits, y).sum(), own)


def _grouped(model: nn.Module, weights: Params, x: Tensor) -> Tensor:
    tasks, images = x.shape[:2]
    folded = x.transpose(0, 1).flatten(1, 2)
    found: Tensor = model.flow(for_device(folded), _grouped_layer(weights, tasks))  # type: ignore[operator]
    features = found.reshape(images, tasks, -1).transpose(0, 1)
    return torch.baddbmm(weights[HEAD_BIAS][:, None], features, weights[HEAD_WEIGHT].transpose(1, 2))


def _grouped_layer(weights: Mapping[str, Tensor], tasks: int) -> ComputeLayer:
    def flat(name: str) -> Tensor | None:
        return weights[name].flatten(0, 1) if name in weights else None

    def compute(x: Tensor, conv: str, norm: str, layer: Layer) -> Tensor:
        filters = weights[f"{conv}.weight"].flatten(0, 1)
        y = F.conv2d(x, filters, flat(f"{conv}.bias"), layer.stride, layer.padding, groups=tasks)
        y = F.batch_norm(y, None, None, flat(f"{norm}.weight"), flat(f"{norm}.bias"), training=True, eps=EPS)
        return _ended(y, layer)

    return compute


@dataclass(frozen=True)
class Vmap(Plain):
    """torch.func's vmap over the tasks: on CPUs slower than a loop, on some GPUs faster than groups."""

    name: str = "vmap"

    def runs(self, model: nn.Module, device: torch.device) -> bool:
        """For the same backbones as `Grouped`."""
        return Grouped().runs(model, device)

    def logits(self, model: nn.Module, weights: Params, x: Tensor) -> Tensor:
        """See `Backend`."""
        with torch.no_grad():
            found: Tensor = vmap(lambda w, images: _one(model, w, images))(weights, x)
        return found

    def gradient(self, model: nn.Module, weights: Params, x: Tensor, y: Tensor) -> tuple[Tensor, Params]:
        """See `Backend`."""

        def loss(own: Params, images: Tensor) -> tuple[Tensor, Tensor]:
            logits = _one(model, own, images)
            return F.cross_entropy(logits, y), logits

        grads, (_, logits) = vmap(grad_and_value(loss, has_aux=True))(weights, x)
        return logits.detach(), {name: g.detach() for name, g in grads.items()}


def _one(model: nn.Module, weights: Params, x: Tensor) -> Tensor:
    """The network of one task in plain layers: vmap knows no channels-last clone (torch 2.14)."""

    def compute(x: Tensor, conv: str, norm: str, layer: Layer) -> Tensor:
        y = F.conv2d(x, weights[f"{conv}.weight"], weights.get(f"{conv}.bias"), layer.stride, layer.padding)
        y = F.batch_norm(y, None, None, weights[f"{norm}.weight"], weights[f"{norm}.bias"], training=True, eps=EPS)
        return _ended(y, layer)

    found: Tensor = model.flow(x, compute)  # type: ignore[operator]
    return F.linear(found.flatten(1), weights[HEAD_WEIGHT], weights[HEAD_BIAS])


def _ended(y: Tensor, layer: Layer) -> Tensor:
    y = F.relu(y) if layer.relu else y
    return F.max_pool2d(y, layer.pool.side, layer.pool.stride, layer.pool.padding) if layer.pool else y
