"""The log of a run: `<run>/log.jsonl`, a line of JSON for each event of whatever is computed for the run.

One file for people and programs: each line starts with the time, the event and a sentence; the facts follow as JSON.
`raymaml log` prints the sentences. A line is one write at the end of the file, so that several processes of one host
can write; over NFS the lines of two hosts that write at the same moment can get in each other's way. A log that cannot
be written stops nothing. Environments are never logged, command lines without what looks like a credential.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymaml.process import duration, this_process, timestamp
from raymaml.runs import RunDir

EVERY = 60.0  # seconds between two lines of progress

_silent: set[Path] = set()  # logs that could not be written, and of which that was said


@dataclass(frozen=True)
class RunLog:
    """The log of one run."""

    path: Path

    def write(self, event: str, text: str, **facts: Any) -> None:
        """Add an event: a word of `event` for programs, a sentence for people, and JSON values."""
        line = json.dumps({"time": timestamp(), "event": event, "text": text, **_finite(facts)}, default=str) + "\n"
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                os.write(handle, line.encode())
            finally:
                os.close(handle)
        except OSError as error:
            if self.path not in _silent:
                _silent.add(self.path)
                logging.getLogger(__name__).warning("no log: %s cannot be written (%s)", self.path, error.strerror)

    def read(self) -> list[dict[str, Any]]:
        """The events so far, the oldest first; a line that was cut short is left out."""
        events = []
        with contextlib.suppress(FileNotFoundError):
            for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
                    if isinstance(event, dict) and {"time", "event", "text"} <= set(event):
                        events.append(event)
        return events


def log_of(checkpoint: Path, store: Path) -> RunLog:
    """The log of what is computed from a checkpoint: of its run, wherever the store is; else one beside the store."""
    run = RunDir(checkpoint.parent.parent)
    return RunLog(run.log if run.spec_file.is_file() else store.with_name(f"{store.name}.log.jsonl"))


@contextlib.contextmanager
def computing(logs: Iterable[RunLog], what: str, **facts: Any) -> Iterator[None]:
    """Log that a computation starts, and how and after how long it ends."""
    chosen, started, process = sorted(set(logs), key=lambda log: log.path), time.monotonic(), this_process()

    def tell(event: str, text: str, **more: Any) -> None:
        for log in chosen:
            log.write(event, text, what=what, pid=process.pid, host=process.host, **more)

    def seconds() -> float:
        return round(time.monotonic() - started, 1)

    tell("started", f"{what} started on {process.host}: {process.command}", command=process.command, **facts)
    try:
        yield
    except KeyboardInterrupt:
        tell("stopped", f"{what} stopped by a signal after {duration(seconds())}", seconds=seconds())
        raise
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        tell("failed", f"{what} failed after {duration(seconds())}: {text}", error=text, seconds=seconds())
        raise
    tell("finished", f"{what} finished after {duration(seconds())}", seconds=seconds())


class Pace:
    """Says when it is time for another line of progress."""

    def __init__(self, every: float = EVERY) -> None:
        self.every, self.told = every, time.monotonic()

    def due(self) -> bool:
        """Whether the last line was long enough ago; then this is the next."""
        due = time.monotonic() - self.told >= self.every
        if due:
            self.told = time.monotonic()
        return due


def _finite(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
