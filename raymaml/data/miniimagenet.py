"""miniImageNet (Vinyals et al. 2016) with the split of Ravi and Larochelle (2017), in the layouts that are around."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml.data import unpickle
from raymaml.data.fit import IMAGENET_MEAN, IMAGENET_STD, unless_that_size
from raymaml.data.layouts import PARTS, Parts, SplitCounts, is_picture, lines, listed, merged, prefix_of
from raymaml.data.raw import PictureArrays, PictureFiles, Pictures, RawSet, some
from raymaml.data.tree import Tree, open_tree
from raymaml.errors import DataError

WHOLE = SplitCounts(base=64, val=16, novel=20, per_class=600)
LISTS = ("train.csv", "val.csv", "test.csv")
CACHES = {  # Ren et al. 2018
    "base": ("mini-imagenet-cache-train.pkl",),
    "val": ("mini-imagenet-cache-val.pkl", "mini-imagenet-cache-validation.pkl"),
    "novel": ("mini-imagenet-cache-test.pkl",),
}
PHASES = {  # Gidaris and Komodakis 2018
    "base": "miniImageNet_category_split_train_phase_train.pickle",
    "val": "miniImageNet_category_split_val.pickle",
    "novel": "miniImageNet_category_split_test.pickle",
}
LAYOUTS = (
    f"{{train,val,test}}.csv with images/, {CACHES['base'][0]} (val, test), {PHASES['base']} (val, test), "
    "{train,val,test}/CLASS/*.jpg, or data/CLASS/*.jpg with splits/ravi-larochelle/*.txt"
)
Arrays = dict[str, npt.NDArray[np.uint8]]


def scan(root: Path, *, size: int = 84, seed: int = 0, expected: SplitCounts = WHOLE) -> RawSet:
    """Find miniImageNet in any of five layouts; see LAYOUTS. The split is theirs, whatever the seed.

    Pictures of just `size` pixels, as in the pickles, are taken as they are.

    Raises:
        MissingError: nothing is at `root`.
        DataError: there is no such layout, or classes or pictures are missing, too many or in two splits, or a
            pickle is damaged or asks for code.
    """
    tree = open_tree(root)
    pictures, parts = _find(tree)
    classes, splits = merged(tree.root, parts, expected)
    return RawSet(
        pictures=pictures,
        classes=classes,
        splits=splits,
        fit=lambda picture: unless_that_size(picture, size),
        channels=3,
        size=size,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        split_rule="Ravi and Larochelle 2017",
        keep_files=pictures.files,
    )


def _find(tree: Tree) -> tuple[Pictures, Parts]:
    names = tree.names()
    parts = _by_csv(tree, names) or listed(tree, names, "ravi-larochelle") or _by_folders(names)
    if parts is not None:
        return PictureFiles(tree), parts
    found = _by_cache(tree, names) or _by_phase(tree, names)
    if found is None:
        raise DataError(f"{tree.root} holds no miniImageNet: expected {LAYOUTS}")
    arrays, parts = found
    return PictureArrays(tree.root, arrays), parts


# --- picture files


def _by_csv(tree: Tree, names: Sequence[str]) -> Parts | None:
    prefix = prefix_of(names, LISTS[0])
    if prefix is None or not any(name.startswith(f"{prefix}images/") for name in names):
        return None
    there = set(names)
    absent = [prefix + name for name in LISTS if prefix + name not in there]
    if absent:
        raise DataError(f"{tree.root} lacks {some(absent)}: get the set again")
    parts = {split: _rows(tree, prefix, prefix + name) for split, name in zip(PARTS, LISTS, strict=True)}
    pictures = [name for part in parts.values() for members in part.values() for name in members]
    missing = [name for name in pictures if name not in there]
    if missing:
        raise DataError(f"{tree.root} lacks {len(missing)} of {len(pictures)} pictures: {some(missing)}")
    return parts


def _rows(tree: Tree, prefix: str, name: str) -> dict[str, list[str]]:
    """The classes of a list with the header `filename,label`."""
    rows = list(csv.reader(lines(tree, name)))
    if not rows or rows[0] != ["filename", "label"] or any(len(row) != 2 for row in rows):
        raise DataError(f"{name} in {tree.root} must have the header filename,label and two values in each line")
    classes: dict[str, list[str]] = {}
    for filename, label in rows[1:]:
        classes.setdefault(label, []).append(f"{prefix}images/{filename}")
    return classes


def _by_folders(names: Sequence[str]) -> Parts | None:
    split_of = {part: split for split, part in PARTS.items()}
    parts: dict[str, dict[str, list[str]]] = {split: {} for split in PARTS}
    found = [path for path in map(PurePosixPath, names) if path.parts[-3:-2] == ("train",) and is_picture(path.name)]
    if not found:
        return None
    place = min((path.parts[:-3] for path in found), key=lambda folders: (len(folders), folders))
    for name in names:
        *above, part, label, file = ("", "", *PurePosixPath(name).parts)
        if tuple(above[2:]) == place and part in split_of and is_picture(file):
            parts[split_of[part]].setdefault(label, []).append(name)
    return parts


# --- pickled arrays


def _by_cache(tree: Tree, names: Sequence[str]) -> tuple[Arrays, Parts] | None:
    """Pickles of `image_data`, uint8 (picture, 84, 84, 3), and `class_dict`, class -> rows."""
    return _pickled(tree, names, CACHES, "image_data", lambda values: values["class_dict"])


def _by_phase(tree: Tree, names: Sequence[str]) -> tuple[Arrays, Parts] | None:
    """Pickles of `data`, uint8 (picture, 84, 84, 3), and `labels`, a number for each."""
    return _pickled(tree, names, {s: (name,) for s, name in PHASES.items()}, "data", _rows_by_label)


def _rows_by_label(values: Mapping[str, Any]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, label in enumerate(values["labels"]):
        rows.setdefault(f"{int(label):03}", []).append(row)
    return rows


def _pickled(
    tree: Tree, names: Sequence[str], files: Mapping[str, Sequence[str]], pixels: str, rows_of: Any
) -> tuple[Arrays, Parts] | None:
    prefix = prefix_of(names, files["base"][0])
    if prefix is None:
        return None
    arrays: Arrays = {}
    parts: dict[str, dict[str, list[str]]] = {}
    for split, choices in files.items():
        name = next((prefix + choice for choice in choices if prefix + choice in names), None)
        if name is None:
            raise DataError(f"{tree.root} lacks {prefix}{choices[0]}: get the set again")
        with tree.open(name) as file:
            values = unpickle.load(file, f"{name} in {tree.root}")
        try:
            arrays[name] = _checked(values[pixels])
            rows = {unpickle.text(c): [int(row) for row in members] for c, members in rows_of(values).items()}
            every = sorted(row for members in rows.values() for row in members)
            if every != list(range(len(arrays[name]))):
                raise ValueError("not every picture has one class")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{name} in {tree.root} is no pickle of miniImageNet ({error}): get it again") from error
        parts[split] = {c: [f"{name}/{row}" for row in members] for c, members in rows.items()}
    return arrays, parts


def _checked(pixels: Any) -> npt.NDArray[np.uint8]:
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
        raise ValueError("its pixels are not uint8 of shape (picture, height, width, 3)")
    return pixels
