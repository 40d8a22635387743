"""Prepared data sets: decoded once, kept in the data cache, mapped into memory by every process.

A set is two files: `NAME-DIGEST.npy` with the pixels and `NAME.json`, which names it and is written last. Without
the JSON file there is no set, so an interrupted preparation leaves none.
"""

from __future__ import annotations

import functools
import os
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raymaml import files
from raymaml.data.cache import cache_folder
from raymaml.data.imageset import SPLITS, ImageSet
from raymaml.errors import DataError, MissingError, RaymamlError, SpecError

if TYPE_CHECKING:  # it imports Pillow, which loading needs not
    from raymaml.data.raw import RawSet

FORMAT = 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def folder() -> Path:
    """The folder of prepared sets, in the data cache."""
    return cache_folder() / "prepared"


def check_name(name: str) -> str:
    """Give `name` back if it can be the name of a file; SpecError otherwise."""
    if not _NAME.fullmatch(name):
        raise SpecError(f"a data set's name is letters, digits, '.', '_' and '-', got {name!r}")
    return name


def read_record(name: str) -> dict[str, Any] | None:
    """What is known of a prepared set; None where there is none."""
    path = folder() / f"{check_name(name)}.json"
    if not path.exists():
        return None
    record = files.read_json(path)
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise DataError(f"{path} was written by another version of raymaml: prepare {name} again with --replace")
    if not isinstance(record.get("digest"), str) or not isinstance(record.get("settings"), dict):
        raise DataError(f"{path} is damaged: prepare {name} again with --replace")
    return record


def load(name: str) -> ImageSet:
    """The prepared set of that name, its pixels mapped, not copied: uint8 (image, channel, size, size).

    Raises:
        MissingError: it is not prepared here.
        DataError: its files are damaged.
    """
    record = read_record(name)
    if record is None:
        raise MissingError(f"{name} is not prepared here: run `raymaml data prepare {name} --root DIR` first")
    return _open(str(folder()), name, record["digest"])


@functools.cache
def _open(where: str, name: str, digest: str) -> ImageSet:
    record = read_record(name)
    try:
        assert record is not None
        # Copy on write rather than read only: torch warns of arrays that it may not write to. No page is copied.
        pixels = np.load(Path(where) / record["images"], mmap_mode="c", allow_pickle=False)
        found = _image_set(name, record, pixels)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise DataError(f"prepared set {name} in {where} is damaged: prepare it again with --replace") from error
    if found.digest != digest:
        raise DataError(f"prepared set {name} in {where} is damaged: prepare it again with --replace")
    return found


def _image_set(name: str, record: dict[str, Any], pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> ImageSet:
    counts = record["classes"]  # class -> number of images, in the order of the rows
    index = {c: i for i, c in enumerate(counts)}
    return ImageSet(
        name=name,
        images=pixels,
        labels=np.repeat(np.arange(len(counts), dtype=np.int64), list(counts.values())),
        class_names=tuple(counts),
        splits={split: tuple(sorted(index[c] for c in record["splits"][split])) for split in SPLITS},
        mean=tuple(record["mean"]),
        std=tuple(record["std"]),
    )


def write(name: str, raw: RawSet, settings: dict[str, Any]) -> ImageSet:
    """Decode a set and put it in place of the one of that name, if any.

    Raises:
        DataError: a picture cannot be read; what was there before stays.
        SpecError: the cache folder cannot be written.
    """
    where, temporary = folder(), folder() / f".{check_name(name)}-{uuid.uuid4().hex}.partial"
    old = _images_of(name)
    record: dict[str, Any] = {
        "format": FORMAT,
        "settings": settings,
        "split_rule": raw.split_rule,
        "classes": {c: len(members) for c, members in raw.classes.items()},
        "splits": {split: list(members) for split, members in raw.splits.items()},
        "mean": list(raw.mean),
        "std": list(raw.std),
    }
    try:
        where.mkdir(parents=True, exist_ok=True)
        for leftover in where.glob(f".{name}-*.partial"):  # of a preparation that was killed
            leftover.unlink(missing_ok=True)
        pixels = _decode(raw, temporary)
        record["digest"] = _image_set(name, record, pixels).digest
        record["images"] = f"{name}-{record['digest'][:16]}.npy"
        os.replace(temporary, where / record["images"])
        files.write_json(where / f"{name}.json", record)
    except OSError as error:
        raise SpecError(f"{where} cannot be written ({error.strerror}): set RAYMAML_CACHE to another") from error
    finally:
        temporary.unlink(missing_ok=True)
    if old not in (None, record["images"]):
        (where / str(old)).unlink(missing_ok=True)
    _open.cache_clear()
    return load(name)


def _images_of(name: str) -> str | None:
    """The pixel file of the set that is about to be replaced; None where that cannot be said."""
    try:
        record = read_record(name) or {}
    except RaymamlError:
        return None
    images = str(record.get("images", ""))
    return images if re.fullmatch(re.escape(name) + r"-[0-9a-f]{16}\.npy", images) else None


def _decode(raw: RawSet, path: Path) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Decode all pictures into a .npy file, which may be larger than memory."""
    names = [name for members in raw.classes.values() for name in members]
    shape = (len(names), raw.channels, raw.size, raw.size)
    pixels = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)

    def one(row: int) -> None:
        pixels[row] = raw.pixels(names[row])

    pool = ThreadPoolExecutor(os.cpu_count())  # Pillow lets go of the interpreter while it decodes
    try:
        for _ in pool.map(one, range(len(names))):
            pass
    finally:
        pool.shutdown(cancel_futures=True)  # after an error the rest is not decoded
    pixels.flush()
    return pixels
