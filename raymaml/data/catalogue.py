"""The data sets that can be prepared: what they are, where they come from, how they are found."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymaml.data import prepared
from raymaml.data.imageset import ImageSet
from raymaml.errors import MismatchError, SpecError


@dataclass(frozen=True)
class Entry:
    """One kind of data set."""

    what: str
    licence: str
    source: str  # how to get it
    module: str  # of its `scan`
    size: int  # pixels, unless told


KINDS = {
    "omniglot": Entry(
        "1,623 handwritten characters of 50 alphabets, 20 drawings each",
        "MIT",
        "github.com/brendenlake/omniglot python/images_*.zip, or torchvision.datasets.Omniglot",
        "raymaml.data.omniglot",
        28,
    ),
    "folder": Entry(
        "your own pictures, as CLASS/NAME.png (or jpg, ...)", "yours", "--name NAME", "raymaml.data.folder", 84
    ),
}
RESERVED = {"glyphs", *KINDS}


def prepare(
    kind: str,
    root: Path,
    *,
    name: str | None = None,
    size: int | None = None,
    seed: int = 0,
    grey: bool = False,
    split: Path | None = None,
    replace: bool = False,
) -> ImageSet:
    """Check a data set on disk, decode it once into the data cache, and load it.

    Args:
        kind: `omniglot`, or `folder` for your own pictures.
        root: its folder or zip.
        name: what a folder is called from now on.
        size: pixels of the prepared images; the kind's own unless told.
        seed: of the split, where there is no published one.
        grey: one channel instead of three (folder).
        split: JSON file of the split (folder).
        replace: make it again, also where it is prepared for other settings.

    Raises:
        RaymamlError: the set is not whole, or prepared for other settings; the text says what to do.
    """
    if kind not in KINDS:
        raise SpecError(f"{kind!r} cannot be prepared; there are: {', '.join(KINDS)}")
    entry, called = KINDS[kind], _name_of(kind, name)
    if kind != "folder" and (grey or split):
        raise SpecError("--grey and --split are for `folder`: a published set has its own")
    size = entry.size if size is None else size
    if size < 1:
        raise SpecError(f"--size must be at least 1 pixel, got {size}")
    values: dict[str, Any] = {"kind": kind, "root": str(root.expanduser().absolute()), "size": size, "seed": seed}
    extra: dict[str, Any] = {"grey": grey, "split": split} if kind == "folder" else {}
    settings = values | {k: str(v) if isinstance(v, Path) else v for k, v in extra.items()}
    record = None if replace else prepared.read_record(called)
    if record is not None:
        _check_same(called, record["settings"], settings)
        return prepared.load(called)
    raw = importlib.import_module(entry.module).scan(root, size=size, seed=seed, **extra)
    return prepared.write(called, raw, settings)


def _name_of(kind: str, name: str | None) -> str:
    if kind != "folder":
        if name not in (None, kind):
            raise SpecError(f"--name is for `folder`: this set is called {kind}")
        return kind
    if name is None or name in RESERVED:
        raise SpecError(f"--name must say what to call your pictures, other than {', '.join(sorted(RESERVED))}")
    return prepared.check_name(name)


def _check_same(name: str, there: dict[str, Any], asked: dict[str, Any]) -> None:
    changed = [f"{k} is {there.get(k)}, asked for {v}" for k, v in asked.items() if there.get(k) != v]
    if changed:
        raise MismatchError(f"{name} is prepared already: {'; '.join(changed)}; --replace makes it again")
