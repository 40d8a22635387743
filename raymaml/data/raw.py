"""A data set as its publisher lays it out: which pictures make which class, and how to read one."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from raymaml import streams
from raymaml.data.fit import Pixels
from raymaml.data.imageset import SPLITS
from raymaml.data.tree import Tree
from raymaml.errors import DataError


class Pictures(Protocol):
    """Where the pictures of a set are."""

    root: Path
    files: bool  # each picture is a file; else they are rows of arrays, which cost next to nothing to read

    def sizes(self, names: Sequence[str]) -> list[int]:
        """How many bytes each picture takes on disk."""
        ...

    def load(self, name: str) -> tuple[Image.Image, bytes]:
        """One picture, decoded, and the bytes of its file (none where it is no file); DataError if damaged."""
        ...


class PictureFiles:
    """Pictures that are files of a folder or zip, named by their paths."""

    files = True

    def __init__(self, tree: Tree) -> None:
        self.tree, self.root = tree, tree.root

    def sizes(self, names: Sequence[str]) -> list[int]:
        """The sizes of the files."""
        return [self.tree.size(name) for name in names]

    def load(self, name: str) -> tuple[Image.Image, bytes]:
        """Read and decode one file."""
        raw = self.tree.read(name)
        with _named(f"{name} in {self.root}"):
            picture = Image.open(io.BytesIO(raw))
            picture.load()
            return picture, raw


class PictureArrays:
    """Pictures that are rows of arrays in memory, named ARRAY/ROW."""

    files = False

    def __init__(self, root: Path, arrays: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        """Arrays of shape (picture, height, width, 3)."""
        self.root, self.arrays = root, arrays

    def sizes(self, names: Sequence[str]) -> list[int]:
        """The bytes of the pixels."""
        return [self.arrays[name.rpartition("/")[0]][0].nbytes for name in names]

    def load(self, name: str) -> tuple[Image.Image, bytes]:
        """One row as a picture."""
        array, _, row = name.rpartition("/")
        return Image.fromarray(np.ascontiguousarray(self.arrays[array][int(row)])), b""


@dataclass(frozen=True)
class RawSet:
    """What a loader found under a root, checked for completeness but not yet decoded."""

    pictures: Pictures
    classes: Mapping[str, Sequence[str]]  # class name -> pictures, in the order of the prepared images
    splits: Mapping[str, Sequence[str]]  # base | val | novel -> class names
    fit: Callable[[Image.Image], Pixels]  # one picture to (channel, size, size)
    channels: int
    size: int  # pixels
    mean: tuple[float, ...]
    std: tuple[float, ...]
    split_rule: str  # for people
    keep_files: bool = False  # beside the prepared images, since the files hold more than these

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All pictures, in the order of the prepared images."""
        return tuple(name for members in self.classes.values() for name in members)

    def read(self, name: str) -> tuple[Pixels, bytes]:
        """Read and fit one picture: uint8 (channel, size, size), and the bytes of its file, if it is one.

        Raises:
            DataError: the file is no picture, is truncated, or cannot be read; the text names it.
        """
        picture, raw = self.pictures.load(name)
        with _named(f"{name} in {self.pictures.root}"):
            return self.fit(picture), raw


@contextlib.contextmanager
def _named(where: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise DataError(f"{where} is no whole picture ({error}): get it again") from error


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
