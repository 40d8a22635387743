"""A folder of arrays that are cheap to check and dear to build: read if right, else built again."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import platformdirs

from raymaml import files

Array = npt.NDArray[Any]
Arrays = dict[str, Array]

CACHE_VARIABLE = "RAYMAML_CACHE"
_SUM = "cache_sha256"  # a name that a build function may not use


def cache_folder(override: Path | None = None) -> Path:
    """Find where caches live: `override`, else the RAYMAML_CACHE variable, else the user's cache folder."""
    if override is not None:
        return override
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named).expanduser() if named else platformdirs.user_cache_path("raymaml")


def cached_arrays(folder: Path, name: str, key: str, build: Callable[[], Arrays]) -> Arrays:
    """Return what `build()` returns, read from `folder` when a sound copy made for `key` is there.

    A file that is absent, truncated, altered or made for another key is built again without a word.
    A folder that cannot be written costs the next process a build, never an error.
    Raises only what `build` raises.
    """
    path = cache_path(folder, name, key)
    found = _read(path, key)
    if found is not None:
        return found
    arrays = build()
    _write(path, key, arrays)
    return arrays


def cache_path(folder: Path, name: str, key: str) -> Path:
    """Name the file of one key; the key is in it so that two environments do not evict each other."""
    return folder / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"


def _checksum(key: str, arrays: Mapping[str, Array]) -> str:
    """Digest the key, names, types, shapes and bytes: a file made for another key does not match."""
    h = hashlib.sha256(key.encode())
    for name in sorted(arrays):
        a = arrays[name]
        h.update(repr((name, a.dtype.str, a.shape)).encode())
        h.update(np.ascontiguousarray(a).tobytes())
    return h.hexdigest()


def _read(path: Path, key: str) -> Arrays | None:
    """Read a sound file made for `key`; None if there is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception:  # a damaged zip raises a dozen types, from BadZipFile to MemoryError
        return None
    stored = arrays.pop(_SUM, None)
    return arrays if str(stored) == _checksum(key, arrays) else None


def _write(path: Path, key: str, arrays: Arrays) -> None:
    """Put the file in place in one step: a reader sees the old file or the whole new one."""

    def write(temporary: Path) -> None:
        with temporary.open("xb") as file:  # by handle: given a name, savez would append .npz to it
            np.savez(file, allow_pickle=False, **arrays, **{_SUM: np.array(_checksum(key, arrays))})

    with contextlib.suppress(OSError):  # no right to write, no space left
        files.replace(path, write)
