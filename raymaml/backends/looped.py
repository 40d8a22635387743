"""One task after the other: the layers as they stand, or fused ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raymaml import models
from raymaml.backends.base import HEAD_BIAS, HEAD_WEIGHT, Function, gradients, leaves, unstacked
from raymaml.backends.chain import descended_of_chain, gradient_of_chain
from raymaml.models import fused
from raymaml.models.layers import ComputeLayer, Layer
from raymaml.models.memory import for_device
from raymaml.params import Params


@dataclass(frozen=True)
class Plain:
    """Autograd over the network as it is defined: for any network, on any device, differentiable to any order."""

    name: str = "plain"

    def runs(self, model: nn.Module, device: torch.device) -> bool:
        """Always."""
        return True

    def logits(self, model: nn.Module, weights: Params, x: Tensor) -> Tensor:
        """See `Backend`."""
        with torch.no_grad():
            return _stack([self._run(model, unstacked(weights, t), x[t]) for t in range(len(x))])

    def gradient(self, model: nn.Module, weights: Params, x: Tensor, y: Tensor) -> tuple[Tensor, Params]:
        """See `Backend`."""
        rows, grads = [], []
        for t in range(len(x)):
            own = leaves(unstacked(weights, t))
            logits = self._run(model, own, x[t])
            grads.append(gradients(F.cross_entropy(logits, y), own))
            rows.append(logits.detach())
        return _stack(rows), {name: _stack([g[name] for g in grads]) for name in grads[0]}

    def descended(self, model: nn.Module, weights: Params, x: Tensor, y: Tensor, lr: float, steps: int) -> Params:
        """See `Backend`."""
        for _ in range(steps):
            _, grads = self.gradient(model, weights, x, y)
            weights = {name: torch.add(value, grads[name], alpha=-lr) for name, value in weights.items()}
        return weights

    def features(self, model: nn.Module, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """See `Backend`."""
        with torch.no_grad():
            return self._features(model, params, x)

    def prepared(self, function: Function) -> Function:
        """The function itself."""
        return function

    def _run(self, model: nn.Module, weights: Params, x: Tensor) -> Tensor:
        return models.apply(model, weights, x)

    def _features(self, model: nn.Module, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return models.features(model, weights, x)


def _stack(rows: list[Tensor]) -> Tensor:
    return rows[0][None] if len(rows) == 1 else torch.stack(rows)  # of one: a view


@dataclass(frozen=True)
class Fused(Plain):
    """The layers of `models.fused`, for our backbones on the CPU."""

    name: str = "fused"

    def runs(self, model: nn.Module, device: torch.device) -> bool:
        """For backbones that are a flow of layers, on the CPU."""
        return hasattr(model, "flow") and device.type == "cpu"

    def descended(self, model: nn.Module, weights: Params, x: Tensor, y: Tensor, lr: float, steps: int) -> Params:
        """See `Backend`."""
        if steps == 0 or not getattr(model, "sequential", False):
            return super().descended(model, weights, x, y, lr, steps)
        with torch.no_grad():
            several = [descended_of_chain(model, unstacked(weights, t), x[t], y, lr, steps) for t in range(len(x))]
        return {name: _stack([one[name] for one in several]) for name in weights}

    def gradient(self, model: nn.Module, weights: Params, x: Tensor, y: Tensor) -> tuple[Tensor, Params]:
        """See `Backend`."""
        if not getattr(model, "sequential", False):
            return super().gradient(model, weights, x, y)
        with torch.no_grad():
            pairs = [gradient_of_chain(model, unstacked(weights, t), x[t], y) for t in range(len(x))]
        # A bias before batch statistics has no part in the loss, and no gradient here.
        return _stack([logits for logits, _ in pairs]), {
            n: _stack([g[n] for _, g in pairs]) if n in pairs[0][1] else torch.zeros_like(w) for n, w in weights.items()
        }

    def _run(self, model: nn.Module, weights: Params, x: Tensor) -> Tensor:
        return F.linear(self._features(model, weights, x), weights[HEAD_WEIGHT], weights[HEAD_BIAS])

    def _features(self, model: nn.Module, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        found: Tensor = model.flow(for_device(x), _fused_layer(weights))  # type: ignore[operator]
        return found.flatten(1)


def _fused_layer(weights: Mapping[str, Tensor]) -> ComputeLayer:
    def compute(x: Tensor, conv: str, norm: str, layer: Layer) -> Tensor:
        weight, gamma, beta = weights[f"{conv}.weight"], weights[f"{norm}.weight"], weights[f"{norm}.bias"]
        if (mean := weights.get(f"{norm}.running_mean")) is None:
            return fused.conv_norm(x, weight, gamma, beta, layer)
        fixed = fused.FixedNorm(gamma, beta, mean, weights[f"{norm}.running_var"])
        return fused.conv_fixed_norm(x, weight, weights.get(f"{conv}.bias"), fixed, layer)

    return compute
