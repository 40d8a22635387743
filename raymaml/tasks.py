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
from raymaml.specs import TaskSpec


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


class TaskSampler:
    """Makes the tasks of one split.

    Classes and, inside each class, images are drawn without replacement. The draws are nested: with the
    same seed and index, a task with fewer shots or queries holds the first images of the larger one.

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
    ) -> None:
        self.images, self.split, self.spec, self.seed = images, split, spec, seed
        self.dtype, self.device = dtype, device
        self.classes = np.array(_classes_of(images, split))
        _check_supply(images, split, self.classes, spec)

    def indices(self, index: int) -> TaskIndices:
        """The classes and image rows of task `index` (any integer from 0 up)."""
        key = (self.images.name, self.split, self.seed, index)
        order = streams.permutation(len(self.classes), "task", *key)
        classes = self.classes[order[: self.spec.way]]
        rows = np.stack([self._rows(key, int(c)) for c in classes])
        return TaskIndices(classes, rows[:, : self.spec.shot], rows[:, self.spec.shot :])

    def _rows(self, key: tuple[str, str, int, int], class_index: int) -> npt.NDArray[np.int64]:
        rows = self.images.rows_of_class[class_index]
        order = streams.permutation(len(rows), "images", *key, class_index)
        return rows[order[: self.spec.shot + self.spec.query]]

    def task(self, index: int) -> Task:
        """Task `index` with its images as normalised floating-point tensors."""
        where = self.indices(index)
        return Task(
            self._gather(where.support),
            self._labels(self.spec.shot),
            self._gather(where.query),
            self._labels(self.spec.query),
        )

    def _gather(self, rows: npt.NDArray[np.int64]) -> Tensor:
        # Rows first: the images may lie on disk, and only these are read.
        pixels = torch.from_numpy(self.images.images[rows.ravel()]).to(device=self.device, dtype=self.dtype)
        mean, std = (
            torch.tensor(v, dtype=self.dtype, device=self.device).view(1, -1, 1, 1)
            for v in (self.images.mean, self.images.std)
        )
        return (pixels / 255 - mean) / std

    def _labels(self, each: int) -> Tensor:
        return torch.arange(self.spec.way, device=self.device).repeat_interleave(each)


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
