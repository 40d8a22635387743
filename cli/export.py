"""`raymaml export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from . import options
from .figure import TasksShown

DEFAULT = "Default: the most that were recorded in hdf5 and vtk, which hold one surface; all in the others."


class Format(StrEnum):
    """Typer takes lists of an Enum, not of a Literal; it checks them and `VariadicCommand` knows where they end."""

    HDF5 = "hdf5"
    NPZ = "npz"
    CSV = "csv"
    VTK = "vtk"
    HTML = "html"


def export(
    store: Annotated[Path, typer.Argument(help="Zarr store of a surface, or of several; finished or not.")],
    formats: Annotated[
        list[Format] | None,
        typer.Option("--format", help="Some of them, as hdf5 html. Default: all.", show_default=False),
    ] = None,
    step: Annotated[int | None, typer.Option(help=f"Inner steps. {DEFAULT}")] = None,
    query: Annotated[int | None, typer.Option(help=f"Query images per class. {DEFAULT}")] = None,
    tasks: TasksShown = None,
    quantity: Annotated[
        Literal["loss", "accuracy", "support_loss"],
        typer.Option(help="The height in vtk and html; the other files hold all three."),
    ] = "loss",
    per_task: Annotated[bool, typer.Option("--per-task", help="CSV of each task's values, not of the means.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder. Default: <store>-export beside the store.")] = None,
) -> None:
    """Write a surface as files of other programs.

    hdf5: as the scripts of tomgoldstein/loss-landscape read it. vtk: for ParaView. html: turns in a browser, offline.
    """
    from raymaml.verbs.export import FORMATS
    from raymaml.verbs.export import export as write

    options.say_paths(
        write(
            store,
            [name for name in FORMATS if not formats or name in formats],
            step=step,
            query=query,
            tasks=tasks,
            quantity=quantity,
            per_task=per_task,
            out=out,
            on_note=options.say,
        )
    )
