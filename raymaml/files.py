"""Small files that are either the old or the new version, never half of one."""

from __future__ import annotations

import contextlib
import csv
import glob
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from raymaml.errors import MissingError, SpecError

LONGEST_NAME = 255  # bytes, of Linux's file systems
ADVICE = "restore the file, or start over with another --out"


def replace(path: Path, write: Callable[[Path], object], *, in_store: bool = False) -> None:
    """Let `write` fill a temporary file beside `path`, then rename it over `path` in one step.

    `in_store` is for a store's own files.

    Raises:
        SpecError: there can be no such file; see `check_place`.
    """
    (_check_name if in_store else check_place)(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        write(temporary)
        _to_disk(temporary)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _beside(path: Path) -> Path:
    # Not mkstemp: its files are the user's alone, and a run is shared between the nodes of a cluster.
    name = f".{path.name}.{uuid.uuid4().hex}.partial"
    too_long = len(os.fsencode(name)) > LONGEST_NAME
    return path.with_name(f".{uuid.uuid4().hex}.partial" if too_long else name)


def _to_disk(path: Path) -> None:
    with path.open("rb") as written:
        os.fsync(written.fileno())


def create(path: Path, text: str) -> bool:
    """Write a text unless something is at `path` already; whether it was written. Of several callers one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(path)
    try:
        temporary.write_text(text, encoding="utf-8")
        _to_disk(temporary)
        return _link(temporary, path) or (not path.exists() and _open_new(path, text))
    finally:
        temporary.unlink(missing_ok=True)


def _link(temporary: Path, path: Path) -> bool:
    """Whole at once, also on NFS; False if the file is there, or where the file system knows no links."""
    with contextlib.suppress(OSError):
        os.link(temporary, path)
        return True
    return False


def _open_new(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def remove_leftovers(path: Path) -> None:
    """Drop what killed writers of `path` have left beside it; only for who knows that nobody else writes it now."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        if "." not in leftover.name[len(path.name) + 2 : -len(".partial")]:  # else of a longer name
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)


def check_place(path: Path) -> None:
    """Check that a file can be called so, before the work whose result it is to hold.

    Raises:
        SpecError: `path` is a folder or a device, lies in a store, or its name is longer than a file's can be.
    """
    _check_name(path)
    store = next((folder for folder in path.absolute().parents if (folder / "zarr.json").exists()), None)
    if store and not _among_figures(path.absolute().relative_to(store)):
        raise SpecError(f"{path} lies in the store {store}: name another place")


def _among_figures(path: Path) -> bool:
    """Whether a path in a store is one of figures: those of a surface of a set lie beside it, in the set."""
    return any(folder.name.endswith("-figures") for folder in path.parents)


def _check_name(path: Path) -> None:
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise SpecError(f"{path.name[:40]}... cannot be the name of a file: it is longer than {LONGEST_NAME} bytes")
    if not path.name or path.is_dir():
        raise SpecError(f"{path} is a folder: name a file")
    if path.exists() and not path.is_file():  # renaming a file over a device would take it from everyone
        raise SpecError(f"{path} is no file: name one")


def write_text(path: Path, text: str, *, in_store: bool = False) -> None:
    """Write a text, in one step; `in_store` as in `replace`."""
    replace(path, lambda temporary: temporary.write_text(text, encoding="utf-8"), in_store=in_store)


def write_json(path: Path, values: Any, *, in_store: bool = False) -> None:
    """Write JSON values for people to read, in one step; `in_store` as in `replace`."""
    write_text(path, json_text(values), in_store=in_store)


def json_text(values: Any) -> str:
    """JSON values for people to read."""
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table with a line of column names, in one step."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(columns)
            lines.writerows(rows)

    replace(path, write)


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        MissingError: there is no such file.
        SpecError: it cannot be read or is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingError(f"{path} is not there") from None
    except (OSError, ValueError, RecursionError) as error:
        raise SpecError(f"{path} cannot be read as JSON ({error}): {ADVICE}") from error


def sha256(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
