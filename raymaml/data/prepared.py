"""Prepared data sets: decoded once, kept in the data cache, of which every process reads the images it needs.

A set is a Zarr store NAME.zarr (see `raymaml.data.store`). It is filled under the name .NAME.partial and renamed when
it is whole, so an interrupted preparation leaves none, and continues where it stopped.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raymaml import locks
from raymaml.data.cache import cache_folder
from raymaml.data.imageset import ImageSet, digest_of
from raymaml.errors import DataError, MissingError, RaymamlError, SpecError

if TYPE_CHECKING:  # they import Pillow and zarr, which a list of names needs not
    from raymaml.data.raw import RawSet
    from raymaml.data.store import ImageStore

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Progress:
    """How far a preparation is."""

    images: int
    images_total: int
    decoded: int  # in this call
    seconds: float


Tell = Callable[[Progress], None]
Fill = Callable[["ImageStore", "RawSet", Callable[[int], None]], None]  # calls back with each chunk it has written


def folder() -> Path:
    """The folder of prepared sets, in the data cache."""
    return cache_folder() / "prepared"


def check_name(name: str) -> str:
    """Give `name` back if it can be the name of a file; SpecError otherwise."""
    if not _NAME.fullmatch(name):
        raise SpecError(f"a data set's name is letters, digits, '.', '_' and '-', got {name!r}")
    return name


def names() -> list[str]:
    """The sets that are prepared here."""
    return sorted(p.name.removesuffix(".zarr") for p in folder().glob("*.zarr") if not p.name.startswith("."))


def read_record(name: str) -> dict[str, Any] | None:
    """What is known of a prepared set: settings, split rule, classes, digest, ...; None where there is none.

    Raises:
        DataError: it is damaged, or was written by another version.
    """
    path = _path(name)
    if not path.exists():
        return None
    from raymaml.data import store

    with _advice(name):
        return store.read_record(path)


def load(name: str) -> ImageSet:
    """The prepared set of that name, its pixels on disk until they are taken: uint8 (image, channel, size, size).

    Raises:
        MissingError: it is not prepared here.
        DataError: its files are damaged: of another size, or missing. See `check` for their contents.
    """
    record = read_record(name)
    if record is None:
        raise MissingError(f"{name} is not prepared here: `raymaml data list` says how")
    return _open(str(folder()), name, record["digest"])


@functools.cache
def _open(where: str, name: str, digest: str) -> ImageSet:
    from raymaml.data import store

    with _advice(name):
        return store.load(Path(where) / f"{name}.zarr", name)


def check(name: str) -> ImageSet:
    """Read all of a prepared set, and compare it with the digest from when it was prepared.

    Raises:
        MissingError: it is not prepared here.
        DataError: it is damaged.
    """
    _open.cache_clear()
    images = load(name)
    with _advice(name):
        if digest_of(images) != images.digest:
            raise DataError(f"{_path(name)} is damaged: it holds other bytes than were written")
    return images


def write(name: str, raw: RawSet, settings: dict[str, Any], fill: Fill | None = None, tell: Tell | None = None) -> None:
    """Decode a set, and put it in place of the one of that name, if any; a preparation that was killed continues.

    Args:
        name: of the set.
        raw: its pictures.
        settings: what they depend on, as JSON values; must hold `root`.
        fill: writes the missing chunks; by default in this process.
        tell: called after each chunk.

    Raises:
        DataError: a picture cannot be read; what was there before stays.
        BusyError: another process prepares the set.
        SpecError: the cache folder cannot be written.
    """
    from raymaml.data import store as stores

    partial, record = folder() / f".{check_name(name)}.partial", stores.record_of(raw, settings)
    try:
        with locks.hold([_path(name)], nested=False):
            partial.mkdir(exist_ok=True)
            store = _resumed(partial, record) or stores.create(partial, raw, record)
            try:
                (fill or fill_here)(store, raw, _Counter(store, tell or (lambda _: None)))
            except RaymamlError as error:
                # A picture that is damaged must change, and with it all that follows. Where nothing is done yet,
                # as when no cluster answers, nothing stays.
                if isinstance(error, DataError) or len(store.missing()) == store.chunks:
                    _remove(partial)
                raise
            stores.finish(store, name)
            _put_in_place(partial, _path(name))
    except RaymamlError:  # one of them is an OSError
        raise
    except OSError as error:
        raise SpecError(f"{folder()} cannot be written ({error.strerror}): set RAYMAML_CACHE to another") from error
    _open.cache_clear()


def fill_here(store: ImageStore, raw: RawSet, done: Callable[[int], None]) -> None:
    """Write the missing chunks in a plain loop, each with as many threads as there are processors."""
    for chunk in store.missing():
        write_chunk(store, raw, chunk, threads=os.cpu_count() or 1)
        done(chunk)


def write_chunk(store: ImageStore, raw: RawSet, chunk: int, threads: int = 1) -> None:
    """Decode and store one chunk; Pillow lets go of the interpreter while it decodes.

    Raises:
        DataError: a picture cannot be read.
    """
    rows = store.rows(chunk)
    pixels = np.empty((len(rows), raw.channels, raw.size, raw.size), np.uint8)
    files = [b""] * len(rows)

    def one(i: int) -> None:
        pixels[i], files[i] = raw.read(raw.names[rows[i]])

    pool = ThreadPoolExecutor(threads)
    try:
        for _ in pool.map(one, range(len(rows))):
            pass
    finally:
        pool.shutdown(cancel_futures=True)  # after an error the rest is not decoded
    store.write(chunk, pixels, files)


class _Counter:
    """Tells of images as chunks are done."""

    def __init__(self, store: ImageStore, tell: Tell) -> None:
        self.store, self.tell, self.started = store, tell, time.monotonic()
        self.before = store.total - sum(len(store.rows(chunk)) for chunk in store.missing())
        self.decoded = 0

    def __call__(self, chunk: int) -> None:
        self.decoded += len(self.store.rows(chunk))
        seconds = time.monotonic() - self.started
        self.tell(Progress(self.before + self.decoded, self.store.total, self.decoded, seconds))


def _path(name: str) -> Path:
    return folder() / f"{check_name(name)}.zarr"


@contextlib.contextmanager
def _advice(name: str) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"{error}: prepare {name} again with --replace") from error


def _resumed(partial: Path, record: dict[str, Any]) -> ImageStore | None:
    """The unfinished store, if it was begun for the same settings and files; else the folder is emptied."""
    from raymaml.data import store as stores

    with contextlib.suppress(Exception):  # whatever a half-made store raises in zarr
        store = stores.reopen(partial)
        found = {k: v for k, v in store.record.items() if k != "digest"}
        if found == record:
            for leftover in partial.rglob("*.partial"):  # of a writer that was killed
                leftover.unlink()
            return store
    for child in partial.iterdir():
        shutil.rmtree(child) if child.is_dir() else child.unlink()
    return None


def _remove(folder: Path) -> None:
    """Remove a folder into which an actor that was just killed may still write for a moment."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)
    shutil.rmtree(folder)  # which says why not


def _put_in_place(partial: Path, path: Path) -> None:
    for leftover in path.parent.glob(f".{path.name}.*.old"):  # of a process that was killed just here
        shutil.rmtree(leftover)
    old = path.with_name(f".{path.name}.{uuid.uuid4().hex}.old")
    if path.exists():
        os.rename(path, old)  # a folder cannot be renamed over another
    os.rename(partial, path)
    shutil.rmtree(old, ignore_errors=True)
