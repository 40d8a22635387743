"""What is timed: fresh weights of a backbone, tasks of synthetic images, a surface and a training of them.

Pixels are random: what a task costs does not depend on what it shows. Everything is a function of the setting, so
that each process makes its own and nothing has to be sent or downloaded.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from raymaml import models
from raymaml.checkpoints import Checkpoint
from raymaml.data.imageset import ImageSet
from raymaml.landscape.request import surface_spec
from raymaml.params import Params
from raymaml.presets import train_spec
from raymaml.specs import Backbone, GridSpec, MamlSpec, Precision, SurfaceSpec, TrainSpec

SEED = 0
CLASSES, EACH = 8, 17  # of every split: 5-way tasks of 1 support and at most 16 query images
GRID = GridSpec(51, 51)
STEPS, QUERY = 10, 15  # of an evaluation; training has the thesis preset's own


@dataclass(frozen=True)
class Setting:
    """A backbone and the size of its images; 5-way 1-shot, RGB."""

    backbone: Backbone
    image_size: int
    precision: Precision = "float32"
    steps: int = STEPS  # of an evaluation
    query: int = QUERY  # images per class, likewise

    def __reduce__(self) -> tuple[Any, ...]:
        """Sent to another process without the images, which that makes again."""
        return Setting, astuple(self)

    @property
    def key(self) -> str:
        """Its name among the figures, as conv4_84."""
        return f"{self.backbone}_{self.image_size}"

    @cached_property
    def images(self) -> ImageSet:
        """24 classes of 17 random images, a third of the classes in each split."""
        count, side = 3 * CLASSES, self.image_size
        pixels = np.random.default_rng(SEED).integers(0, 256, (count * EACH, 3, side, side), dtype=np.uint8)
        first, second, third = (tuple(range(i * CLASSES, (i + 1) * CLASSES)) for i in range(3))
        return ImageSet(
            name="noise",
            images=pixels,
            labels=np.repeat(np.arange(count), EACH),
            class_names=tuple(f"class {i}" for i in range(count)),
            splits={"base": first, "val": second, "novel": third},
            mean=(0.5, 0.5, 0.5),
            std=(0.29, 0.29, 0.29),  # of uniform noise
        )

    @cached_property
    def training(self) -> TrainSpec:
        """First-order MAML with the thesis's numbers: 4 tasks per update, 5 steps, 16 query images per class."""
        return train_spec(self.images, "thesis", backbone=self.backbone, precision=self.precision)

    @property
    def learner(self) -> MamlSpec:
        """The inner loop."""
        learner = self.training.learner
        assert isinstance(learner, MamlSpec)
        return learner

    @cached_property
    def weights(self) -> Params:
        """Fresh float32 weights."""
        return models.initial_params(models.build(self.training.model), SEED)

    def surface(self, tasks: int) -> SurfaceSpec:
        """A 51 x 51 surface of `tasks` novel tasks, `steps` inner steps, 15 query images per class."""
        centre = Checkpoint(self.training, SEED, 0, self.weights)
        return surface_spec(
            centre, grid=GRID, tasks=tasks, steps=self.steps, query=self.query, precision=self.precision
        )
