"""Read the log of a run."""

from __future__ import annotations

from typing import Any

from raymaml import runs
from raymaml.errors import MissingError
from raymaml.runlog import RunLog
from raymaml.runs import RunDir


def log(run: str | None = None) -> tuple[RunDir, list[dict[str, Any]]]:
    """What was computed for a run, when, where, and how it ended.

    Args:
        run: name or folder of a run; by default the one whose log is the newest.

    Returns:
        The run, and its events, the oldest first: each with `time`, `event`, `text`, and facts of its kind.

    Raises:
        MissingError: there is no such run, or nothing was logged.
    """
    found = runs.find(run) if run is not None else _newest()
    events = RunLog(found.log).read()
    if not events:
        raise MissingError(f"{found.log} is not there or empty: nothing was computed since raymaml keeps logs")
    return found, events


def _newest() -> RunDir:
    logs = list(runs.home().glob("*/log.jsonl"))
    if not logs:
        raise MissingError(f"no log in {runs.home()}; train a run first, or name one with --run")
    return RunDir(max(logs, key=lambda path: path.stat().st_mtime).parent)
