"""What our Zarr stores have in common: made whole or not at all, opened with one line for whatever is wrong."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import zarr
from zarr.abc.codec import BytesBytesCodec
from zarr.codecs import Crc32cCodec, ZstdCodec

from raymaml import files
from raymaml.errors import SpecError


def make(path: Path, fill: Callable[[Path], None]) -> None:
    """Put a store at `path` that `fill` makes in an empty folder: it is never seen half made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial"))
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
    except (OSError, KeyError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise SpecError(f"{path} is not a {what} that raymaml wrote, or it is damaged: {error}") from error


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


def kind_of(path: Path) -> str | None:
    """The attribute `kind` of the group at `path`; None where there is no group that can be opened."""
    try:
        kind = zarr.open_group(path, mode="r", use_consolidated=False).attrs.get("kind")
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return kind if isinstance(kind, str) else None


def compressors() -> tuple[BytesBytesCodec, ...]:
    """What chunks go through: zarr's own default, then a checksum; see `zarr_chunks`."""
    return ZstdCodec(), Crc32cCodec()


def array_of(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """An array of a group, to read and to write."""
    array = group[name]
    assert isinstance(array, zarr.Array)
    # A chunk that equals the fill value, of NaN or of black pixels, would not be stored by default.
    return array.with_config({"write_empty_chunks": True})


def consolidate(group: zarr.Group) -> None:
    """Gather the metadata in one file."""
    with warnings.catch_warnings():
        # Consolidated metadata is not yet in the Zarr 3 specification; readers that know it need one request.
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(group.store)
