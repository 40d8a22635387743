"""Pixels and encoded pictures in the uncompressed chunk files of a Zarr store, read without reading the rest.

Rows are read, not mapped: the pages of a map count as memory of the process, and a set of 9 GB filled 10 GB so.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml.errors import DataError

_READ = 1 << 24  # bytes at a time


class ChunkFiles:
    """Files of a store that is not written to any more, opened for each reading."""

    def __init__(self, store: Path, names: Sequence[str], sizes: Sequence[int]) -> None:
        """Below `store`, of so many bytes each: a cheap check, so at every load.

        Raises:
            DataError: a file is missing or has another size.
        """
        self.store, self.names = store, tuple(names)
        for name, size in zip(names, sizes, strict=True):
            path = store / name
            found = path.stat().st_size if path.is_file() else None
            if found != size:
                what = "is missing" if found is None else f"has {found} bytes, not {size}"
                raise DataError(f"{path} {what}: the prepared set is damaged")
        self._identity = _identity(store)

    @contextlib.contextmanager
    def open(self, chunk: int) -> Iterator[int]:
        """A descriptor of one file, to read from.

        Raises:
            DataError: it cannot be read, or another set was put in place of this one.
        """
        try:
            handle = os.open(self.store / self.names[chunk], os.O_RDONLY)
            try:
                if _identity(self.store) != self._identity:
                    raise DataError(f"{self.store} was replaced while it was in use: start again")
                yield handle
            finally:
                os.close(handle)
        except OSError as error:
            raise DataError(f"{self.store / self.names[chunk]} cannot be read: {error.strerror}") from error


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_ino, found.st_mtime_ns


class ChunkedImages:
    """Images in files of equally many, of which only the rows that are taken are read.

    A numpy array in what tasks need of one: `shape`, `dtype`, `len`, and `[rows]`, which copies.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, store: Path, names: Sequence[str], shape: tuple[int, ...], per_chunk: int) -> None:
        """Of `shape` (image, channel, height, width), `per_chunk` images to a file; the last may be longer than used.

        Raises:
            DataError: a file is missing or has another size.
        """
        self.shape, self.per_chunk, self.bytes = shape, per_chunk, int(np.prod(shape[1:]))
        self.files = ChunkFiles(store, names, [per_chunk * self.bytes] * len(names))
        self._all = np.arange(shape[0])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any, /) -> npt.NDArray[np.uint8]:
        """Copy the images of `rows`, as numpy does for an array of indices: rows.shape + (channel, height, width).

        Raises:
            IndexError: there is no such row.
            DataError: the files cannot be read any more.
        """
        wanted = np.asarray(self._all[rows])  # numpy's own rules for negative numbers, slices, masks and bounds
        flat = wanted.reshape(-1)
        taken = np.empty((len(flat), *self.shape[1:]), np.uint8)
        chunks, places = np.divmod(flat, self.per_chunk)
        for chunk in np.unique(chunks):
            with self.files.open(int(chunk)) as handle:
                for i in np.flatnonzero(chunks == chunk):
                    if os.preadv(handle, [taken[i]], int(places[i]) * self.bytes) != self.bytes:
                        raise DataError(f"{self.files.store / self.files.names[chunk]} is cut off")
        return taken.reshape(*wanted.shape, *self.shape[1:])


class EncodedOriginals:
    """Picture files, one after another in one chunk file for each chunk of images; decoded when asked for."""

    def __init__(
        self, store: Path, names: Sequence[str], offsets: npt.NDArray[np.int64], per_chunk: int, mode: str
    ) -> None:
        """Picture i is bytes offsets[i] to offsets[i+1] of all chunks; `mode` is Pillow's: RGB or L.

        Raises:
            DataError: a file is missing or has another size.
        """
        self.offsets, self.per_chunk, self.mode = offsets, per_chunk, mode
        starts = offsets[np.minimum(np.arange(len(names) + 1) * per_chunk, len(offsets) - 1)]
        self.files = ChunkFiles(store, names, np.diff(starts).tolist())

    def decode(self, row: int) -> npt.NDArray[np.uint8]:
        """One picture at its own resolution: uint8 (channel, height, width).

        Raises:
            DataError: its bytes are damaged.
        """
        from PIL import Image

        raw = self._bytes(row)
        try:
            with Image.open(io.BytesIO(raw)) as picture:
                pixels = np.array(picture.convert(self.mode))
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise DataError(
                f"picture {row} in {self.files.store} is damaged ({error}): prepare the set again"
            ) from error
        return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def content(self) -> Iterator[bytes]:
        """The offsets and all encoded bytes, in order."""
        yield self.offsets.astype("<i8").tobytes()
        for chunk in range(len(self.files.names)):
            with self.files.open(chunk) as handle:
                while part := os.read(handle, _READ):
                    yield part

    def _bytes(self, row: int) -> bytes:
        chunk = row // self.per_chunk
        start, end = (int(self.offsets[i] - self.offsets[chunk * self.per_chunk]) for i in (row, row + 1))
        with self.files.open(chunk) as handle:
            return os.pread(handle, end - start, start)
