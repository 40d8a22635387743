"""A labelled set of images, split by class into base, val and novel."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from raymaml.errors import MismatchError

SPLITS = ("base", "val", "novel")
_STEP = 1024  # images that are hashed at a time: 150 MB at 224 pixels


class Images(Protocol):
    """Pixels of which rows are taken as from a numpy array; they need not be in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(image, channel, height, width)."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """uint8."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> npt.NDArray[np.uint8]: ...


class Originals(Protocol):
    """The pictures as published, at their own resolution."""

    def decode(self, row: int) -> npt.NDArray[np.uint8]:
        """One picture: (channel, height, width)."""
        ...

    def content(self) -> Iterator[bytes]:
        """All that the pictures depend on, for a digest."""
        ...


@dataclass(frozen=True)
class ImageSet:
    """Images with class labels and a split of the classes; nothing is copied per task.

    Images stay uint8: float32 would take four times the memory for the same picture.
    """

    name: str
    images: Images  # uint8 (image, channel, height, width), a numpy array or on disk
    labels: npt.NDArray[np.int64]  # (image,) index into class_names
    class_names: tuple[str, ...]
    splits: Mapping[str, tuple[int, ...]]  # base | val | novel -> class indices
    mean: tuple[float, ...]  # (channel,) subtracted from images / 255
    std: tuple[float, ...]  # (channel,) divides the result
    originals: Originals | None = None  # where there is more to a picture than `images` holds
    known_digest: str | None = None  # of a set on disk, from when it was prepared: hashing gigabytes takes a while

    @cached_property
    def rows_of_class(self) -> tuple[npt.NDArray[np.int64], ...]:
        """For each class, the rows of `images` that show it, in ascending order."""
        order = np.argsort(self.labels, kind="stable")
        bounds = np.searchsorted(self.labels[order], np.arange(len(self.class_names) + 1))
        return tuple(order[a:b] for a, b in pairwise(bounds))

    def count(self, split: str) -> int:
        """Number of images in a split."""
        return sum(len(self.rows_of_class[c]) for c in self.splits[split])

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of everything a task depends on: pixels, labels, splits and normalisation."""
        return self.known_digest or digest_of(self)

    def check(self, digest: str) -> None:
        """Check that these are the images that a run was trained on.

        Raises:
            MismatchError: their digest is another.
        """
        if self.digest != digest:
            raise MismatchError(f"data set {self.name} has other images here than where the run was trained")

    def original(self, row: int) -> npt.NDArray[np.uint8]:
        """One picture at its own resolution: uint8 (channel, height, width), a copy.

        Where no larger one is kept, it is the image as prepared.

        Raises:
            IndexError: there is no such row.
            DataError: what is on disk is damaged.
        """
        if self.originals is not None:
            return self.originals.decode(range(len(self.images))[row])
        return np.array(self.images[row])


def digest_of(images: ImageSet) -> str:
    """Compute the digest from the pixels themselves, whatever digest is known; reads everything once."""
    h = hashlib.sha256(repr((images.images.shape, images.mean, images.std, images.class_names)).encode())
    h.update(repr(sorted((k, v) for k, v in images.splits.items())).encode())
    h.update(np.ascontiguousarray(images.labels, dtype="<i8").tobytes())
    for start in range(0, len(images.images), _STEP):  # by parts: sets of gigabytes are not copied
        h.update(np.ascontiguousarray(images.images[start : start + _STEP]).reshape(-1).data)
    for part in () if images.originals is None else images.originals.content():
        h.update(part)
    return h.hexdigest()
