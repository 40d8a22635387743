"""What a matrix costs before it is started."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from raymaml.cost import Cost, measure
from raymaml.runtime.measure import on_cluster
from raymaml.specs import ModelSpec
from raymaml.verbs.matrix import Cell, Matrix


@dataclass(frozen=True)
class Estimate:
    """Costs of the cells, and the hours that one device would take."""

    rows: tuple[tuple[Cell, Cost, float], ...]
    total: Cost
    hours: float
    device: str
    measured_seconds: float


def estimate(matrix: Matrix, *, address: str | None = None) -> Estimate:
    """Count what is left of a matrix, and time each of its backbones for a moment.

    Args:
        matrix: the plan.
        address: of a Ray cluster, one of whose GPUs is timed; by default, and without RAY_ADDRESS, this machine is.
    """
    started = time.monotonic()
    timed = sorted({cell.spec.model for cell in matrix.cells}, key=lambda model: model.digest)
    device, seconds = _measure(timed, address or os.environ.get("RAY_ADDRESS"))
    rows = []
    for cell in matrix.cells:
        cost = matrix.cost(cell)
        rows.append((cell, cost, cost.passes * seconds[cell.spec.model] / 3600))
    total = sum((cost for _, cost, _ in rows), Cost(0, 0, 0.0))
    return Estimate(tuple(rows), total, sum(h for *_, h in rows), device, time.monotonic() - started)


def _measure(specs: list[ModelSpec], address: str | None) -> tuple[str, dict[ModelSpec, float]]:
    if address not in (None, "local"):
        return on_cluster(specs, address)
    return measure(specs, "this machine")
