"""This machine: memory, shared memory, processors, threads, open files; and what a container leaves of them."""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from raymaml.health.check import Check, size

ACTOR = 2**30  # bytes: torch, Ray and a model of an actor took 0.6 to 0.9 GB on the CPU
SHARED = 200 * 2**20  # bytes: the object store of a cluster of our own (runtime.session)
FILES = 4096  # open files: Ray's documentation asks for more than a shell's 1,024
UNLIMITED = 2**60  # cgroup v1 says so by a number near 2**63


@dataclass(frozen=True)
class Limits:
    """What a container may use; None is without a limit."""

    memory: int | None = None  # bytes
    used: int = 0  # bytes of it
    processors: float | None = None


def memory(available: int, limits: Limits, processors: int) -> Check:
    """Bytes that are available, against an actor for each processor."""
    free = available if limits.memory is None else min(available, max(0, limits.memory - limits.used))
    of = "" if limits.memory is None else f" (the container's limit is {size(limits.memory)})"
    text = f"{size(free)} available{of}"
    if free < 2 * ACTOR:
        return Check(
            "memory", "problem", text, "Ray and one actor take about 2 GiB: end other programs, or raise the limit"
        )
    if free < ACTOR * (processors + 1):
        most = int(free // ACTOR) - 1
        return Check("memory", "warning", text, f"{processors} actors of 1 GiB may not fit: use --actors {most}")
    return Check("memory", "ok", text)


def shared_memory(free: int | None) -> Check:
    """Free bytes of /dev/shm; None where there is none."""
    if free is None or free < SHARED:
        text = "is not there" if free is None else f"{size(free)} free"
        advice = f"Ray falls back to /tmp, which is slow: give {size(SHARED)} (docker run --shm-size=1g)"
        return Check("/dev/shm", "warning", text, advice)
    return Check("/dev/shm", "ok", f"{size(free)} free")


def processors(count: int, limits: Limits) -> Check:
    """Processors that this process may run on, against the container's share of time."""
    if limits.processors is not None and limits.processors < count:
        share = f"{limits.processors:g}"
        text = f"{count}, but the container may use the time of {share}"
        return Check("processors", "warning", text, f"use --actors {max(1, int(limits.processors))}")
    return Check("processors", "ok", f"{count}")


def threads(variable: str | None, count: int) -> Check:
    """OMP_NUM_THREADS, and torch's threads; both only for what raymaml does not pin itself."""
    text = f"{count} in this process; training and actors set their own, 1 unless told (--threads)"
    if variable and not variable.isdigit():
        return Check("threads", "warning", f"OMP_NUM_THREADS is {variable!r}", "set a number, or unset it")
    return Check("threads", "ok", text)


def allocator(tunable: bool, preloaded: str) -> Check:
    """Whether freed memory can be kept (glibc's mallopt), and what LD_PRELOAD puts in its place."""
    if preloaded:
        return Check("malloc", "ok", f"LD_PRELOAD is {preloaded}; with another allocator mallopt changes nothing")
    if not tunable:
        advice = "up to 1.7 times slower on 84 pixels: use a system with glibc"
        return Check("malloc", "warning", "this C library has no mallopt", advice)
    return Check("malloc", "ok", "glibc; freed memory is kept")


def open_files(soft: int, hard: int) -> Check:
    """The limits of open files."""
    if soft < FILES:
        raised = f"ulimit -n {min(hard, 65_536) if hard > 0 else 65_536}"
        return Check("open files", "warning", f"at most {soft}", f"Ray may run out of them: {raised}")
    return Check("open files", "ok", f"at most {soft}")


def check_host() -> Iterator[Check]:
    """All of this machine."""
    limits, count = read_limits(Path("/")), len(os.sched_getaffinity(0))
    yield memory(read_available(Path("/proc/meminfo").read_text(encoding="ascii")), limits, count)
    yield shared_memory(shutil.disk_usage("/dev/shm").free if Path("/dev/shm").is_dir() else None)
    yield processors(count, limits)
    yield allocator(_has_mallopt(), os.environ.get("LD_PRELOAD", ""))
    yield open_files(*resource.getrlimit(resource.RLIMIT_NOFILE))


def read_available(meminfo: str) -> int:
    """MemAvailable of /proc/meminfo, in bytes."""
    lines = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    return int(lines["MemAvailable"].split()[0]) * 1024


def read_limits(root: Path) -> Limits:
    """The tightest limits of this process's control groups, of version 2 or 1, and of those above them."""
    groups = _groups(root)
    memory_limits: list[tuple[int, int]] = []  # limit, used
    shares: list[float] = []
    for folder in _upwards(root / "sys/fs/cgroup", groups.get("", "")):
        memory_limits += _pair(folder / "memory.max", folder / "memory.current")
        quota = _words(folder / "cpu.max")
        if len(quota) == 2 and quota[0] != "max":
            shares.append(int(quota[0]) / int(quota[1]))
    for folder in _upwards(root / "sys/fs/cgroup/memory", groups.get("memory", "")):
        memory_limits += _pair(folder / "memory.limit_in_bytes", folder / "memory.usage_in_bytes")
    for folder in _upwards(root / "sys/fs/cgroup/cpu", groups.get("cpu", "")):
        found = [_words(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        if all(found) and int(found[0][0]) > 0:
            shares.append(int(found[0][0]) / int(found[1][0]))
    limit, used = min(memory_limits, key=lambda pair: pair[0] - pair[1], default=(None, 0))
    return Limits(limit, used, min(shares, default=None))


def _groups(root: Path) -> dict[str, str]:
    """The path of each controller's group; that of version 2 under the empty name."""
    lines = _text(root / "proc/self/cgroup").splitlines()
    parts = [line.split(":", 2) for line in lines if line.count(":") >= 2]
    return {name: path for _, names, path in parts for name in names.split(",")}


def _upwards(mount: Path, group: str) -> list[Path]:
    """The folders of a group and of those that it is in; in a container only the mount may be there."""
    folder = mount / group.strip("/")
    found = [path for path in (folder, *folder.parents) if path.is_relative_to(mount)]
    return [path for path in found if path.is_dir()]


def _pair(limit: Path, used: Path) -> list[tuple[int, int]]:
    words = _words(limit)
    if not words or words[0] == "max" or int(words[0]) > UNLIMITED:
        return []
    statistics = dict(line.split() for line in _text(limit.with_name("memory.stat")).splitlines())
    cache = statistics.get("total_inactive_file") or statistics.get("inactive_file") or 0  # is given up at need
    return [(int(words[0]), max(0, int((_words(used) or ["0"])[0]) - int(cache)))]


def _words(path: Path) -> list[str]:
    return _text(path).split()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""


def _has_mallopt() -> bool:
    try:
        return hasattr(ctypes.CDLL("libc.so.6"), "mallopt")
    except OSError:
        return False
