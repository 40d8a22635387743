"""`raymaml data ...`: prepare data sets and look at them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from raymaml.errors import DataError, RaymamlError

from . import options, progress

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
    name: Annotated[
        str, typer.Argument(help="omniglot, cub, miniimagenet, cifarfs, or folder for your own CLASS/NAME.png.")
    ],
    root: Annotated[Path, typer.Option(help="Its folder or zip file.")],
    size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Pixels; ResNets need 224. At another size than its own a set is called NAME-SIZE, as cub-224. "
            "Default: 28 for omniglot, 32 for cifarfs, else 84.",
            show_default=False,
        ),
    ] = None,
    called: Annotated[str | None, typer.Option("--name", help="What to call your folder.", show_default=False)] = None,
    split: Annotated[
        Path | None,
        typer.Option(
            "--split-file", "--split", help="JSON of base, val and novel class names (folder).", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the split, where none is published or given.")] = 0,
    grey: Annotated[bool, typer.Option("--grey", help="One channel instead of three (folder).")] = False,
    rotations: Annotated[
        bool,
        typer.Option("--rotations", help="Turned characters are classes too (omniglot); called omniglot-rotations."),
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Make it again, also for other settings.")] = False,
    actors: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Decode on Ray with so many actors. Default: one per CPU from 5,000 picture files, else no Ray.",
            show_default=False,
        ),
    ] = None,
    address: options.Address = None,
) -> None:
    """Check a data set on disk and decode it once, so that `--data` finds it.

    Interrupted, the same command continues with what is missing.
    """
    from raymaml.verbs.prepare import prepare as run

    with progress.display() as shown:
        images = run(
            name,
            root,
            name=called,
            size=size,
            seed=seed,
            grey=grey,
            split=split,
            rotations=rotations,
            replace=replace,
            address=address,
            actors=actors,
            on_progress=progress.preparation(shown),
            on_stop=lambda: options.say_stop("chunks"),
        )
    parts = ", ".join(f"{split} {len(classes)}" for split, classes in images.splits.items())
    typer.echo(f"{images.name}: {len(images.images)} images, classes: {parts}; use it with --data {images.name}")


@app.command()
def check(name: Annotated[str, typer.Argument(help="Prepared data set.")]) -> None:
    """Read all of a prepared data set and compare it with the digest from when it was prepared."""
    from raymaml.data import prepared

    images = prepared.check(name)
    typer.echo(f"{name}: {len(images.images)} images are as prepared; digest {images.digest}")


@app.command("list")
def list_sets(
    root: Annotated[
        Path | None, typer.Option(help="Say which sets are in this folder or zip, and whole.", show_default=False)
    ] = None,
) -> None:
    """What each data set is, its licence, how to get it, and whether it is prepared here."""
    from raymaml.data import catalogue, prepared
    from raymaml.data.tree import open_tree

    if root is not None:
        open_tree(root)  # refused before anything is said
    here = {name: _prepared(name) for name in prepared.names()}
    typer.echo("glyphs: embedded, rendered from the fonts of matplotlib; ready")
    for kind, entry in catalogue.KINDS.items():
        typer.echo(f"{kind}: {entry.what}; licence: {entry.licence}; get it: {entry.source}")
        if kind == "folder":
            continue
        of_kind = [name for name in here if catalogue.kind_of(name) == kind]
        typer.echo("".join(f"  {here[name]}\n" for name in of_kind) or "  not prepared here", nl=not of_kind)
        if root is not None:
            typer.echo(f"  {_found(kind, root)}")
    for name in [name for name in here if catalogue.kind_of(name) is None]:
        typer.echo(f"{name}: your own pictures\n  {here[name]}")


def _prepared(name: str) -> str:
    from raymaml.data import prepared

    try:
        images = prepared.load(name).images
    except RaymamlError as error:
        return f"prepared here, but {error}"
    return f"prepared here at {images.shape[-1]} pixels: --data {name}"


def _found(kind: str, root: Path) -> str:
    """Whether a set is at a root, and whole."""
    from raymaml.data import catalogue

    try:
        raw = catalogue.request_of(kind, root).scan()
    except DataError as error:
        return f"not whole there: {error}"
    return f"whole there: {len(raw.names)} pictures of {len(raw.classes)} classes in {root}"


@app.callback()
def data() -> None:
    """Prepare data sets and look at them."""
