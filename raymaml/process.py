"""Which process this is, so that another one, or a person, can tell whether it still runs."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_SECRET = re.compile(r"(token|secret|passw|credential|api-?key)", re.IGNORECASE)
_USER_OF_URL = re.compile(r"//[^/@\s]+@")


@dataclass(frozen=True)
class Process:
    """A process of some machine."""

    host: str
    table: str  # the boot and the namespace that its number belongs to; two containers may share a host name
    pid: int
    started: int  # clock ticks since the boot: another process of that number has another start
    command: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Process:
        """The inverse of `to_dict`.

        Raises:
            KeyError, TypeError, ValueError: the values are not of a process.
        """
        host, table, command = (str(values[name]) for name in ("host", "table", "command"))
        return cls(host, table, int(values["pid"]), int(values["started"]), command)

    @property
    def ended(self) -> bool | None:
        """Whether it has ended; None where this machine cannot tell, which is any other than its own."""
        if not self.table or self.table != _table():
            return None
        start = _start_of(self.pid)
        return None if start is None and _hidden(self.pid) else start != self.started


def this_process() -> Process:
    """The running process."""
    pid = os.getpid()
    return Process(platform.node(), _table(), pid, _start_of(pid) or 0, command_line(sys.argv))


def command_line(arguments: Sequence[str]) -> str:
    """A command for people, the program by its name alone and what looks like a credential left out."""
    if not arguments:
        return ""
    shown, hide = [Path(arguments[0]).name], False
    for word in arguments[1:]:
        name, is_pair, _ = word.partition("=")
        if hide:
            shown.append("***")
        elif _SECRET.search(name) and is_pair:
            shown.append(f"{name}=***")
        else:
            shown.append(_USER_OF_URL.sub("//***@", word))
        hide = not hide and not is_pair and word.startswith("-") and bool(_SECRET.search(word))
    return " ".join(word if word == "***" else shlex.quote(word) for word in shown)


def duration(seconds: float) -> str:
    """A length of time for people, as 1:02:03."""
    whole = max(0, round(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def timestamp(seconds: float | None = None) -> str:
    """A time of this machine's clock in UTC, by default now, as 2026-11-25T15:36:06Z."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _table() -> str:
    """Empty where there is no /proc."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _hidden(pid: int) -> bool:
    """Whether it is another user's, where /proc does not show those (hidepid)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        pass
    return False


def _start_of(pid: int) -> int | None:
    """When a process started; None if there is none, or only what its parent has not yet asked after."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *rest = text.rpartition(")")[2].split()  # the name before it may hold anything
    return None if state in "ZX" else int(rest[18])
