"""One driver per store: whoever computes into a store or a run holds a small file beside it.

`s.zarr` is held by `.s.zarr.lock`: JSON with the process, its host, its command and a token of its own. Readers need
no lock. A lock whose process has ended is taken over: on its own host that is seen at once, by the process's number
and start; elsewhere after SILENT seconds without a sign of life, which its holder gives every BEAT seconds by touching
the file. Of several processes that would take it over one wins (`_take_over`).

Assumed of a shared folder: a file is linked, or opened with O_EXCL, by one client alone (NFS from version 3 on), others
see that within SILENT seconds, and the server sets the times of the files. A holder that was cut off for so long that
it lost its lock is told (`Held.lost`).
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from raymaml import files
from raymaml.errors import BusyError
from raymaml.process import Process, duration, this_process

BEAT, SILENT = 10.0, 60.0  # seconds
ROUNDS = 20  # a lock that comes and goes so often while we look has living takers


@dataclass(frozen=True)
class Holder:
    """What a lock file says; no process if it cannot be read."""

    process: Process | None
    token: str
    since: float  # seconds since 1970, by the holder's clock
    seen: float  # the last sign of life, by the clock of the folder


@dataclass
class _Lock:
    """A lock of this process."""

    file: Path
    token: str
    holders: int = 1  # blocks of this process that hold it
    lost: bool = False


@dataclass
class Held:
    """The locks of one block."""

    locks: list[_Lock] = field(default_factory=list)
    taken_over: dict[Path, Holder] = field(default_factory=dict)  # from processes that ended without letting go

    def lost(self) -> bool:
        """Whether another process has taken one of them over, since this one seemed dead: stop."""
        return any(lock.lost for lock in self.locks)


_HELD: dict[Path, _Lock] = {}  # by the real path of what is held
_GUARD = threading.RLock()
os.register_at_fork(after_in_child=_HELD.clear)


def check(paths: Iterable[Path]) -> None:
    """Refuse what another process computes into now; makes nothing.

    Raises:
        BusyError: another process holds one of them; the text says which.
    """
    for path in map(_real, paths):
        if path not in _HELD and (holder := _read(_file(path))) and not _dead(holder, time.time()):
            raise _busy(path, holder)


@contextlib.contextmanager
def hold(paths: Iterable[Path], *, nested: bool = True) -> Iterator[Held]:
    """Hold paths, which need not exist yet, for the duration of the block.

    Args:
        paths: of stores, or of folders of seeds; the lock is a file beside each.
        nested: whether a block may be inside another one of this process that holds the same path.

    Raises:
        BusyError: another process holds one of them, and then none is held; or, at the end of the block, another
            process has taken one over.
    """
    held = Held()
    try:
        for path in sorted({_real(path) for path in paths}):
            _acquire(path, held, nested)
        yield held
        if held.lost():
            raise _lost(held)
    except KeyboardInterrupt:
        if held.lost():  # that is why it was stopped
            raise _lost(held) from None
        raise
    finally:
        for lock in held.locks:
            _release(lock)


def _acquire(path: Path, held: Held, nested: bool) -> None:
    with _GUARD:
        lock = _HELD.get(path)
        if lock and nested:
            lock.holders += 1
        else:
            token = uuid.uuid4().hex
            if dead := _take(_file(path), token, path):
                held.taken_over[path] = dead
            _remove_leftovers(_file(path), token)
            lock = _HELD[path] = _Lock(_file(path), token)
            _Heart.ensure()
        held.locks.append(lock)


def _release(lock: _Lock) -> None:
    with _GUARD:
        lock.holders -= 1
        if not lock.holders:
            for path in [path for path, other in _HELD.items() if other is lock]:
                del _HELD[path]
            _remove(lock.file, lock.token)


def _remove(file: Path, token: str) -> None:
    with contextlib.suppress(OSError):  # the folder may be gone
        holder = _read(file)
        if holder and holder.token == token:
            file.unlink(missing_ok=True)


def _take(file: Path, token: str, path: Path) -> Holder | None:
    """Make a lock file that holds `token`; gives the dead holder of one that was in its place."""
    text = json.dumps({"token": token, "since": time.time(), **this_process().to_dict()}) + "\n"
    for _ in range(ROUNDS):
        if files.create(file, text):
            return None
        holder = _read(file)
        if holder is None:
            continue  # it was let go a moment ago
        if not _dead(holder, _clock_of(file.parent)):
            raise _busy(path, holder)
        if _take_over(file, text, holder, path):
            return holder
    raise BusyError(f"{path} is taken and let go by other processes all the time: try again")


def _take_over(file: Path, text: str, dead: Holder, path: Path) -> bool:
    """Put our text in place of a dead holder's, unless somebody else was faster.

    Whoever replaces the lock of a token must hold, from before reading that token until after, a lock named after it.
    So nobody replaces what he has not read. If its holder dies, that lock is taken over in the same way.
    """
    own, before = uuid.uuid4().hex, file.with_name(f"{file.name}.{dead.token}")
    _take(before, own, path)
    try:
        there = _read(file)
        if there is None or there.token != dead.token:
            return False
        files.write_text(file, text)
        return True
    finally:
        _remove(before, own)


def _remove_leftovers(file: Path, token: str) -> None:
    """Drop what killed takers left beside our lock; a living one finds another token, and goes without."""
    files.remove_leftovers(file)
    for leftover in file.parent.glob(f"{glob.escape(file.name)}.*"):
        if not leftover.name.startswith(f"{file.name}.{token}"):
            leftover.unlink(missing_ok=True)


def _file(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _read(file: Path) -> Holder | None:
    try:
        text, seen = file.read_text(encoding="utf-8", errors="replace"), file.stat().st_mtime
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        values = json.loads(text)
        return Holder(Process.from_dict(values), str(values["token"]), float(values["since"]), seen)
    except (ValueError, KeyError, TypeError):  # it is just being written, or the disk was full
        return Holder(None, "unreadable", seen, seen)


def _dead(holder: Holder, now: float) -> bool:
    ended = holder.process.ended if holder.process else None
    return now - holder.seen > SILENT if ended is None else ended


def _clock_of(folder: Path) -> float:
    """The time by which the files of a folder are stamped: on NFS the server's, which may differ from ours."""
    with tempfile.TemporaryFile(dir=folder) as probe:  # has no name that a kill could leave
        return os.fstat(probe.fileno()).st_mtime


def _busy(path: Path, holder: Holder) -> BusyError:
    now, process = time.time(), holder.process
    if process is None:
        return BusyError(f"{path} is locked by {_file(path).name}, which cannot be read: try again in a minute")
    return BusyError(
        f"{path} is being computed by process {process.pid} on {process.host}, for {duration(now - holder.since)} "
        f"(last sign of life {max(0, now - holder.seen):.0f} s ago; {process.command}): "
        "wait for it, or stop it there and run this again, which goes on from what is stored"
    )


def _lost(held: Held) -> BusyError:
    names = ", ".join(str(lock.file) for lock in held.locks if lock.lost)
    return BusyError(
        f"{names} was removed, or taken over by another process after this one gave no sign of life for {SILENT:.0f} s "
        "(suspended, or its disk away); what was computed is kept"
    )


class _Heart(threading.Thread):
    """Touches the locks of this process for as long as there are any."""

    running: _Heart | None = None

    def __init__(self, wait: Callable[[float], None] = time.sleep) -> None:
        super().__init__(name="raymaml-locks", daemon=True)
        self.wait = wait

    @classmethod
    def ensure(cls) -> None:
        """Start one unless one runs; the caller holds _GUARD."""
        if cls.running is None or not cls.running.is_alive():
            cls.running = cls()
            cls.running.start()

    def run(self) -> None:
        """Beat until nothing is held."""
        while True:
            self.wait(BEAT)
            with _GUARD:
                locks = list(_HELD.values())
                if not locks:
                    type(self).running = None
                    return
            for lock in locks:
                beat(lock)


def beat(lock: _Lock) -> None:
    """Give a sign of life for one lock, or note that it is lost."""
    with contextlib.suppress(OSError):  # a server that is away for a moment; it is seen again, or the lock is lost
        holder = _read(lock.file)
        if holder and holder.token == lock.token:
            os.utime(lock.file)  # without a time: the server's
        elif lock.holders:
            lock.lost = True
