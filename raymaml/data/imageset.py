"""A labelled set of images in memory, split by class into base, val and novel."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

SPLITS = ("base", "val", "novel")


@dataclass(frozen=True)
class ImageSet:
    """Images with class labels and a split of the classes; nothing is copied per task.

    Images stay uint8: float32 would take four times the memory for the same picture.
    """

    name: str
    images: npt.NDArray[np.uint8]  # (image, channel, height, width)
    labels: npt.NDArray[np.int64]  # (image,) index into class_names
    class_names: tuple[str, ...]
    splits: Mapping[str, tuple[int, ...]]  # base | val | novel -> class indices
    mean: tuple[float, ...]  # (channel,) subtracted from images / 255
    std: tuple[float, ...]  # (channel,) divides the result

    @cached_property
    def rows_of_class(self) -> tuple[npt.NDArray[np.int64], ...]:
        """For each class, the rows of `images` that show it, in ascending order."""
        order = np.argsort(self.labels, kind="stable")
        bounds = np.searchsorted(self.labels[order], np.arange(len(self.class_names) + 1))
        return tuple(order[a:b] for a, b in pairwise(bounds))

    def original(self, row: int) -> npt.NDArray[np.uint8]:
        """Image `row` at the best resolution there is: uint8 (channel, height, width)."""
        image: npt.NDArray[np.uint8] = self.images[row]
        return image

    def count(self, split: str) -> int:
        """Number of images in a split."""
        return sum(len(self.rows_of_class[c]) for c in self.splits[split])

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of everything a task depends on: pixels, labels, splits and normalisation."""
        h = hashlib.sha256(repr((self.images.shape, self.mean, self.std, self.class_names)).encode())
        h.update(repr(sorted((k, v) for k, v in self.splits.items())).encode())
        h.update(np.ascontiguousarray(self.labels, dtype="<i8").tobytes())
        h.update(np.ascontiguousarray(self.images).reshape(-1).data)  # a view: sets of gigabytes are not copied
        return h.hexdigest()
