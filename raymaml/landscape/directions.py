"""Filter-normalised random directions (Li et al. 2018, section 4; thesis section 4.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from raymaml import streams
from raymaml.params import Params

TINY = 1e-10  # keeps an all-zero draw from dividing by zero, as in Li et al.'s code


def filter_normalised(centre: Mapping[str, Tensor], *, seed: int, orthogonal: bool = False) -> tuple[Params, Params]:
    """Two Gaussian directions whose filters have the norms of the centre's filters.

    A filter is one slice along the first axis of a convolution or linear weight. Biases and batch-norm
    parameters (one axis) get zero. Each tensor is drawn from (seed, axis, name) alone, so the parts of one
    direction are the same whichever of them are used.

    Args:
        centre: the unperturbed weights.
        seed: of the draws.
        orthogonal: make each filter of the second direction orthogonal to the same filter of the first
            before it is normalised, which keeps the norms and makes the whole directions orthogonal.
            A filter of one number has nothing orthogonal to it and becomes zero.

    Returns:
        The alpha and the beta direction, in the centre's precision and place.
    """
    first, second = {}, {}
    for name, weights in centre.items():
        if weights.dim() <= 1:
            first[name] = second[name] = torch.zeros_like(weights)
            continue
        a, b = (_draw(weights, seed, axis, name) for axis in ("alpha", "beta"))
        if orthogonal:
            b = _orthogonalised(b, a)
        norms = weights.detach().double().cpu().flatten(1).norm(dim=1, keepdim=True)
        first[name], second[name] = _like(weights, _scaled(a, norms)), _like(weights, _scaled(b, norms))
    return first, second


def _draw(weights: Tensor, seed: int, axis: str, name: str) -> Tensor:
    """A standard normal tensor of shape (filter, rest), float64."""
    values = streams.normals(weights.numel(), "direction", seed, axis, name)
    return torch.from_numpy(values).view(len(weights), math.prod(weights.shape[1:]))


def _orthogonalised(b: Tensor, a: Tensor) -> Tensor:
    if a.shape[1] == 1:
        return torch.zeros_like(b)
    return b - (b * a).sum(1, keepdim=True) / (a * a).sum(1, keepdim=True) * a


def _scaled(rows: Tensor, norms: Tensor) -> Tensor:
    own: Tensor = rows.norm(dim=1, keepdim=True)
    return rows * (norms / (own + TINY))


def _like(weights: Tensor, rows: Tensor) -> Tensor:
    return rows.view(weights.shape).to(dtype=weights.dtype, device=weights.device)
