"""CUB-200-2011 (Wah et al. 2011): 11,788 photographs of 200 bird species, in its official folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from raymaml.data.fit import IMAGENET_MEAN, IMAGENET_STD, resized_and_cropped
from raymaml.data.layouts import is_picture, lines
from raymaml.data.raw import PictureFiles, RawSet, some
from raymaml.data.tree import Tree, open_tree
from raymaml.errors import DataError

_CLASS = re.compile(r"(\d{3})\..+")  # of a folder: 001.Black_footed_Albatross
_PLACES = ("CUB_200_2011/images/", "images/", "")  # where the class folders are below a root that people name


@dataclass(frozen=True)
class Counts:
    """What the whole set has."""

    classes: int = 200
    images: int = 11_788


WHOLE = Counts()


def scan(root: Path, *, size: int = 84, seed: int = 0, expected: Counts = WHOLE) -> RawSet:
    """Find CUB-200-2011 at the folder that holds `CUB_200_2011`, at that folder, or at its `images`.

    The classes are split as by Chen et al. (2019): of the sorted folders, even indices are base, every
    fourth from 1 val, every fourth from 3 novel: 100/50/50. Nothing is drawn, whatever the seed.

    Raises:
        MissingError: nothing is at `root`.
        DataError: there are no such folders, or pictures or classes are missing or too many.
    """
    tree = open_tree(root)
    names = tree.names()
    place, classes = _find(names)
    if not classes:
        raise DataError(f"{tree.root} holds no CUB-200-2011: expected CUB_200_2011/images/NNN.CLASS/*.jpg in it")
    _check(tree, names, place, classes, expected)
    order = list(classes)
    return RawSet(
        pictures=PictureFiles(tree),
        classes=classes,
        splits={"base": order[0::2], "val": order[1::4], "novel": order[3::4]},
        fit=lambda picture: resized_and_cropped(picture, size),
        channels=3,
        size=size,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        split_rule="Chen et al. 2019, by folder index",
        keep_files=True,
    )


def _find(names: Sequence[str]) -> tuple[str, dict[str, list[str]]]:
    """The place of the class folders, and the pictures of each class."""
    for place in _PLACES:
        classes: dict[str, list[str]] = {}
        for name in names:
            parts = PurePosixPath(name.removeprefix(place)).parts
            if name.startswith(place) and len(parts) == 2 and _CLASS.fullmatch(parts[0]) and is_picture(name):
                classes.setdefault(parts[0], []).append(name)
        if classes:
            return place, dict(sorted(classes.items()))
    return "", {}


def _check(
    tree: Tree, names: Sequence[str], place: str, classes: Mapping[str, Sequence[str]], expected: Counts
) -> None:
    numbers = {c[:3] for c in classes}
    missing = [f"{n:03}" for n in range(1, expected.classes + 1) if f"{n:03}" not in numbers]
    if missing:
        raise DataError(f"{tree.root} lacks {len(missing)} of {expected.classes} classes: {some(missing)}")
    if len(classes) != expected.classes:
        raise DataError(f"{tree.root} has {len(classes)} classes, not {expected.classes}: get the set again")
    there = {name.removeprefix(place) for members in classes.values() for name in members}
    published = f"{place.removesuffix('images/')}images.txt"
    if published in names:
        _check_listed(tree, published, there)
    if len(there) != expected.images:
        raise DataError(f"{tree.root} has {len(there)} of {expected.images} pictures: get the set again")


def _check_listed(tree: Tree, published: str, there: set[str]) -> None:
    """Compare with images.txt, whose lines are `number CLASS/NAME.jpg`."""
    listed = [line.partition(" ")[2] for line in lines(tree, published)]
    missing = [name for name in listed if name not in there]
    if missing:
        raise DataError(f"{tree.root} lacks {len(missing)} of {len(listed)} pictures of images.txt: {some(missing)}")
    more = sorted(there.difference(listed))
    if more:
        raise DataError(f"{tree.root} has {len(more)} pictures that are not in images.txt: {some(more)}")
