"""The Zarr schema of a prepared set, in one place.

    NAME.zarr/                  attributes: kind, format, and all of the record; `digest` once the set is whole
        images      (image, channel, row, column)   uint8
        done        (chunk,)    1 once a chunk of images is written; written after its pixels and files
        offsets     (image+1,)  where each picture file starts, and the end; only where files are kept
        originals/K (byte,)     the files of the pictures of chunk K, one after another

Chunks are not compressed, so that single images are read from where they lie: pixels of photographs shrink little,
and a set of 9 GB is trained on in less memory. A chunk has one writer, and all metadata is written before any starts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from raymaml import zarr_groups
from raymaml.data.chunked import ChunkedImages, EncodedOriginals
from raymaml.data.imageset import SPLITS, ImageSet
from raymaml.data.raw import RawSet
from raymaml.errors import DataError

KIND, FORMAT = "raymaml.images", 1
LARGEST = 64 * 2**20  # bytes of a chunk, of pixels or of files
MOST, FEWEST = 1024, 16  # images in a chunk: a file of 22 MB at 84 pixels; and not a file for each image
PACKAGES = ("numpy", "pillow", "raymaml", "zarr")  # what the bytes may depend on

Encoded = Sequence[bytes]


@dataclass(frozen=True)
class ImageStore:
    """A store that is being filled."""

    path: Path
    record: Mapping[str, Any]
    group: zarr.Group

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return int(self._array("done").shape[0])

    @property
    def total(self) -> int:
        """How many images the whole set has."""
        return int(self._array("images").shape[0])

    def rows(self, chunk: int) -> range:
        """The images of a chunk."""
        array = self._array("images")
        return range(array.shape[0])[chunk * array.chunks[0] : (chunk + 1) * array.chunks[0]]

    def missing(self) -> list[int]:
        """Chunks that are not written yet."""
        return np.flatnonzero(np.asarray(self._array("done")[...]) == 0).tolist()

    def write(self, chunk: int, pixels: npt.NDArray[np.uint8], files: Encoded) -> None:
        """Store one chunk; it counts as done only after all of it is on disk.

        Raises:
            DataError: the files are not as long as they were when the preparation began.
        """
        rows = self.rows(chunk)
        if self.record["originals"]:
            offsets = np.asarray(self._array("offsets")[rows.start : rows.stop + 1])
            if np.diff(offsets).tolist() != [len(file) for file in files]:
                raise DataError(f"{self.record['settings']['root']} changed while it was read: prepare it again")
            self._array(f"originals/{chunk}")[:] = np.frombuffer(b"".join(files), np.uint8)
        self._array("images")[rows.start : rows.stop] = pixels
        self._array("done")[chunk] = 1

    def _array(self, name: str) -> zarr.Array[Any]:
        return zarr_groups.array_of(self.group, name)


def record_of(raw: RawSet, settings: Mapping[str, Any]) -> dict[str, Any]:
    """All that is known before a picture is decoded; equal for equal settings and files.

    Raises:
        DataError: a picture is an empty file, or its size cannot be read.
    """
    sizes = raw.pictures.sizes(raw.names)
    if 0 in sizes:
        raise DataError(f"{raw.names[sizes.index(0)]} in {raw.pictures.root} is empty: get it again")
    listing = json.dumps([raw.names, sizes])
    return {
        "settings": dict(settings),
        "split_rule": raw.split_rule,
        "classes": {c: len(members) for c, members in raw.classes.items()},
        "splits": {split: list(members) for split, members in raw.splits.items()},
        "mean": list(raw.mean),
        "std": list(raw.std),
        "originals": raw.keep_files,
        "files": hashlib.sha256(listing.encode()).hexdigest(),  # of their names and sizes
        "provenance": {name: metadata.version(name) for name in PACKAGES},
    }


def create(path: Path, raw: RawSet, record: Mapping[str, Any]) -> ImageStore:
    """An empty store in the empty folder `path`; nothing but its attributes names it, and they are written last."""
    group = zarr.create_group(path)
    sizes = raw.pictures.sizes(raw.names)
    image = (raw.channels, raw.size, raw.size)
    step = _images_per_chunk(len(raw.names), int(np.prod(image)), sizes if raw.keep_files else [])
    chunks = -(-len(raw.names) // step)
    _new(group, "images", (len(raw.names), *image), (step, *image), ("image", "channel", "row", "column"))
    _new(group, "done", (chunks,), (1,), ("chunk",))
    if raw.keep_files:
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        _new(group, "offsets", offsets.shape, offsets.shape, ("boundary",), "int64")[:] = offsets
        group.create_group("originals")
        for chunk, start in enumerate(range(0, len(raw.names), step)):
            length = int(offsets[min(start + step, len(raw.names))] - offsets[start])
            _new(group, f"originals/{chunk}", (length,), (length,), (f"byte_{chunk}",))
    group.attrs.update({"kind": KIND, "format": FORMAT, **record})
    return reopen(path)


def reopen(path: Path) -> ImageStore:
    """Open a store to fill it; raises anything where it is no store."""
    group = zarr_groups.open_group(path, "r+")
    return ImageStore(path, {k: v for k, v in group.attrs.items() if k not in ("kind", "format")}, group)


def finish(store: ImageStore, name: str) -> None:
    """Put the digest into a store whose chunks are all written, and everything onto the disk itself."""
    if store.missing():
        raise AssertionError(f"{store.path} lacks chunks")
    store.group.attrs["digest"] = _image_set(name, store.path, store.group, dict(store.record)).digest
    for path in store.path.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def read_record(path: Path) -> dict[str, Any]:
    """The attributes of a whole store.

    Raises:
        DataError: it is none, or was written by another version.
    """
    return dict(_open_whole(path).attrs)


def load(path: Path, name: str) -> ImageSet:
    """Open a whole set. Checked are the metadata and the sizes of all files, not their contents.

    Raises:
        DataError: it is damaged, or was written by another version.
    """
    group = _open_whole(path)
    try:
        return _image_set(name, path, group, dict(group.attrs))
    except DataError:
        raise
    except Exception as error:  # damaged metadata raise a dozen types in zarr and here
        raise DataError(f"{path} is damaged ({error or type(error).__name__})") from error


def _open_whole(path: Path) -> zarr.Group:
    try:
        group = zarr_groups.open_group(path)
        attributes = dict(group.attrs)
    except Exception as error:  # as above
        raise DataError(f"{path} is damaged ({error or type(error).__name__})") from error
    found = attributes.get("format")
    if attributes.get("kind") != KIND or found != FORMAT:
        age = "a newer" if isinstance(found, int) and found > FORMAT else "another"
        raise DataError(f"{path} was written by {age} version of raymaml")
    if not isinstance(attributes.get("digest"), str) or not isinstance(attributes.get("settings"), dict):
        raise DataError(f"{path} is damaged")
    return group


def _image_set(name: str, path: Path, group: zarr.Group, record: Mapping[str, Any]) -> ImageSet:
    array = zarr_groups.array_of(group, "images")
    if array.dtype != np.uint8 or array.compressors or array.filters or array.chunks[1:] != array.shape[1:]:
        raise ValueError("its images are stored in another way")
    counts, step = record["classes"], array.chunks[0]  # class -> number of images, in the order of the rows
    index = {c: i for i, c in enumerate(counts)}
    labels = np.repeat(np.arange(len(counts), dtype=np.int64), list(counts.values()))
    if len(labels) != array.shape[0]:
        raise ValueError("its classes do not add up to its images")
    chunks = range(-(-array.shape[0] // step))
    return ImageSet(
        name=name,
        images=ChunkedImages(path, [f"images/c/{k}/0/0/0" for k in chunks], array.shape, step),
        labels=labels,
        class_names=tuple(counts),
        splits={split: tuple(sorted(index[c] for c in record["splits"][split])) for split in SPLITS},
        mean=tuple(record["mean"]),
        std=tuple(record["std"]),
        originals=_originals(path, group, len(chunks), step, "L" if array.shape[1] == 1 else "RGB")
        if record["originals"]
        else None,
        known_digest=record.get("digest"),
    )


def _originals(path: Path, group: zarr.Group, chunks: int, step: int, mode: str) -> EncodedOriginals:
    array = zarr_groups.array_of(group, "offsets")
    offsets = np.asarray(array[...], np.int64)
    return EncodedOriginals(path, [f"originals/{k}/c/0" for k in range(chunks)], offsets, step, mode)


def _images_per_chunk(images: int, image: int, files: Sequence[int]) -> int:
    """As many as LARGEST bytes hold, of pixels (`image` bytes each) and of files, within FEWEST and MOST."""
    step = max(FEWEST, min(MOST, LARGEST // image))
    sizes = np.array(files, np.int64)
    while files and step > FEWEST and np.add.reduceat(sizes, np.arange(0, len(files), step)).max() > LARGEST:
        step = max(FEWEST, step // 2)
    return -(-images // -(-images // step))  # equally many in each: Zarr fills the last chunk up to the full size


def _new(
    group: zarr.Group, name: str, shape: Any, chunks: Any, dimensions: tuple[str, ...], dtype: str = "uint8"
) -> zarr.Array[Any]:
    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        fill_value=0,
        compressors=None,
        filters=None,
        dimension_names=dimensions,
    )
