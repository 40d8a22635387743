"""Backbones as skeletons without weights, and one way to run them: `apply(model, params, x)`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from raymaml.errors import SpecError
from raymaml.models.conv import ConvNet
from raymaml.models.norm import NORMS
from raymaml.models.resnet import ResNet
from raymaml.params import Params
from raymaml.specs import ModelSpec

__all__ = ["apply", "build", "features", "initial_params", "ordered", "trained_names"]

CONV_DEPTH = {"conv4": 4, "conv6": 6}
RESNET_BLOCKS = {"resnet10": 1, "resnet18": 2}  # per stage
SMALLEST_CONV_IMAGE = 16  # four 2x2 poolings leave one pixel
RESNET_IMAGE = 224  # the 7x7 average pooling is fixed


def build(spec: ModelSpec) -> nn.Module:
    """The network of `spec` as a skeleton on the meta device: it holds shapes, no weights.

    Raises:
        SpecError: the backbone cannot take images of this size.
    """
    norm = NORMS[spec.norm]
    with torch.device("meta"):
        if spec.backbone in CONV_DEPTH:
            _check(spec.image_size >= SMALLEST_CONV_IMAGE, spec, f"{SMALLEST_CONV_IMAGE} pixels or more")
            return ConvNet(CONV_DEPTH[spec.backbone], spec.channels, spec.image_size, spec.outputs, norm)
        _check(spec.image_size == RESNET_IMAGE, spec, f"{RESNET_IMAGE} pixels")
        return ResNet(RESNET_BLOCKS[spec.backbone], spec.channels, spec.outputs, norm)


def _check(fits: bool, spec: ModelSpec, needs: str) -> None:
    if not fits:
        raise SpecError(f"backbone {spec.backbone} needs images of {needs}, got {spec.image_size} pixels")


def apply(model: nn.Module, params: Mapping[str, Tensor], x: Tensor, *, training: bool = False) -> Tensor:
    """Logits (batch, outputs) of images x (batch, channel, height, width) under the weights `params`.

    `training` matters to running statistics alone: they are then updated, in place, instead of used.
    """
    return _run(model, params, x, training=training, features=False)


def features(model: nn.Module, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """What the head is given: (batch, feature) of images x (batch, channel, height, width)."""
    return _run(model, params, x, training=False, features=True)


def _run(model: nn.Module, params: Mapping[str, Tensor], x: Tensor, *, training: bool, features: bool) -> Tensor:
    if model.training != training:
        model.train(training)
    found: Tensor = functional_call(model, dict(params), (x,), {"features": features}, strict=True)
    return found


def trained_names(model: nn.Module) -> list[str]:
    """The weights that have a gradient: all but running statistics."""
    return [name for name, _ in model.named_parameters()]


def ordered(model: nn.Module, params: Mapping[str, Tensor]) -> Params:
    """The same weights in the model's own order, running statistics last, checked to be exactly its weights.

    Raises:
        SpecError: a name or a shape is not the model's.
    """
    shapes = {name: p.shape for name, p in (*model.named_parameters(), *model.named_buffers())}
    if {name: p.shape for name, p in params.items()} != shapes:
        raise SpecError("the weights are not those of this backbone: names or shapes differ")
    return {name: params[name] for name in shapes}


def initial_params(model: nn.Module, seed: int) -> Params:
    """Fresh float32 weights, a pure function of (model, seed).

    Convolutions: normal with variance 2 / (k * k * out), which is He's fan-out rule, biases uniform within
    1 / sqrt(fan-in); batch normalisation 1 and 0, running variance 1 and mean 0; head uniform within
    1 / sqrt(fan-in) with zero bias (recipe 1.4: what the published code does, not what its comment says).
    """
    generator = torch.Generator().manual_seed(seed)
    drawn: Params = {}
    for prefix, module in model.named_modules():
        for name, shape in _own_shapes(module).items():
            drawn[f"{prefix}.{name}"] = _draw(module, name, shape, generator)
    return ordered(model, drawn)


def _own_shapes(module: nn.Module) -> dict[str, torch.Size]:
    return {n: p.shape for n, p in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False))}


def _draw(module: nn.Module, name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    values = torch.zeros(shape)
    if isinstance(module, tuple(NORMS.values())):
        return values.fill_(1.0 if name in ("weight", "running_var") else 0.0)
    if isinstance(module, nn.Conv2d):
        if name == "weight":
            return values.normal_(0.0, math.sqrt(2 / (math.prod(shape[2:]) * shape[0])), generator=generator)
        bound = 1 / math.sqrt(module.in_channels * math.prod(module.kernel_size))
        return values.uniform_(-bound, bound, generator=generator)
    if isinstance(module, nn.Linear):
        bound = 1 / math.sqrt(module.in_features)
        return values.uniform_(-bound, bound, generator=generator) if name == "weight" else values
    raise TypeError(f"no initialisation is known for {type(module).__name__}.{name}")
