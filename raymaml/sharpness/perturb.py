"""Perturbations of weights, each of a given size: towards a higher loss, or at random.

Weights, gradients and perturbations are `Params`: tensors by name. A perturbation of `weights` is zero in tensors
of one axis, which are the biases and the parameters of batch norm. The published code does the same by the names
of the parameters, and misses the batch-norm weight of a ResNet's stem (recipe 6.1, step 4); ours does not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from raymaml import streams
from raymaml.params import Params
from raymaml.sharpness.spec import Perturbed
from raymaml.streams import Key

TINY = 1e-12  # beside a norm, as in the published code and in SAM's


def norm(vector: Mapping[str, Tensor]) -> float:
    """Euclidean norm over all tensors together, summed in float64."""
    return math.sqrt(sum(v.detach().double().square().sum().item() for v in vector.values()))


def kept(vector: Mapping[str, Tensor], perturb: Perturbed) -> Params:
    """The vector with zeros where `perturb` leaves the weights alone."""
    return {n: v if perturb == "all" or v.dim() > 1 else torch.zeros_like(v) for n, v in vector.items()}


def along_gradient(gradient: Mapping[str, Tensor], rho: float, perturb: Perturbed) -> Params:
    """The first-order worst case within a ball, rho * g / ||g|| (thesis eq. 16; Foret et al. 2021, eq. 2).

    The norm is over all parameters, before some are zeroed, so that with `weights` the perturbation is shorter
    than rho, as in the published code (recipe 6.1, steps 3 and 4).
    """
    scale = rho / (norm(gradient) + TINY)
    return kept({name: scale * g for name, g in gradient.items()}, perturb)


def adaptive(weights: Mapping[str, Tensor], gradient: Mapping[str, Tensor], rho: float, perturb: Perturbed) -> Params:
    """The same within a ball whose axes scale with the weights, rho * w^2 * g / || |w| * g ||.

    Kwon et al. 2021 (ASAM), algorithm 1 with T = diag(|w|), without the constant that they add to |w|: rescaling
    weights in a way that leaves the loss alone then rescales the perturbation alike. The inner loop sees such a
    rescaling all the same, since plain gradient steps do not scale with the weights.
    """
    scale = rho / (norm({name: weights[name] * g for name, g in gradient.items()}) + TINY)
    return kept({name: scale * weights[name].square() * g for name, g in gradient.items()}, perturb)


def by_sign(gradient: Mapping[str, Tensor], rho: float, perturb: Perturbed) -> Params:
    """The first-order worst case within a box, rho * sign(g) (thesis eq. 14 with p infinite)."""
    return kept({name: rho * g.sign() for name, g in gradient.items()}, perturb)


def at_random(like: Mapping[str, Tensor], rho: float, perturb: Perturbed, *key: Key) -> Params:
    """A Gaussian direction of norm rho, over what is perturbed alone; a pure function of the key."""
    drawn = {name: _normal(v, *key, name) if perturb == "all" or v.dim() > 1 else None for name, v in like.items()}
    scale = rho / (norm({name: v for name, v in drawn.items() if v is not None}) + TINY)
    return {n: torch.zeros_like(v) if (d := drawn[n]) is None else (scale * d).to(v) for n, v in like.items()}


def _normal(like: Tensor, *key: Key) -> Tensor:
    return torch.from_numpy(streams.normals(like.numel(), "sharpness", *key)).view(like.shape)
