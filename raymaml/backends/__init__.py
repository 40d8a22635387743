"""Interchangeable ways to compute the same numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from raymaml.backends.base import Backend
from raymaml.backends.graphs import Graphed
from raymaml.backends.looped import Fused, Plain
from raymaml.backends.together import Grouped, Vmap
from raymaml.errors import SpecError

__all__ = ["NAMES", "PLAIN", "Backend", "Execution", "able", "build", "preferred"]

PREFERENCE: tuple[Backend, ...] = (Graphed(), Fused(), Grouped(), Plain(), Vmap())
NAMES = tuple(backend.name for backend in PREFERENCE)
BATCHING = ("graph", "grouped", "vmap")  # those that gain from several tasks at once


@dataclass(frozen=True)
class Execution:
    """How numbers are computed; changes their last bits alone."""

    backend: Backend
    at_once: int = 1  # tasks


PLAIN = Execution(Plain())


def build(name: str) -> Backend:
    """The back end of that name.

    Raises:
        SpecError: there is none.
    """
    for backend in PREFERENCE:
        if backend.name == name:
            return backend
    raise SpecError(f"the back end must be one of {', '.join(NAMES)}, got {name!r}")


def able(model: nn.Module, device: torch.device) -> list[Backend]:
    """Those that run this backbone there, the one that is usually the fastest first."""
    return [backend for backend in PREFERENCE if backend.runs(model, device)]


def preferred(model: nn.Module, device: torch.device | str) -> Execution:
    """What needs no trial: the first able one that takes one task at a time."""
    return Execution(next(b for b in able(model, torch.device(device)) if b.name not in BATCHING))
