"""A data set as its publisher lays it out: which picture files make which class, and how to read one."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from raymaml import streams
from raymaml.data.imageset import SPLITS
from raymaml.data.tree import Tree
from raymaml.errors import DataError

Pixels = npt.NDArray[np.uint8]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class RawSet:
    """What a loader found under a root, checked for completeness but not yet decoded."""

    tree: Tree
    classes: Mapping[str, Sequence[str]]  # class name -> files, in the order of the prepared images
    splits: Mapping[str, Sequence[str]]  # base | val | novel -> class names
    fit: Callable[[Image.Image], Pixels]  # one picture to (channel, size, size)
    channels: int
    size: int  # pixels
    mean: tuple[float, ...]
    std: tuple[float, ...]
    split_rule: str  # for people

    def pixels(self, name: str) -> Pixels:
        """Read and fit one picture: uint8 (channel, size, size).

        Raises:
            DataError: the file is no picture, is truncated, or cannot be read; the text names it.
        """
        raw = self.tree.read(name)
        try:
            with Image.open(io.BytesIO(raw)) as picture:
                picture.load()
                return self.fit(picture)
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            raise DataError(f"{name} in {self.tree.root} is no whole picture ({error}): get it again") from error


def split_names(names: Sequence[str], *key: str | int, least: int) -> dict[str, list[str]]:
    """Deal names to base, val and novel, about 60/20/20, in an order drawn for `key`.

    Raises:
        DataError: there are too few for `least` in each.
    """
    share = max(least, round(0.2 * len(names)))
    if len(names) - 2 * share < least:
        raise DataError(f"{len(names)} are too few to split: base, val and novel need at least {least} each")
    order = [sorted(names)[i] for i in streams.permutation(len(names), "split", *key)]
    parts = order[2 * share :], order[:share], order[share : 2 * share]
    return {split: sorted(part) for split, part in zip(SPLITS, parts, strict=True)}


def some(names: Sequence[str], most: int = 3) -> str:
    """A few names and how many more there are, for one line."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
