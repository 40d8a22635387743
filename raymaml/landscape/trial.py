"""Which back end computes a surface fastest on the device at hand: a short timed trial of all that can."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from raymaml import backends, models
from raymaml.backends import Execution
from raymaml.data.imageset import ImageSet
from raymaml.errors import SpecError
from raymaml.landscape.evaluate import evaluator_of
from raymaml.landscape.plan import BLOCK_EVALUATIONS, Block
from raymaml.params import Params
from raymaml.specs import PretrainingSpec, SurfaceSpec

WORTH = 200  # evaluations: fewer are computed in the time that a trial takes
CLEARLY = 1.2  # times faster than the usual choice: a race that is nearly even must not change a surface's last bits
STEPS = 2  # inner steps at most: their share of the time, and memory, is that of ten
LONG = 1.0  # seconds of one run, after which it is not repeated
CPU_AT_ONCE = 4  # tasks of the back ends that take several: more leave the cache (measured: 4 to 16 are alike)
ROOM = 0.8  # of a GPU's free memory


@dataclass(frozen=True)
class Trial:
    """What was chosen, and what each candidate took."""

    execution: Execution
    seconds: dict[str, float]  # of one task evaluation of the trial, by back end

    def record(self) -> dict[str, Any]:
        """For a store."""
        return {**self.execution.record(), "trial_seconds": self.seconds}


def needed(spec: SurfaceSpec) -> bool:
    """Whether a surface is large enough, and of a loss that back ends compute."""
    return not isinstance(spec.learner, PretrainingSpec) and spec.tasks * spec.grid.alphas * spec.grid.betas >= WORTH


def untried(spec: SurfaceSpec, device: torch.device, name: str | None = None) -> Execution:
    """The usual choice, or the back end of that name.

    Raises:
        SpecError: that back end does not compute this there.
    """
    model = models.build(spec.model)
    if name is None:
        return backends.preferred(model, device)
    backend = backends.build(name)
    if backend not in backends.able(model, device):
        able = ", ".join(b.name for b in backends.able(model, device))
        raise SpecError(f"back end {name} does not compute this model on {device.type}; choose one of {able}")
    several = name in backends.BATCHING and not isinstance(spec.learner, PretrainingSpec)
    return Execution(backend, CPU_AT_ONCE if several else 1)


def run(spec: SurfaceSpec, weights: Params, images: ImageSet, device: torch.device, name: str | None = None) -> Trial:
    """Time one point of a surface by each able back end, or find the size of a batch for the named one."""
    short = _shortened(spec)
    found: dict[str, float] = {}
    executions: dict[str, Execution] = {}
    for candidate in _candidates(short, device, name):
        execution = _filling(candidate, short, weights, images, device)
        executions[execution.backend.name] = execution
        found[execution.backend.name] = _seconds(execution, short, weights, images, device)
    usual = next(iter(found))
    fastest = min(found, key=lambda backend: found[backend])
    chosen = fastest if found[fastest] * CLEARLY < found[usual] else usual
    return Trial(executions[chosen], {backend: round(seconds, 6) for backend, seconds in found.items()})


def _shortened(spec: SurfaceSpec) -> SurfaceSpec:
    most = max(spec.steps)
    return dataclasses.replace(spec, steps=(min(STEPS, most),))


def _candidates(spec: SurfaceSpec, device: torch.device, name: str | None) -> Iterator[Execution]:
    """The usual choice first."""
    tf32 = device.type == "cuda" and spec.precision == "float32" and not spec.grid.is_centre
    names = [backend.name for backend in backends.able(models.build(spec.model), device)] if name is None else [name]
    return (dataclasses.replace(untried(spec, device, each), tf32=tf32) for each in names)


def _filling(
    execution: Execution, spec: SurfaceSpec, weights: Params, images: ImageSet, device: torch.device
) -> Execution:
    """On a GPU, as many tasks at once as its memory holds, at most those of a block."""
    if device.type != "cuda" or execution.backend.name not in backends.BATCHING:
        return execution
    peaks = []
    for count in (1, 2):
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        _seconds(dataclasses.replace(execution, at_once=count), spec, weights, images, device)
        peaks.append(torch.cuda.max_memory_allocated(device))
    free, _ = torch.cuda.mem_get_info(device)
    return dataclasses.replace(execution, at_once=most_at_once(peaks[0], peaks[1], free, BLOCK_EVALUATIONS))


def most_at_once(one: int, two: int, free: int, most: int) -> int:
    """How many tasks fit, from the peak memory of one and of two: at least 1, at most `most`."""
    each = max(1, two - one)
    return max(1, min(most, int((free * ROOM - (one - each)) // each)))


def _seconds(execution: Execution, spec: SurfaceSpec, weights: Params, images: ImageSet, device: torch.device) -> float:
    """Of one task evaluation, the better of two runs after a warm-up, if they are short."""
    evaluator = evaluator_of(spec, weights, images, device, execution)
    count = min(execution.at_once, spec.tasks)
    block = Block((0, count), (0, 1), (0, 1))

    def once() -> float:
        started = time.perf_counter()
        evaluator.evaluate(block)  # its numbers are on the CPU at the end: a GPU has been waited for
        return time.perf_counter() - started

    first = once()
    return (first if first > LONG else min(once(), once())) / count
