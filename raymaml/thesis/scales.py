"""How large a reproduction is: what is trained, and how fine and on how many tasks it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from raymaml.presets import Preset
from raymaml.specs import Backbone

ScaleName = Literal["smoke", "quick", "thesis"]


@dataclass(frozen=True)
class Scale:
    """One size of everything; figures and tables are the same at each."""

    name: ScaleName
    data: tuple[str, ...]  # by default; the thesis has two data sets
    backbones: tuple[Backbone, ...]
    seeds: tuple[int, ...]  # the landscapes are of the first
    preset: Preset
    training: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))  # replaces the preset's values
    evaluation_tasks: int = 1_000  # of each split and checkpoint (recipe 2.4)
    inner_grid: int = 41  # the thesis has 40, which miss (0, 0) (recipe 5.3)
    meta_grid: int = 51  # the thesis has 50
    meta_tasks: int = 100
    few_tasks: int = 4  # the smaller number of figure 8
    query_tasks: int = 20  # of which figure 10 shows the first
    sharpness_tasks: int = 100  # recipe 6.2
    images: int = 1_000  # of figure 9
    image_batch: int = 125  # near the 128 of training; parts of 1,000 without a remainder
    spread_seeds: int = 3  # beyond the thesis: how much its surfaces depend on the seed
    spread_directions: int = 3
    spread_grid: int = 21


SCALES: dict[ScaleName, Scale] = {
    "smoke": Scale(
        name="smoke",
        data=("glyphs",),
        backbones=("conv4",),
        seeds=(5, 6),
        preset="demo",
        training=MappingProxyType({"updates": 2, "epochs": 1, "val_tasks": 2, "test_tasks": 2, "monitor_tasks": 2}),
        evaluation_tasks=2,
        inner_grid=3,
        meta_grid=3,
        meta_tasks=3,
        few_tasks=2,
        query_tasks=2,
        sharpness_tasks=2,
        images=20,
        image_batch=10,
        spread_seeds=2,
        spread_directions=2,
        spread_grid=3,
    ),
    "quick": Scale(
        name="quick",
        data=("glyphs",),
        backbones=("conv4", "conv6"),
        seeds=(5, 6, 7),
        preset="quick",
        training=MappingProxyType({"updates": 300, "epochs": 4, "test_tasks": 100}),
        evaluation_tasks=100,
        inner_grid=13,
        meta_grid=11,
        meta_tasks=12,
        query_tasks=8,
        sharpness_tasks=50,
        spread_grid=5,
    ),
    "thesis": Scale(
        name="thesis",
        data=("miniimagenet", "cub"),
        backbones=("conv4", "conv6", "resnet10", "resnet18"),
        seeds=(5, 6, 7),
        preset="thesis",
    ),
}
