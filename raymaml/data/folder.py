"""A user's own pictures: a folder (or zip) with one folder of pictures per class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from raymaml import files
from raymaml.data.fit import IMAGENET_MEAN, IMAGENET_STD, resized_and_cropped
from raymaml.data.imageset import SPLITS
from raymaml.data.layouts import is_picture
from raymaml.data.raw import PictureFiles, RawSet, some, split_names
from raymaml.data.tree import open_tree
from raymaml.errors import DataError

FEWEST = 16  # pictures of a class: 1 support and the 15 queries of the final test
LEAST_CLASSES = 2  # of a split: fewer make no task


def scan(root: Path, *, size: int = 84, seed: int = 0, grey: bool = False, split: Path | None = None) -> RawSet:
    """Find pictures at `<class>/*.png|jpg|...` under a folder or in a zip.

    `split` is a JSON file {"base": [...], "val": [...], "novel": [...]} of class names; classes that it
    does not name are left out. Without it classes are dealt 60/20/20 for `seed`.

    Raises:
        MissingError: nothing is at `root`, or the split file is not there.
        SpecError: the split file is no JSON.
        DataError: a class has too few pictures, or the split is not one of these classes.
    """
    tree = open_tree(root)
    classes: dict[str, list[str]] = {}
    for name in tree.names():
        path = PurePosixPath(name)
        if is_picture(name) and len(path.parts) == 2:
            classes.setdefault(path.parts[0], []).append(name)
    if not classes:
        raise DataError(f"{tree.root} holds no pictures: expected CLASS/NAME.png (or jpg, ...) directly in it")
    splits = split_names(list(classes), "folder", seed, least=LEAST_CLASSES) if split is None else _read(split, classes)
    used = sorted(name for part in splits.values() for name in part)
    few = [f"{name} ({len(classes[name])})" for name in used if len(classes[name]) < FEWEST]
    if few:
        raise DataError(f"{tree.root}: a class needs {FEWEST} pictures or more, too few have {some(few)}")
    return RawSet(
        pictures=PictureFiles(tree),
        classes={name: classes[name] for name in used},
        splits=splits,
        fit=lambda picture: resized_and_cropped(picture, size, "L" if grey else "RGB"),
        channels=1 if grey else 3,
        size=size,
        mean=(0.449,) if grey else IMAGENET_MEAN,  # the mean over the channels
        std=(0.226,) if grey else IMAGENET_STD,
        split_rule=f"seed {seed}" if split is None else f"file {split}",
        keep_files=True,
    )


def _read(path: Path, classes: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    values: Any = files.read_json(path)
    if not isinstance(values, dict) or set(values) != set(SPLITS) or not all(map(_is_names, values.values())):
        raise DataError(f'{path} must be {{"base": [...], "val": [...], "novel": [...]}} with names of classes')
    named = [name for split in SPLITS for name in values[split]]
    unknown = sorted(set(named) - classes.keys())
    if unknown:
        raise DataError(f"{path} names {some(unknown)}: there are no pictures of such a class")
    if len(named) != len(set(named)):
        twice = sorted({name for name in named if named.count(name) > 1})
        raise DataError(f"{path} names {some(twice)} more than once: each class belongs to one split")
    small = [split for split in SPLITS if len(values[split]) < LEAST_CLASSES]
    if small:
        raise DataError(f"{path} gives {some(small)} fewer than {LEAST_CLASSES} classes: too few for a task")
    return {split: sorted(values[split]) for split in SPLITS}


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)
