"""What is aimed at, figure by figure, and the table of both; loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

Part = Literal["surface", "train", "engine", "driver"]
PARTS: tuple[Part, ...] = get_args(Part)
Figures = Mapping[str, Any]  # nested: `surface.conv4_84.speedup` is figures["surface"]["conv4_84"]["speedup"]


@dataclass(frozen=True)
class Target:
    """A figure, where it is, and the bound that it should keep."""

    key: str
    label: str
    bound: float
    unit: str = "x"  # x: times; %: a share shown in percent; /s: per second
    most: bool = False  # the bound is the most there may be, not the least

    def met(self, value: float) -> bool:
        """Whether the value keeps the bound."""
        return value <= self.bound if self.most else value >= self.bound


TARGETS = (
    Target("surface.conv4_84.speedup", "surface, Conv4 at 84 px: ours against the published way", 3.5),
    Target("surface.conv4_84.gemm_share", "  of the machine's fp32 GEMM rate", 0.85, "%"),
    Target("surface.conv4_28.speedup", "surface, Conv4 at 28 px: ours against the published way", 3.0),
    Target("surface.resnet10_224.speedup", "surface, ResNet10 at 224 px: ours against the published way", 2.0),
    Target("train.speedup", "training: ours against the published way", 2.5),
    Target("engine.overhead", "Ray actors: time beyond the same blocks without Ray", 0.05, "%", most=True),
    Target("engine.two_actors", "two actors against one", 1.9),
)
DRIVER = "driver.blocks_per_s", "driver: blocks planned, handed out and recorded", "driver.blocks_per_s_needed"


@dataclass(frozen=True)
class Line:
    """A line of the table."""

    label: str
    value: str
    target: str
    verdict: str  # met, missed


def value_of(figures: Figures, key: str) -> float | None:
    """The figure of that name; None where it was not measured."""
    found: Any = figures
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return None if found is None else float(found)


def lines(figures: Figures) -> list[Line]:
    """What was measured, each figure beside its target."""
    found = []
    for target in _targets(figures):
        value = value_of(figures, target.key)
        if value is not None:
            bound = f"{'at most' if target.most else 'at least'} {_text(target.bound, target.unit)}"
            verdict = "met" if target.met(value) else "missed"
            found.append(Line(target.label, _text(value, target.unit), bound, verdict))
    return found


def _targets(figures: Figures) -> list[Target]:
    key, label, bound = DRIVER
    needed = value_of(figures, bound)  # one GPU's blocks per second for each of its actors
    return [*TARGETS, *([Target(key, label, needed, "/s")] if needed is not None else [])]


def _text(value: float, unit: str) -> str:
    if unit == "%":
        return f"{100 * value:.1f} %"
    return f"{value:,.0f}/s" if unit == "/s" else f"{value:.2f} x"


def remarks(figures: Figures) -> list[str]:
    """The figures behind the table, as sentences."""
    found = ["this was --quick: its figures mean little"] if figures.get("quick") else []
    if peak := figures.get("peak"):
        found.append(
            f"all cores: fp32 matrix product {peak['gemm_gflops']:.0f} GFLOP/s, "
            f"3x3 convolution of 64 channels {peak['conv3x3_gflops']:.0f} GFLOP/s"
        )
    for key, one in figures.get("surface", {}).items():
        speed = f"{one['gflop_needed']:.1f} GFLOP each, {one['gflops']:.0f} GFLOP/s"
        found.append(
            f"{key}: {one['our_evaluations_per_s']:.2f} evaluations/s, published way "
            f"{one['published_evaluations_per_s']:.2f}; {speed}"
        )
    if train := figures.get("train"):
        found.append(
            f"train {train['setting']}: {train['our_updates_per_s']:.2f} updates/s with a seed on each core, "
            f"published way {train['published_updates_per_s']:.2f} with one seed on all"
        )
    if engine := figures.get("engine"):
        found.append(f"actors: ready {engine['startup_seconds']:.1f} s after they were asked for, once per command")
        if engine["two_processes"] is not None:
            found.append(f"two processes without Ray against one: {engine['two_processes']:.2f} x")
    if driver := figures.get("driver"):
        found.append(
            f"driver: {driver['blocks']:,} blocks on {driver['actors']} actors that do nothing, "
            f"{driver['processor_ms_per_block']:.2f} ms of processor time each; it is the limit from "
            f"{driver['gpus']} GPUs on, of {driver['blocks_per_s_of_a_gpu']:.1f} blocks/s each"
        )
    return found
