"""`raymaml bench`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from raymaml.bench.targets import PARTS
from raymaml.errors import SpecError

from . import options


def bench(
    only: Annotated[
        list[str] | None, typer.Option(help="Of surface, train, engine, driver. Default: all.", show_default=False)
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A little of each, smaller, to see that it works.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Also ResNet10 at 224 pixels: some minutes more.")] = False,
    json: Annotated[Path | None, typer.Option(help="File for all figures as JSON.", show_default=False)] = None,
) -> None:
    """Measure this machine: the published way against ours, actors against plain processes, the driver's rate.

    Takes about 5 minutes on two cores, and wants them for itself. GPUs are not used. Exit code 0 whatever is measured.
    """
    parts = options.choices(only or list(PARTS), "--only", PARTS)
    if json:
        _check_writable(json.expanduser())
    from raymaml import files
    from raymaml.bench import targets
    from raymaml.verbs.bench import run_bench

    figures = run_bench(parts, quick=quick, full=full, on_step=options.say)
    rows = [(line.label, line.value, line.target, line.verdict) for line in targets.lines(figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    options.say_lines(["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows])
    options.say_lines(["", *targets.remarks(figures)])
    if json:
        files.write_json(json.expanduser(), figures)
        options.say_written([json])


def _check_writable(path: Path) -> None:
    """Refuse before minutes of measuring what could not be written after them."""
    refusal = SpecError(f"--json needs a file that can be written, {path} cannot: name another")
    if path.is_dir():
        raise refusal
    there = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        tempfile.TemporaryFile(dir=there).close()  # root is told that it may write where nobody can
    except OSError:
        raise refusal from None
