"""Interchangeable ways to compute the same numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from raymaml.backends.base import Backend
from raymaml.backends.graphs import Graphed
from raymaml.backends.looped import Fused, Plain
from raymaml.backends.together import Grouped, Vmap
from raymaml.errors import SpecError

__all__ = ["NAMES", "PLAIN", "Backend", "Execution", "able", "build", "preferred", "recorded"]

PREFERENCE: tuple[Backend, ...] = (Graphed(), Fused(), Grouped(), Plain(), Vmap())
NAMES = tuple(backend.name for backend in PREFERENCE)
BATCHING = ("graph", "grouped", "vmap")  # those that gain from several tasks at once


@dataclass(frozen=True)
class Execution:
    """How numbers are computed; changes their last bits alone."""

    backend: Backend
    at_once: int = 1  # tasks
    tf32: bool = False  # let a GPU multiply float32 with 10 bits of mantissa

    def record(self) -> dict[str, str | int | bool]:
        """For a store."""
        return {"backend": self.backend.name, "at_once": self.at_once, "tf32": self.tf32}


def recorded(record: Mapping[str, Any] | None) -> Execution:
    """The execution of a record; stores from before there were back ends have none, and the plain one.

    Raises:
        SpecError: the back end is not one of this installation.
    """
    if record is None:
        return PLAIN
    return Execution(build(record["backend"]), record["at_once"], record["tf32"])


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
