"""Weights as a dictionary of tensors, and the few vector operations that landscapes need."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

Params = dict[str, Tensor]


def add_scaled(centre: Mapping[str, Tensor], *terms: tuple[float, Mapping[str, Tensor]]) -> Params:
    """The centre plus the sum of scale * direction, always from the untouched centre so that no error accumulates."""
    total = dict(centre)
    for scale, direction in terms:
        total = {name: value + scale * direction[name] for name, value in total.items()}
    return total


def to_vector(params: Mapping[str, Tensor]) -> Tensor:
    """All values in one row, in the order of the dictionary."""
    return torch.cat([value.detach().flatten() for value in params.values()])


def from_vector(row: Tensor, like: Mapping[str, Tensor]) -> Params:
    """The inverse of `to_vector`: the names, the order and the shapes of `like`, the values of `row`."""
    parts = torch.split(row, [value.numel() for value in like.values()])
    return {name: part.view_as(value) for (name, value), part in zip(like.items(), parts, strict=True)}


def cast(params: Mapping[str, Tensor], dtype: torch.dtype, device: torch.device | str = "cpu") -> Params:
    """A detached copy in another precision and place."""
    return {name: value.detach().to(device=device, dtype=dtype).clone() for name, value in params.items()}


def digest(*groups: Mapping[str, Tensor]) -> str:
    """SHA-256 (hex) of names, shapes, types and bits of the tensors."""
    h = hashlib.sha256()
    for group in groups:
        for name in sorted(group):
            value = group[name].detach().cpu().contiguous()
            h.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            h.update(value.numpy().tobytes())
    return h.hexdigest()
