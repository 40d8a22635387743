"""What the published layouts of split data sets have in common: lists of classes, counts, folders of parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from raymaml.data.imageset import SPLITS
from raymaml.data.raw import some
from raymaml.data.tree import Tree
from raymaml.errors import DataError

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
PARTS = dict(zip(SPLITS, ("train", "val", "test"), strict=True))  # what the few-shot data sets call our splits
Parts = Mapping[str, Mapping[str, Sequence[str]]]  # split -> class -> pictures


@dataclass(frozen=True)
class SplitCounts:
    """How many classes a whole set has in each split, and pictures in each class."""

    base: int
    val: int
    novel: int
    per_class: int


def merged(root: Path, parts: Parts, counts: SplitCounts) -> tuple[dict[str, Sequence[str]], dict[str, list[str]]]:
    """Check three parts of a set, and give all classes, and the classes of each split; sorted within a split.

    Raises:
        DataError: a class is in two splits, or classes or pictures are missing or too many.
    """
    twice = sorted(name for name, n in Counter(c for part in parts.values() for c in part).items() if n > 1)
    if twice:
        raise DataError(f"{root} has {some(twice)} in more than one split: splits must not share classes")
    for split in SPLITS:
        found, expected = len(parts[split]), getattr(counts, split)
        if found != expected:
            raise DataError(f"{root} has {found} of {expected} {split} classes ({PARTS[split]}): get the set again")
    classes = {name: parts[split][name] for split in SPLITS for name in sorted(parts[split])}
    wrong = [f"{name} ({len(set(files))})" for name, files in classes.items() if len(set(files)) != counts.per_class]
    if wrong:
        raise DataError(f"{root}: each class has {counts.per_class} pictures, not so {some(wrong)}; get the set again")
    return classes, {split: sorted(parts[split]) for split in SPLITS}


def prefix_of(names: Sequence[str], path: str) -> str | None:
    """Where `path` is: "" at the root, "FOLDER/" or deeper; the highest place; None where there is none."""
    places = [name.removesuffix(path) for name in names if name == path or name.endswith(f"/{path}")]
    return min(places, key=lambda place: (place.count("/"), place), default=None)


def is_picture(name: str) -> bool:
    """Whether a file's name is one of a picture."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def listed(tree: Tree, names: Sequence[str], rule: str) -> Parts | None:
    """The layout of Bertinetto et al. (2019): data/CLASS/* and splits/RULE/{train,val,test}.txt with class names."""
    lists = {split: f"splits/{rule}/{part}.txt" for split, part in PARTS.items()}
    prefix = prefix_of(names, lists["base"])
    if prefix is None:
        return None
    there = set(names)
    missing = [prefix + path for path in lists.values() if prefix + path not in there]
    if missing:
        raise DataError(f"{tree.root} lacks {some(missing)}: get the set again")
    folders: dict[str, list[str]] = {}
    for name in names:
        parts = PurePosixPath(name.removeprefix(f"{prefix}data/")).parts
        if name.startswith(f"{prefix}data/") and len(parts) == 2 and is_picture(name):
            folders.setdefault(parts[0], []).append(name)
    return {s: {c: folders.get(c, []) for c in lines(tree, prefix + path)} for s, path in lists.items()}


def lines(tree: Tree, name: str) -> list[str]:
    """The lines of a text file that are not empty; DataError where it is no text."""
    try:
        text = tree.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{name} in {tree.root} is no text: get it again") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
