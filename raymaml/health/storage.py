"""The folders that raymaml writes to: space, rights, and what locks need of their file system."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from raymaml.health.check import Check, size
from raymaml.locks import SILENT

LITTLE, LEAST = 10 * 2**30, 2**30  # bytes; a run of Conv4 takes some MB, of ResNet18 135 MB a checkpoint
SHIFT = SILENT / 4  # seconds between two clocks, from which on ages of locks mislead


def space(name: str, folder: Path, free: int) -> Check:
    """The free bytes of a folder's disk."""
    text = f"{size(free)} free for {folder}"
    if free < LEAST:
        return Check(name, "problem", text, "make room, or name another folder (RAYMAML_HOME, RAYMAML_CACHE, --out)")
    if free < LITTLE:
        return Check(name, "warning", text, "enough for small runs; stores of ResNets take gigabytes")
    return Check(name, "ok", text)


def clock(folder: Path, shift: float) -> Check:
    """How far this machine's clock is ahead of the one that stamps the files of a folder, in seconds."""
    text = f"differs by {abs(shift):.1f} s from that of {folder}"
    if abs(shift) > SHIFT:
        advice = f"set both by NTP: locks of other hosts count as left after {SILENT:.0f} s"
        return Check("clock", "warning", text, advice)
    return Check("clock", "ok", text)


def links(folder: Path, works: bool) -> Check:
    """Whether hard links work, by which locks are made whole at once."""
    if works:
        return Check("locks", "ok", f"hard links work in {folder}")
    return Check(
        "locks", "warning", f"{folder} has no hard links", "locks work, less surely: start drivers some seconds apart"
    )


def check_folder(name: str, folder: Path) -> Iterator[Check]:
    """Space and rights of a folder, which need not exist; nothing is left there, and none is made."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    advice = f"make it writable for you, or name another ({'RAYMAML_CACHE' if name == 'cache' else 'RAYMAML_HOME'})"
    if not there.is_dir():
        yield Check(name, "problem", f"{there} is a file: {folder} cannot be made", advice)
        return
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".raymaml-doctor-") as probe:
            probe.write(b"raymaml")
            probe.flush()
            os.fsync(probe.fileno())
            shift = time.time() - os.fstat(probe.fileno()).st_mtime
            linked = _links(Path(probe.name))
    except OSError as error:
        yield Check(name, "problem", f"{there} cannot be written: {error.strerror}", advice)
        return
    yield space(name, folder, shutil.disk_usage(there).free)
    if name == "runs":
        yield links(folder, linked)
        yield clock(folder, shift)


def _links(file: Path) -> bool:
    second = file.with_name(f"{file.name}.link")
    try:
        os.link(file, second)
    except OSError:
        return False
    with contextlib.suppress(OSError):
        second.unlink()
    return True
