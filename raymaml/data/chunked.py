"""Pixels and encoded pictures in the uncompressed chunk files of a Zarr store, read without reading the rest."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml.errors import DataError

MAPPED = 256  # chunk files at a time: each holds a file descriptor, of which a process has 1,024 by default
_READ = 1 << 24  # bytes at a time


class ChunkedImages:
    """Images in files of equally many, mapped when first used; only the pages of the rows that are taken are read.

    A numpy array in what tasks need of one: `shape`, `dtype`, `len`, and `[rows]`, which copies.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, paths: Sequence[Path], shape: tuple[int, ...], per_chunk: int) -> None:
        """Of `shape` (image, channel, height, width), `per_chunk` images to a file; the last may be longer than used.

        Raises:
            DataError: a file is missing or has another size.
        """
        self.paths, self.shape, self.per_chunk = tuple(paths), shape, per_chunk
        check_sizes(self.paths, [per_chunk * int(np.prod(shape[1:]))] * len(self.paths))
        self._all = np.arange(shape[0])
        self._map = functools.lru_cache(MAPPED)(self._open)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any, /) -> npt.NDArray[np.uint8]:
        """Copy the images of `rows`, as numpy does for an array of indices: rows.shape + (channel, height, width)."""
        wanted = np.asarray(self._all[rows])  # numpy's own rules for negative numbers, slices, masks and bounds
        flat = wanted.reshape(-1)
        taken = np.empty((len(flat), *self.shape[1:]), np.uint8)
        for chunk in np.unique(flat // self.per_chunk):
            here = flat // self.per_chunk == chunk
            taken[here] = self._map(int(chunk))[flat[here] % self.per_chunk]
        return taken.reshape(*wanted.shape, *self.shape[1:])

    def _open(self, chunk: int) -> npt.NDArray[np.uint8]:
        try:
            return np.memmap(self.paths[chunk], np.uint8, "r", shape=(self.per_chunk, *self.shape[1:]))
        except (OSError, ValueError) as error:
            raise DataError(f"{self.paths[chunk]} cannot be read ({error}): prepare the set again") from error


class EncodedOriginals:
    """Picture files, one after another in one chunk file for each chunk of images; decoded when asked for."""

    def __init__(self, paths: Sequence[Path], offsets: npt.NDArray[np.int64], per_chunk: int, mode: str) -> None:
        """Picture i is bytes offsets[i] to offsets[i+1] of all chunks; `mode` is Pillow's: RGB or L.

        Raises:
            DataError: a file is missing or has another size.
        """
        self.paths, self.offsets, self.per_chunk, self.mode = tuple(paths), offsets, per_chunk, mode
        starts = offsets[np.minimum(np.arange(len(paths) + 1) * per_chunk, len(offsets) - 1)]
        check_sizes(self.paths, np.diff(starts).tolist())

    def decode(self, row: int) -> npt.NDArray[np.uint8]:
        """One picture at its own resolution: uint8 (channel, height, width).

        Raises:
            DataError: its bytes are damaged.
        """
        from PIL import Image

        path = self.paths[row // self.per_chunk]
        try:
            with Image.open(io.BytesIO(self._bytes(row))) as picture:
                pixels = np.array(picture.convert(self.mode))
        except (OSError, ValueError, SyntaxError, EOFError) as error:
            raise DataError(f"picture {row} in {path} is damaged ({error}): prepare the set again") from error
        return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))

    def content(self) -> Iterator[bytes]:
        """The offsets and all encoded bytes, in order."""
        yield self.offsets.astype("<i8").tobytes()
        for path in self.paths:
            with path.open("rb") as file:
                while part := file.read(_READ):
                    yield part

    def _bytes(self, row: int) -> bytes:
        first = self.offsets[row // self.per_chunk * self.per_chunk]
        start, end = (int(self.offsets[i] - first) for i in (row, row + 1))
        with self.paths[row // self.per_chunk].open("rb") as file:
            file.seek(start)
            return file.read(end - start)


def check_sizes(paths: Sequence[Path], sizes: Sequence[int]) -> None:
    """Refuse files that are not there or not of the size they were written with: cheap, so at every load.

    Raises:
        DataError: one is not.
    """
    for path, size in zip(paths, sizes, strict=True):
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            what = "is missing" if found is None else f"has {found} bytes, not {size}"
            raise DataError(f"{path} {what}: the prepared set is damaged")
