"""`raymaml log`."""

from __future__ import annotations

from typing import Annotated

import typer

from . import options


def log(
    run: Annotated[
        str | None, typer.Option(help="Run: a name or a folder. Default: the one with the newest log.")
    ] = None,
    last: Annotated[int | None, typer.Option(min=1, help="Only so many events.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Every event as a line of JSON, with all its facts.")] = False,
) -> None:
    """What was computed for a run, when, where, and how it ended: one line per event.

    The log is RUN/log.jsonl: starts, ends, signals, lost workers, failures with their reason, progress once a minute.
    """
    import json as encoder

    from raymaml.verbs.log import log as read

    found, events = read(run)
    options.say(f"log {found.log}")
    for event in events[-(last or 0) :]:
        typer.echo(encoder.dumps(event) if json else f"{event['time']}  {event['event']:<16}  {event['text']}")
