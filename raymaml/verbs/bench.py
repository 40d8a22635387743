"""Measure how fast this machine evaluates and trains, the published way and ours, and what Ray costs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from raymaml import machine
from raymaml.bench import compare
from raymaml.bench.compare import Machine
from raymaml.bench.setting import Setting
from raymaml.bench.targets import PARTS, Part
from raymaml.bench.workers import cores
from raymaml.errors import SpecError
from raymaml.process import timestamp
from raymaml.runtime import bench as engine
from raymaml.runtime.bench import Effort

BUSY = 0.25  # load per core above which figures of a comparison are not worth much
HIDDEN = "CUDA_VISIBLE_DEVICES"


def run_bench(
    parts: Sequence[Part] = PARTS,
    *,
    quick: bool = False,
    full: bool = False,
    on_step: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Measure on the cores of this machine; GPUs are not used. Takes minutes, and wants the machine for itself.

    Args:
        parts: `surface` (with the share of the GEMM rate), `train`, `engine` (with two actors), `driver`.
        quick: a little of each, with fewer steps and images, to see that it works: the figures mean little.
        full: also ResNet10 at 224 pixels.
        on_step: told what is measured next.

    Returns:
        Nested figures such as `surface.conv4_84.speedup`, with raw seconds, `machine`, `date` and `load`.

    Raises:
        SpecError: a part is unknown, or `quick` and `full` are asked for together.
        RaymamlError: a process that was timed died.
    """
    if not parts or not set(parts) <= set(PARTS):
        raise SpecError(f"parts must be some of {', '.join(PARTS)}, got {' '.join(parts) or 'none'}")
    if quick and full:
        raise SpecError("--quick and --full exclude each other")
    load = os.getloadavg()[0]
    if load > BUSY * cores():
        on_step(f"the machine is busy (load {load:.1f}): figures will be off, wait until it is idle")
    figures: dict[str, Any] = {
        "date": timestamp(),
        "machine": {**machine.provenance(), "cores": cores()},
        "load": load,
        "quick": quick,
    }
    with _without_gpus():
        if set(parts) - {"driver"}:
            with compare.started() as ready:
                figures |= _comparisons(ready, parts, quick=quick, full=full, on_step=on_step)
        if "driver" in parts:
            on_step("driver: actors that do nothing")
            figures["driver"] = engine.driver(_effort(quick=quick))
    return figures


def _comparisons(
    ready: Machine, parts: Sequence[Part], *, quick: bool, full: bool, on_step: Callable[[str], None]
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "surface" in parts:
        on_step("peak: matrix products and convolutions")
        found["peak"] = compare.peak(ready, repetitions=1 if quick else 10, rounds=1 if quick else 5)
        found["surface"] = {}
        for setting in _settings(quick=quick, full=full):
            on_step(f"surface: {setting.key}, the published way and ours in turns")
            one = compare.surface(ready, setting, (compare.QUICK if quick else compare.SIZES)[setting])
            share = one["gflops"] / found["peak"]["gemm_gflops"]
            found["surface"][setting.key] = {**one, "gemm_share": share}
    if "train" in parts:
        on_step("train: conv4_84, the published way and ours in turns")
        setting = compare.CONV4_28 if quick else compare.CONV4_84
        found["train"] = {"setting": setting.key, **compare.train(ready, setting, rounds=1 if quick else 4)}
    if "engine" in parts:
        on_step("engine: the same blocks without Ray and on actors, in turns")
        found["engine"] = engine.engine(ready.ours, _effort(quick=quick))
    return found


def _settings(*, quick: bool, full: bool) -> list[Setting]:
    chosen = list(compare.QUICK if quick else compare.SIZES)
    return [setting for setting in chosen if full or setting != compare.RESNET10_224]


def _effort(*, quick: bool) -> Effort:
    return engine.QUICK if quick else Effort()


@contextmanager
def _without_gpus() -> Iterator[None]:
    """Hide them from Ray and from the processes that are started: both sides of each comparison are to use cores."""
    before = os.environ.get(HIDDEN)
    os.environ[HIDDEN] = ""
    try:
        yield
    finally:
        os.environ.pop(HIDDEN)
        if before is not None:
            os.environ[HIDDEN] = before
