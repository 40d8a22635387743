"""What our Zarr stores have in common: made whole or not at all, opened with one line for whatever is wrong."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import zarr
from zarr.abc.codec import BytesBytesCodec
from zarr.codecs import BytesCodec, Crc32cCodec, ZstdCodec

from raymaml import files
from raymaml.errors import SpecError

# Of all codecs that zarr and its plug-ins know only these are run on a stranger's chunks; none of them is a pickle.
CODECS = (BytesCodec, ZstdCodec, Crc32cCodec)
# What zarr raises for metadata that are not those written; RecursionError is a RuntimeError.
DAMAGED = (OSError, KeyError, TypeError, ValueError, AttributeError, AssertionError, RuntimeError)

MOST_THREADS = 4096  # torch starts as many as it is told


def make(path: Path, fill: Callable[[Path], None]) -> None:
    """Put a store at `path` that `fill` makes in an empty folder: it is never seen half made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=".", suffix=".partial"))
    try:
        fill(temporary)
        temporary.chmod(0o755)
        os.rename(temporary, path)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def remove_leftovers(path: Path) -> None:
    """Drop what killed writers left in and beside a store; only for who knows that nobody else writes (`locks`)."""
    files.remove_leftovers(path)
    for leftover in path.rglob("*.partial"):
        leftover.unlink(missing_ok=True)


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Turn whatever a damaged store raises into one line; `what` is what the store should be.

    Raises:
        SpecError: the store is not one that we wrote, or it is damaged.
    """
    try:
        yield
    except SpecError:
        raise
    except DAMAGED as error:
        raise SpecError(f"{path} is not a {what} that raymaml wrote, or it is damaged: {error}") from error


def open_group(path: Path, mode: Literal["r", "r+"] = "r") -> zarr.Group:
    """The group at `path`, in the format that we write: Zarr 2 allows chunks that are pickles.

    Raises:
        Exception: whatever zarr raises; see `reading`.
    """
    return zarr.open_group(path, mode=mode, zarr_format=3, use_consolidated=False)


def check_format(path: Path, attributes: Mapping[str, Any], kind: str, version: int, what: str) -> None:
    """Check the attributes `kind` and `format` of a store.

    Raises:
        SpecError: it is no `what`, or one of another version.
    """
    if attributes.get("kind") != kind:
        raise SpecError(f"{path} is not a {what} that raymaml wrote")
    found = attributes.get("format")
    if found != version:
        older = isinstance(found, int) and found < version
        advice = "move it away and compute it again" if older else "update raymaml"
        raise SpecError(f"{path} has format {found}, this version reads {version}; {advice}")


def provenance_of(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attribute `provenance` of a store, of which `verify` uses the place of the checkpoint and the threads.

    Raises:
        ValueError: it is not what we write.
    """
    found = attributes["provenance"]
    if not isinstance(found, dict) or not isinstance(found.get("checkpoint_path", ""), str):
        raise ValueError("its provenance is not what raymaml records")
    threads = found.get("threads", 1)
    if type(threads) is not int or not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"its provenance has {threads!r} threads")
    return found


def kind_of(path: Path) -> str | None:
    """The attribute `kind` of the group at `path`; None where there is no group that can be opened."""
    try:
        kind = open_group(path).attrs.get("kind")
    except DAMAGED:
        return None
    return kind if isinstance(kind, str) else None


def compressors() -> tuple[BytesBytesCodec, ...]:
    """What chunks go through: zarr's own default, then a checksum; see `zarr_chunks`."""
    return ZstdCodec(), Crc32cCodec()


def array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """An array of a group, to read and to write.

    Raises:
        SpecError: there is no such array, it is damaged, or its chunks are of a kind that we never write.
    """
    try:
        array = group[name]
        assert isinstance(array, zarr.Array)
        _check(array)
    except DAMAGED as error:
        where = f"{group.store_path}/{name}".removeprefix("file://")
        raise SpecError(f"{where} is not an array that raymaml wrote, or it is damaged: {error}") from error
    # A chunk that equals the fill value, of NaN or of black pixels, would not be stored by default.
    return array.with_config({"write_empty_chunks": True})


def consolidate(group: zarr.Group) -> None:
    """Gather the metadata in one file."""
    with warnings.catch_warnings():
        # Consolidated metadata is not yet in the Zarr 3 specification; readers that know it need one request.
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(group.store)


def _check(array: zarr.Array[Any]) -> None:
    found = getattr(array.metadata, "codecs", (None,))  # the metadata of Zarr 2 have no such list
    codecs = [type(codec).__name__ for codec in found if not isinstance(codec, CODECS)]
    if codecs or array.dtype.kind not in "biuf":
        raise ValueError(f"it holds {array.dtype} through {', '.join(codecs) or 'codecs of ours'}")
