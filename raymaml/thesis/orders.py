"""Which surfaces the figures show: of which model, and with which options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raymaml.presets import Method
from raymaml.specs import Backbone, GridSpec, Part, Split
from raymaml.thesis.scales import Scale

TRAIN_STEPS, TEST_STEPS = 5, 10  # inner steps in meta-training and in tests (thesis, table 5)
QUERIES = (1, 2, 4, 15)  # per class, of figure 10
MANY = 15  # query images per class of the meta-loss


@dataclass(frozen=True)
class Order:
    """A surface around the best checkpoint of one seed of a run."""

    method: Method
    backbone: Backbone
    augment: bool
    seed: int
    options: Mapping[str, Any]  # of `landscape.request.surface_spec`, or of `training_surface_spec`


def inner(scale: Scale, task: int) -> list[Order]:
    """Figures 4, 5, 15 and 16: one task of each split, before and after adapting, of augmented runs."""
    recorded: dict[Split, tuple[int, int]] = {"base": (0, TRAIN_STEPS), "novel": (0, TEST_STEPS)}
    return [
        _one_task(scale, backbone, split, task, steps)
        for backbone in scale.backbones
        for split, steps in recorded.items()
    ]


def parts(scale: Scale, task: int) -> list[Order]:
    """Figures 6, 7, 17 and 18: the whole network, its head and its feature layers on one novel task."""
    of_part: tuple[Part, ...] = ("all", "head", "feature")
    return [
        _one_task(scale, backbone, "novel", task, (0, TEST_STEPS), part=part)
        for backbone in scale.backbones
        for part in of_part
    ]


def _one_task(
    scale: Scale, backbone: Backbone, split: Split, task: int, steps: tuple[int, int], part: Part = "all"
) -> Order:
    options = {"split": split, "tasks": 1, "first_task": task, "steps": steps, "query": 1, "part": part}
    return _augmented(scale, backbone, options | {"grid": _square(scale.inner_grid)})


def meta(scale: Scale, augment: bool) -> list[Order]:
    """Figures 8, 11 and 12: the mean over many tasks, on base and novel tasks."""
    splits: tuple[Split, ...] = ("base", "novel")
    return [
        Order(
            "maml",
            backbone,
            augment,
            scale.seeds[0],
            {
                "split": split,
                "tasks": scale.meta_tasks,
                "steps": TEST_STEPS,
                "query": MANY,
                "grid": _square(scale.meta_grid),
            },
        )
        for backbone in scale.backbones
        for split in splits
    ]


def queries(scale: Scale) -> list[Order]:
    """Figure 10: Conv4 with several numbers of query images."""
    options = {"tasks": scale.query_tasks, "steps": TEST_STEPS, "query": QUERIES, "grid": _square(scale.inner_grid)}
    return [_augmented(scale, scale.backbones[0], options)]


def training(scale: Scale) -> list[Order]:
    """Figure 9: the training loss of transfer learning. The thesis shows runs without augmentation (recipe 5.3)."""
    options = {"images": scale.images, "batch": scale.image_batch, "grid": _square(scale.meta_grid)}
    return [Order("transfer", backbone, False, scale.seeds[0], options) for backbone in scale.backbones]


def adaptation(scale: Scale, augment: bool) -> list[Order]:
    """Beyond the thesis: the loss at the unperturbed weights after each of several steps, of every seed."""
    options = {
        "tasks": scale.evaluation_tasks,
        "steps": (0, 1, TRAIN_STEPS, TEST_STEPS),
        "query": MANY,
        "grid": GridSpec(1, 1),
    }
    return [Order("maml", backbone, augment, seed, options) for backbone in scale.backbones for seed in scale.seeds]


def spread(scale: Scale) -> list[Order]:
    """Beyond the thesis: the surface of one task list over seeds and direction pairs."""
    options = {"tasks": scale.few_tasks, "steps": TEST_STEPS, "query": MANY, "grid": _square(scale.spread_grid)}
    return [
        Order("maml", scale.backbones[0], True, seed, options | {"direction_seed": direction})
        for seed in scale.seeds[: scale.spread_seeds]
        for direction in range(scale.spread_directions)
    ]


def _augmented(scale: Scale, backbone: Backbone, options: Mapping[str, Any]) -> Order:
    return Order("maml", backbone, True, scale.seeds[0], options)


def _square(points: int) -> GridSpec:
    return GridSpec(points, points)
