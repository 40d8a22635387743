"""Time models on a device of the cluster."""

from __future__ import annotations

import platform

import ray

from raymaml.cost import measure
from raymaml.runtime.session import capacity, session
from raymaml.specs import ModelSpec


def on_cluster(specs: list[ModelSpec], address: str | None) -> tuple[str, dict[ModelSpec, float]]:
    """Seconds per forward pass of one image, for each model, on one of the cluster's GPUs, or else cores.

    Returns:
        What was measured on, and the seconds.
    """
    with session(address):
        gpus = 1 if capacity()[1] else 0
        timed = ray.remote(num_cpus=1 - gpus, num_gpus=gpus)(_measure)
        found: tuple[str, dict[ModelSpec, float]] = ray.get(timed.remote(specs))
    return found


def _measure(specs: list[ModelSpec]) -> tuple[str, dict[ModelSpec, float]]:
    return measure(specs, platform.node())
