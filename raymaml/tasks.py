"""Few-shot tasks: task number `index` of (data set, split, seed) is the same everywhere, made alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raymaml import streams
from raymaml.data.imageset import ImageSet
from raymaml.errors import SpecError
from raymaml.pixels import PixelSource
from raymaml.specs import TaskSpec
from raymaml.streams import Key

KEPT_BYTES = 2**30  # of a sampler's tasks: 140 of 5-way 16-image tasks at 84 px, 20 at 224 px


@dataclass(frozen=True)
class TaskIndices:
    """Which classes and images make a task; a class's label is its position in `classes`."""

    classes: npt.NDArray[np.int64]  # (way,) in random order
    support: npt.NDArray[np.int64]  # (way, shot) rows of ImageSet.images
    query: npt.NDArray[np.int64]  # (way, query)


@dataclass(frozen=True)
class Task:
    """Normalised images and labels of one task, class by class."""

    support_x: Tensor  # (way * shot, channel, height, width)
    support_y: Tensor  # (way * shot,) int64
    query_x: Tensor  # (way * query, channel, height, width)
    query_y: Tensor  # (way * query,) int64
    key: tuple[Key, ...] = ()  # data set, split, seed, index: what a learner draws for the task, it draws for this

    @property
    def bytes(self) -> int:
        """Memory that the images take."""
        return self.support_x.nbytes + self.query_x.nbytes


class TaskSampler:
    """Makes the tasks of one split.

    Classes and, inside each class, images are drawn without replacement. The draws are nested: with the
    same seed and index, a task with fewer shots or queries holds the first images of the larger one.

    Args:
        images: the data set.
        split: base, val or novel.
        spec: the shape of a task.
        seed: of the draws.
        dtype: of the images.
        device: of all tensors.
        augment: vary each image of a task, support and query alike (recipe 4.4).
        keep: hold on to the tasks that were made, up to KEPT_BYTES.

    Raises:
        SpecError: the split is unknown or too small for such a task.
    """

    def __init__(
        self,
        images: ImageSet,
        split: str,
        spec: TaskSpec,
        *,
        seed: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        augment: bool = False,
        keep: bool = False,
    ) -> None:
        self.images, self.split, self.spec, self.seed = images, split, spec, seed
        self.pixels = PixelSource(images, dtype, device, augment)
        self.classes = np.array(_classes_of(images, split))
        _check_supply(images, split, self.classes, spec)
        self._kept: dict[int, Task] = {}
        self._room = KEPT_BYTES if keep else 0

    def key(self, index: int) -> tuple[Key, ...]:
        """What every random draw of task `index` is keyed by."""
        return self.images.name, self.split, self.seed, index

    def indices(self, index: int) -> TaskIndices:
        """The classes and image rows of task `index` (any integer from 0 up)."""
        key = self.key(index)
        order = streams.permutation(len(self.classes), "task", *key)
        classes = self.classes[order[: self.spec.way]]
        rows = np.stack([self._rows(key, int(c)) for c in classes])
        return TaskIndices(classes, rows[:, : self.spec.shot], rows[:, self.spec.shot :])

    def _rows(self, key: tuple[Key, ...], class_index: int) -> npt.NDArray[np.int64]:
        rows = self.images.rows_of_class[class_index]
        order = streams.permutation(len(rows), "images", *key, class_index)
        return rows[order[: self.spec.shot + self.spec.query]]

    def task(self, index: int) -> Task:
        """Task `index` with its images as normalised floating-point tensors."""
        if index in self._kept:
            return self._kept[index]
        task = self._make(index)
        if task.bytes <= self._room:
            self._room -= task.bytes
            self._kept[index] = task
        return task

    def _make(self, index: int) -> Task:
        where, key = self.indices(index), self.key(index)
        return Task(
            self.pixels.normalised(where.support, *key),
            self.labels(self.spec.shot),
            self.pixels.normalised(where.query, *key),
            self.labels(self.spec.query),
            key,
        )

    def labels(self, each: int) -> Tensor:
        """Labels 0..way-1, `each` of one after the other."""
        return torch.arange(self.spec.way, device=self.pixels.device).repeat_interleave(each)


def _classes_of(images: ImageSet, split: str) -> tuple[int, ...]:
    if split not in images.splits:
        raise SpecError(f"data set {images.name} has the splits {', '.join(images.splits)}, not {split!r}")
    return images.splits[split]


def _check_supply(images: ImageSet, split: str, classes: npt.NDArray[np.int64], spec: TaskSpec) -> None:
    if len(classes) < spec.way:
        raise SpecError(
            f"the {split} split of {images.name} has {len(classes)} classes: too few for {spec.way}-way tasks"
        )
    fewest = min(len(images.rows_of_class[int(c)]) for c in classes)
    if fewest < spec.shot + spec.query:
        raise SpecError(
            f"the {split} split of {images.name} has classes with {fewest} images: too few for "
            f"{spec.shot} support and {spec.query} query images; lower --shot or --query"
        )
