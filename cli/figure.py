"""`raymaml figure ...`: draw what is stored, without torch or ray."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import options

app = typer.Typer(help="Draw stored results.", no_args_is_help=True)


@app.command()
def surface(
    store: Annotated[Path, typer.Argument(help="Zarr store of a surface, finished or not.")],
    out: Annotated[Path | None, typer.Option(help="Folder. Default: <store>-figures beside the store.")] = None,
    quantity: Annotated[Literal["loss", "accuracy"], typer.Option(help="What to draw.")] = "loss",
    levels: Annotated[
        str | None,
        typer.Option(help="Spacing of the contour lines (0.2), or several levels (0.5,1,1.5). Default: every 0.2."),
    ] = None,
    formats: Annotated[str, typer.Option(help="Of png, pdf, svg, with commas.")] = "png,pdf,svg",
) -> None:
    """Contours with sub-level areas and their share of the grid, and a 3-D view."""
    from raymaml.verbs.figure import figure_surface

    options.say_paths(
        figure_surface(
            store,
            out=out,
            quantity=quantity,
            levels=options.numbers([levels], "--levels") if levels else None,
            formats=[name.strip() for name in formats.split(",")],
        )
    )


@app.callback()
def figure() -> None:
    """Draw stored results."""
