"""Filter-normalised random directions (Li et al. 2018, section 4; thesis section 4.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from raymaml import streams
from raymaml.params import Params
from raymaml.specs import Part

TINY = 1e-10  # keeps an all-zero draw from dividing by zero, as in Li et al.'s code
HEAD = "head."  # what the names of the head's weights start with


@dataclass(frozen=True)
class Draws:
    """Gaussian directions that any weights of one model can be given, each scaled to those weights.

    A filter is one slice along the first axis of a convolution or linear weight. Biases and batch-norm
    parameters (one axis) get zero. Each tensor is drawn from (seed, axis, name) alone, so the parts of one
    direction are the same whichever of them are used: head and feature add up to all, to the bit.

    Attributes:
        seed: of the draws.
        orthogonal: make each filter of the second direction orthogonal to the same filter of the first
            before it is normalised, which keeps the norms and makes the whole directions orthogonal.
            A filter of one number has nothing orthogonal to it and becomes zero.
        part: of the network that is perturbed; directions are zero elsewhere. None: nothing is.
    """

    seed: int
    orthogonal: bool = False
    part: Part | None = "all"
    drawn: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict, init=False, compare=False, repr=False)

    def around(self, centre: Mapping[str, Tensor]) -> tuple[Params, Params]:
        """The alpha and the beta direction, whose filters have the norms of the centre's; in its precision and place.

        What was drawn is kept: other weights of the same shapes get the same draws, normalised by their own filters.
        """
        first, second = {}, {}
        for name, weights in centre.items():
            if weights.dim() <= 1 or not self._perturbs(name):
                first[name] = second[name] = torch.zeros_like(weights)
                continue
            norms = weights.detach().double().cpu().flatten(1).norm(dim=1, keepdim=True)
            first[name], second[name] = (_like(weights, _scaled(d, norms)) for d in self._pair(name, weights))
        return first, second

    def _perturbs(self, name: str) -> bool:
        return self.part == "all" or self.part == ("head" if name.startswith(HEAD) else "feature")

    def _pair(self, name: str, weights: Tensor) -> tuple[Tensor, Tensor]:
        if name not in self.drawn or self.drawn[name][0].numel() != weights.numel():  # a head of other outputs
            a, b = (_draw(weights, self.seed, axis, name) for axis in ("alpha", "beta"))
            self.drawn[name] = a, _orthogonalised(b, a) if self.orthogonal else b
        return self.drawn[name]


def filter_normalised(
    centre: Mapping[str, Tensor], *, seed: int, orthogonal: bool = False, part: Part | None = "all"
) -> tuple[Params, Params]:
    """The alpha and the beta direction around one set of weights; see `Draws`."""
    return Draws(seed, orthogonal, part).around(centre)


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
