"""`raymaml correlate`: accuracy against sharpness and loss over runs, without torch or ray."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import options


def correlate(
    published: options.Published = False,
    files: options.ResultFiles = None,
    data: options.DataSets = None,
    x: Annotated[
        list[str] | None,
        typer.Option(
            help="Of base-sharpness, base-loss, novel-sharpness, novel-loss. Default: all.", show_default=False
        ),
    ] = None,
    y: Annotated[
        list[str] | None, typer.Option(help="Of base-accuracy, novel-accuracy. Default: both.", show_default=False)
    ] = None,
    aug: Annotated[
        Literal["all", "only", "none"], typer.Option(help="All runs, those with augmentation only, or those with none.")
    ] = "all",
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Draws of the points for a 95 % interval of r, such as 10000; 0: no interval.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of these draws.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for correlations.txt, .csv and .tex. Default: none is written.")
    ] = None,
) -> None:
    """Pearson's r and p between sharpness or loss and accuracy, over MAML's best checkpoints.

    A point is one backbone, augmentation and seed. Without --published or --from it is of the 5-way 1-shot runs in
    $RAYMAML_HOME or artifacts/runs.
    """
    from raymaml.verbs import correlate as verb
    from raymaml.verbs.sources import gather
    from raymaml.verbs.table import table_files

    xs = options.choices(x, "--x", verb.X_NAMES) if x else verb.X_NAMES
    ys = options.choices(y, "--y", verb.Y_NAMES) if y else verb.Y_NAMES
    results, _ = gather(published=published, files=files or [], data=data or [], on_skip=options.say)
    typer.echo(verb.correlate(results, x=xs, y=ys, aug=aug, bootstrap=bootstrap, seed=seed, out=out), nl=False)
    options.say_written(table_files(verb.STEM, out) if out else [])
