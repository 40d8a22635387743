"""CIFAR-FS (Bertinetto et al. 2019): the 100 classes of CIFAR-100, 600 pictures each, split 64/16/20."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml.data import unpickle
from raymaml.data.fit import IMAGENET_MEAN, IMAGENET_STD, unless_that_size
from raymaml.data.layouts import Parts, SplitCounts, listed, merged, prefix_of
from raymaml.data.raw import PictureArrays, PictureFiles, Pictures, RawSet, some
from raymaml.data.tree import Tree, open_tree
from raymaml.errors import DataError

CLASSES, SIDE = 100, 32
# Fine labels of the published split; the other 64 are base.
VAL = (4, 7, 14, 15, 19, 26, 27, 32, 40, 47, 48, 55, 71, 73, 87, 89)
NOVEL = (2, 5, 8, 21, 34, 42, 46, 58, 60, 62, 69, 70, 77, 83, 84, 86, 94, 95, 98, 99)
FOLDER = "cifar-100-python/"
WHOLE = SplitCounts(base=64, val=16, novel=20, per_class=600)
# As torchvision has them (datasets/cifar.py).
MD5 = {
    "train": "16019d7e3df5f24257cddd939b257f8d",
    "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
    "meta": "7973b15100ade9c7d40fb424638fde48",
}


@dataclass(frozen=True)
class Expected:
    """What the whole set has; `md5` of the three files."""

    counts: SplitCounts = WHOLE
    md5: Mapping[str, str] = field(default_factory=lambda: dict(MD5))


PUBLISHED = Expected()


def scan(root: Path, *, size: int = SIDE, seed: int = 0, expected: Expected = PUBLISHED) -> RawSet:
    """Find CIFAR-100 as torchvision unpacks it, `cifar-100-python/{train,test,meta}`, or Bertinetto's own folder.

    That one has `data/CLASS/*.png` and `splits/bertinetto/{train,val,test}.txt`. The training and the test
    pictures of CIFAR-100 are taken together, in this order. The split is the published one, whatever the seed.

    Raises:
        MissingError: nothing is at `root`.
        DataError: there is neither, a file is not the published one, or classes or pictures are missing.
    """
    tree = open_tree(root)
    names = tree.names()
    parts = listed(tree, names, "bertinetto")
    pictures: Pictures = PictureFiles(tree)
    if parts is None:
        pictures, parts = _by_pickle(tree, names, expected.md5)
    classes, splits = merged(tree.root, parts, expected.counts)
    return RawSet(
        pictures=pictures,
        classes=classes,
        splits=splits,
        fit=lambda picture: unless_that_size(picture, size),
        channels=3,
        size=size,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        split_rule="Bertinetto et al. 2019",
    )


def _by_pickle(tree: Tree, names: list[str], md5: Mapping[str, str]) -> tuple[Pictures, Parts]:
    # The folder itself may be the root; but files called train and test alone are no sign of CIFAR-100.
    prefix = prefix_of(names, f"{FOLDER}train")
    prefix = f"{prefix}{FOLDER}" if prefix is not None else "" if {"train", "test", "meta"} <= set(names) else None
    if prefix is None:
        raise DataError(
            f"{tree.root} holds no CIFAR-100: expected {FOLDER}{{train,test,meta}} in it, or "
            "data/CLASS/*.png with splits/bertinetto/*.txt"
        )
    missing = [prefix + name for name in MD5 if prefix + name not in names]
    if missing:
        raise DataError(f"{tree.root} lacks {some(missing)}: get the set again")
    values = {name: _load(tree, prefix + name, md5.get(name)) for name in MD5}
    try:
        labels = [unpickle.text(label) for label in values["meta"]["fine_label_names"]]
        if len(set(labels)) != CLASSES:
            raise ValueError(f"it names {len(set(labels))} classes")
        arrays = {name: _pixels(values[name]["data"]) for name in ("train", "test")}
        rows = _rows({name: values[name]["fine_labels"] for name in arrays}, arrays)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise DataError(f"{tree.root} is not CIFAR-100 ({error}): get the set again") from error
    split_of = {**dict.fromkeys(range(CLASSES), "base"), **dict.fromkeys(VAL, "val"), **dict.fromkeys(NOVEL, "novel")}
    parts: dict[str, dict[str, list[str]]] = {"base": {}, "val": {}, "novel": {}}
    for number, label in enumerate(labels):
        parts[split_of[number]][label] = rows[number]
    return PictureArrays(tree.root, arrays), parts


def _load(tree: Tree, name: str, md5: str | None) -> dict[str, Any]:
    digest = hashlib.md5(usedforsecurity=False)
    with tree.open(name) as file:
        while part := file.read(1 << 20):
            digest.update(part)
    found = digest.hexdigest()
    if md5 is not None and found != md5:
        raise DataError(f"{name} in {tree.root} is not the published file (MD5 {found}, not {md5}): get it again")
    with tree.open(name) as file:
        return unpickle.load(file, f"{name} in {tree.root}")


def _pixels(data: Any) -> npt.NDArray[np.uint8]:
    """Rows of 3,072 bytes, channel by channel, to (picture, height, width, 3)."""
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3 * SIDE * SIDE,):
        raise ValueError("its pixels are not uint8 of shape (picture, 3072)")
    return data.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1)


def _rows(labels: Mapping[str, list[int]], arrays: Mapping[str, Any]) -> list[list[str]]:
    """The names of the pictures of each fine label, training pictures first."""
    rows: list[list[str]] = [[] for _ in range(CLASSES)]
    for name, of_rows in labels.items():
        if len(of_rows) != len(arrays[name]) or not all(0 <= label < CLASSES for label in of_rows):
            raise ValueError(f"{name} has {len(arrays[name])} pictures and {len(of_rows)} labels")
        for row, label in enumerate(of_rows):
            rows[label].append(f"{name}/{row}")
    return rows
