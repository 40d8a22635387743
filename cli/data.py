"""`raymaml data ...`: look at data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import options

app = typer.Typer(help="Look at data sets.", no_args_is_help=True)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Data set.")] = "glyphs",
    split: Annotated[Literal["base", "val", "novel"], typer.Option(help="Which classes.")] = "novel",
    way: Annotated[int, typer.Option(help="Classes of the task.")] = 5,
    shot: Annotated[int, typer.Option(help="Support images per class.")] = 1,
    query: Annotated[int, typer.Option(help="Query images per class.")] = 15,
    seed: Annotated[int, typer.Option(help="Seed of the task.")] = 0,
    task: Annotated[int, typer.Option(min=0, help="Number of the task.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder. Default: sheets in $RAYMAML_HOME or artifacts/runs.")
    ] = None,
) -> None:
    """Contact sheets: one image of each class of a split, and one task."""
    from raymaml.specs import TaskSpec
    from raymaml.verbs.show import show as draw

    options.say_paths(draw(name, split=split, seed=seed, index=task, task=TaskSpec(way, shot, query), out=out))


@app.callback()
def data() -> None:
    """Look at data sets."""
