"""`raymaml verify`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from raymaml.errors import RaymamlError, SpecError

from . import options, progress

if TYPE_CHECKING:
    from raymaml.verbs.subjects import Check
    from raymaml.verbs.verify import Report

WRONG, INCOMPLETE = 1, 3  # exit codes


def verify(
    store: Annotated[Path, typer.Argument(help="Zarr store: a surface, a set of them, an evaluation, sharpness.")],
    cells: Annotated[int, typer.Option(min=1, help="Cells (of sharpness: tasks) of each store to compute again.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of their choice.")] = 0,
    tolerance: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Largest relative difference of a number. Default: 0 on the machine and versions that computed it; "
            "elsewhere 1e-9 in float64, and a median of 0.001 in float32.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Folder of the checkpoint, its seed or its run, if it was moved.", show_default=False),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="File for all figures as JSON.", show_default=False)] = None,
) -> None:
    """Check a store: files, origin, and random cells computed again in this process, without Ray.

    Exit codes: 0 all is right and complete; 1 something is wrong; 2 the store, its checkpoint or its data set is not
    there; 3 what is there is right, but the store is incomplete.
    """
    from raymaml import files
    from raymaml.verbs.verify import verify as check

    if json is not None:
        _check_report(json.expanduser())
    with progress.display() as shown:
        reports = check(
            store,
            cells=cells,
            seed=seed,
            tolerance=tolerance,
            checkpoint=checkpoint,
            on_store=lambda path: typer.echo(str(path)),
            on_check=_say_check,
            on_progress=progress.verification(shown),
            on_report=lambda report: typer.echo(_summary(report)),
        )
    if json is not None:
        files.write_json(json.expanduser(), [report.to_dict() for report in reports])
        options.say_written([json])
    if not all(report.right for report in reports):
        raise typer.Exit(WRONG)
    if not all(report.complete for report in reports):
        raise typer.Exit(INCOMPLETE)


def _check_report(path: Path) -> None:
    """Refuse to write over anything but an earlier report."""
    from raymaml import files

    files.check_place(path)
    if path.exists():
        try:
            there = files.read_json(path)
        except RaymamlError:
            there = None
        if not isinstance(there, list) or not all(isinstance(row, dict) and "right" in row for row in there):
            raise SpecError(f"{path} is there and is no report of verify: name another file with --json")


def _say_check(check: Check) -> None:
    mark = {True: "ok", False: "FAILED", None: "--"}[check.ok]
    typer.echo(f"{mark:<7}{check.name}: {' '.join(check.text.split())}")


def _summary(report: Report) -> str:
    if report.stored is None or report.float64 is None:
        return "nothing was computed again"
    exact = report.float64
    return (
        f"verified {report.stored.cells:,} of {report.total:,} {report.what}s: {report.stored.equal} equal to the bit; "
        f"float64 differs by at most {exact.absolute_finite:.1e} (relative {exact.relative_finite:.1e})"
    )
