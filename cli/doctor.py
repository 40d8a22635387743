"""`raymaml doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options

if TYPE_CHECKING:
    from raymaml.health.check import Check

PROBLEM = 1  # exit code


def doctor(
    address: options.Address = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder that runs go to. Default: $RAYMAML_HOME or artifacts/runs.")
    ] = None,
    ray: Annotated[bool, typer.Option(help="Connect to the cluster, or start one, and ask its nodes.")] = True,
    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each check.")] = False,
) -> None:
    """Check the environment: versions, disks, memory, processors, GPU, authentication, Ray; and say what to do.

    Exit codes: 0 nothing is in the way (there may be warnings); 1 there is a problem.
    """
    import json as encoder

    from raymaml.verbs.doctor import doctor as run

    def say(check: Check) -> None:
        typer.echo(encoder.dumps(check.to_dict()) if json else _line(check))

    if any(check.state == "problem" for check in run(address=address, out=out, start_ray=ray, on_check=say)):
        raise typer.Exit(PROBLEM)


def _line(check: Check) -> str:
    mark = {"ok": "ok", "warning": "warning", "problem": "PROBLEM"}[check.state]
    advice = f"; to do: {check.advice}" if check.advice else ""
    return f"{mark:<9}{check.name}: {' '.join(check.text.split())}{advice}"
