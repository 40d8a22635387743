"""`raymaml data ...`: prepare data sets and look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import options

app = typer.Typer(help="Prepare data sets and look at them.", no_args_is_help=True)


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


@app.command()
def prepare(
    name: Annotated[str, typer.Argument(help="omniglot, or folder for your own CLASS/NAME.png.")],
    root: Annotated[Path, typer.Option(help="Its folder or zip file.")],
    size: Annotated[
        int | None, typer.Option(min=1, help="Pixels. Default: 28 for omniglot, else 84.", show_default=False)
    ] = None,
    called: Annotated[str | None, typer.Option("--name", help="What to call your folder.", show_default=False)] = None,
    split: Annotated[
        Path | None, typer.Option(help="JSON of base, val and novel class names (folder).", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split, where none is published or given.")] = 0,
    grey: Annotated[bool, typer.Option(help="One channel instead of three (folder).")] = False,
    replace: Annotated[bool, typer.Option(help="Make it again, also for other settings.")] = False,
) -> None:
    """Check a data set on disk and decode it once, so that `--data` finds it."""
    from raymaml.data import catalogue

    images = catalogue.prepare(name, root, name=called, size=size, seed=seed, grey=grey, split=split, replace=replace)
    parts = ", ".join(f"{split} {len(classes)}" for split, classes in images.splits.items())
    typer.echo(f"{images.name}: {len(images.images)} images, classes: {parts}; use it with --data {images.name}")


@app.command("list")
def list_sets() -> None:
    """What each data set is, its licence, how to get it, and whether it is prepared here."""
    from raymaml.data import catalogue, prepared

    here = {path.stem for path in prepared.folder().glob("*.json")}
    typer.echo("glyphs: embedded, rendered from the fonts of matplotlib; ready")
    for kind, entry in catalogue.KINDS.items():
        state = "" if kind == "folder" else "; prepared here" if kind in here else "; not prepared here"
        typer.echo(f"{kind}: {entry.what}; licence: {entry.licence}; get it: {entry.source}{state}")
    for name in sorted(here - set(catalogue.KINDS)):
        typer.echo(f"{name}: your own pictures; prepared here")


@app.callback()
def data() -> None:
    """Prepare data sets and look at them."""
