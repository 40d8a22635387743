"""`raymaml figure ...`: draw what is stored, without torch or ray."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import options
from .variadic import VariadicCommand

ResultsOut = Annotated[Path | None, typer.Option(help="Folder. Default: figures in $RAYMAML_HOME or artifacts/runs.")]
Stores = Annotated[list[Path], typer.Argument(help="Zarr stores of surfaces, finished or not.", metavar="STORE...")]
SurfacesOut = Annotated[
    Path | None, typer.Option(help="Folder. Default: beside a single store, else figures with the runs.")
]
Name = Annotated[str, typer.Option(help="Of the files, without their ending.")]
Labels = Annotated[str | None, typer.Option(help="With commas, in the order of the stores. Default: what differs.")]
Quantity = Annotated[
    Literal["loss", "accuracy", "support_loss"],
    typer.Option(help="Loss or accuracy of the query sets, or the loss of the support sets."),
]
StepShown = Annotated[int | None, typer.Option(help="Inner steps. Default: the most that were recorded.")]
QueryShown = Annotated[int | None, typer.Option(help="Query images per class. Default: the most that were scored.")]
TasksShown = Annotated[int | None, typer.Option(help="The first so many tasks of the store. Default: all.")]
Scale = Annotated[
    Literal["own", "row", "all"], typer.Option(help="Of heights: each panel its own, one for a row, or one for all.")
]

app = typer.Typer(help="Draw stored results.", no_args_is_help=True)


@app.command()
def surface(
    store: Annotated[Path, typer.Argument(help="Zarr store of a surface, finished or not.")],
    out: Annotated[Path | None, typer.Option(help="Folder. Default: <store>-figures beside the store.")] = None,
    quantity: Quantity = "loss",
    step: StepShown = None,
    query: QueryShown = None,
    tasks: TasksShown = None,
    levels: Annotated[
        str | None,
        typer.Option(help="Spacing of the contour lines (0.2), or several levels (0.5,1,1.5). Default: every 0.2."),
    ] = None,
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """Contours with sub-level areas and their share of the grid, and a 3-D view."""
    from raymaml.verbs.figure import figure_surface

    options.say_paths(
        figure_surface(
            store,
            out=out,
            quantity=quantity,
            step=step,
            query=query,
            tasks=tasks,
            levels=options.numbers([levels], "--levels") if levels else None,
            formats=_names(formats),
        )
    )


@app.command()
def inner(
    stores: Stores,
    labels: Labels = None,
    steps: Annotated[str | None, typer.Option(help="Inner steps, as 0,5,10. Default: all recorded ones.")] = None,
    quantity: Annotated[str, typer.Option(help="Some of loss, support_loss, accuracy, with commas.")] = "loss",
    query: QueryShown = None,
    tasks: TasksShown = None,
    scale: Scale = "own",
    out: SurfacesOut = None,
    name: Name = "inner",
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """Surfaces after each number of inner steps, in 3-D: a column per checkpoint (thesis, figures 4, 5, 15, 16)."""
    from raymaml.verbs.panel_figures import figure_inner

    files = figure_inner(
        stores,
        labels=_names(labels) if labels else None,
        steps=options.whole_numbers([steps], "--steps") if steps else None,
        quantities=options.choices([quantity], "--quantity", ("loss", "support_loss", "accuracy")),
        query=query,
        tasks=tasks,
        scale=scale,
        out=out,
        name=name,
        formats=_names(formats),
    )
    options.say_paths(files)


@app.command()
def parts(
    stores: Stores,
    labels: Labels = None,
    quantity: Quantity = "loss",
    step: Annotated[int | None, typer.Option(help="Inner steps. Default: the fewest that were recorded.")] = None,
    query: QueryShown = None,
    tasks: TasksShown = None,
    scale: Scale = "row",
    out: SurfacesOut = None,
    name: Name = "parts",
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """The whole, the head and the feature layers perturbed, in 3-D on one scale (thesis, figures 6, 7, 17, 18)."""
    from raymaml.verbs.panel_figures import figure_parts

    files = figure_parts(
        stores,
        labels=_names(labels) if labels else None,
        quantity=quantity,
        step=step,
        query=query,
        tasks=tasks,
        scale=scale,
        out=out,
        name=name,
        formats=_names(formats),
    )
    options.say_paths(files)


@app.command()
def queries(
    store: Annotated[Path, typer.Argument(help="Zarr store of a surface with several numbers of query images.")],
    shown: Annotated[
        str | None, typer.Option("--query", help="Query images per class, as 1,2,4,15. Default: all scored ones.")
    ] = None,
    step: StepShown = None,
    tasks: TasksShown = None,
    spacing: Annotated[float, typer.Option(help="Of the contour lines.")] = 0.2,
    out: SurfacesOut = None,
    name: Name = "queries",
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """Contours for each number of query images (thesis, figure 10)."""
    from raymaml.verbs.panel_figures import figure_queries

    files = figure_queries(
        store,
        queries=options.whole_numbers([shown], "--query") if shown else None,
        step=step,
        tasks=tasks,
        spacing=spacing,
        out=out,
        name=name,
        formats=_names(formats),
    )
    options.say_paths(files)


@app.command()
def meta(
    stores: Stores,
    labels: Labels = None,
    columns: Annotated[int | None, typer.Option(min=1, help="Panels in a row. Default: up to 4.")] = None,
    step: StepShown = None,
    query: QueryShown = None,
    tasks: TasksShown = None,
    thresholds: Annotated[
        str | None,
        typer.Option(help="Of the coloured areas, up to 4, as 0.61,0.81. Default: the thesis's."),
    ] = None,
    spacing: Annotated[float, typer.Option(help="Of the contour lines.")] = 0.2,
    scale: Scale = "own",
    out: SurfacesOut = None,
    name: Name = "meta",
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """Meta-losses in 3-D, and as contours with coloured areas below thresholds (thesis, figures 8, 11, 12).

    Prints the areas with their 95 % intervals over tasks, and writes them as CSV beside the figures.
    """
    from raymaml.verbs.meta_figure import describe, figure_meta

    made = figure_meta(
        stores,
        labels=_names(labels) if labels else None,
        columns=columns,
        step=step,
        query=query,
        tasks=tasks,
        thresholds=options.numbers([thresholds], "--thresholds") if thresholds else None,
        spacing=spacing,
        scale=scale,
        out=out,
        name=name,
        formats=_names(formats),
    )
    for note in made.notes:
        options.say(f"warning: {note}")
    for label, areas in made.areas:
        for line in describe(label, areas):
            typer.echo(line)
    options.say_paths(made.files)


@app.command()
def training(
    stores: Stores,
    labels: Labels = None,
    scale: Scale = "own",
    out: SurfacesOut = None,
    name: Name = "training",
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """Pre-training losses of transfer learning in 3-D beside each other (thesis, figure 9)."""
    from raymaml.verbs.training_figure import figure_training

    files = figure_training(
        stores,
        labels=_names(labels) if labels else None,
        scale=scale,
        out=out,
        name=name,
        formats=_names(formats),
    )
    options.say_paths(files)


@app.command()
def spread(
    store: Annotated[Path, typer.Argument(help="Zarr store of a surface, or of several seeds and directions.")],
    quantity: Quantity = "loss",
    step: StepShown = None,
    query: QueryShown = None,
    tasks: TasksShown = None,
    out: Annotated[Path | None, typer.Option(help="Folder. Default: <store>-figures beside the store.")] = None,
    name: Name = "spread",
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """Mean surface with its uncertainty: over tasks, and over the seeds and directions of a set.

    Maps, and cross-sections through the centre with bands. Prints the numbers, and writes them as CSV beside.
    """
    from raymaml.verbs.spread_figure import figure_spread

    made = figure_spread(
        store, step=step, query=query, tasks=tasks, quantity=quantity, out=out, name=name, formats=_names(formats)
    )
    options.say_lines(made.lines)
    options.say_paths(made.files)


@app.command()
def difference(
    one: Annotated[Path, typer.Argument(help="Zarr store of a surface.")],
    other: Annotated[Path, typer.Argument(help="Zarr store of another, on the same tasks and directions.")],
    labels: Labels = None,
    quantity: Quantity = "loss",
    step: Annotated[int | None, typer.Option(help="Inner steps. Default: the most that both recorded.")] = None,
    query: Annotated[
        int | None, typer.Option(help="Query images per class. Default: the most that both scored.")
    ] = None,
    tasks: Annotated[int | None, typer.Option(help="The first so many tasks of both. Default: all.")] = None,
    out: ResultsOut = None,
    name: Name = "difference",
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """Two surfaces, and OTHER minus ONE task by task; dots where that lies within its error over tasks.

    Prints the numbers, and writes them as CSV beside.
    """
    from raymaml.verbs.difference_figure import figure_difference

    made = figure_difference(
        one,
        other,
        labels=_names(labels) if labels else None,
        step=step,
        query=query,
        tasks=tasks,
        quantity=quantity,
        out=out,
        name=name,
        formats=_names(formats),
    )
    options.say_lines(made.lines)
    options.say_paths(made.files)


def _add(number: int, text: str) -> None:
    """Add the command of a figure of any data sets."""

    @app.command(str(number), cls=VariadicCommand, help=text)
    def draw(
        published: options.Published = False,
        files: options.ResultFiles = None,
        data: options.DataSets = None,
        out: ResultsOut = None,
        formats: options.Formats = "png,pdf,svg",
    ) -> None:
        _draw(number, published, files, data or [], out, formats)


def _add_of_one(number: int, text: str, usual: str) -> None:
    """Add the command of a figure of one data set, `usual` unless told."""

    @app.command(str(number), cls=VariadicCommand, help=text)
    def draw(
        published: options.Published = False,
        files: options.ResultFiles = None,
        data: options.DataSet = usual,
        out: ResultsOut = None,
        formats: options.Formats = "png,pdf,svg",
    ) -> None:
        _draw(number, published, files, [data], out, formats)


_add(3, "Loss against accuracy on novel tasks, every seed a point (thesis, figure 3).")
_add_of_one(
    19,
    "Over-fitting: accuracy over training, and of the best against the last checkpoint (thesis, figure 19).",
    "miniimagenet",
)
_add_of_one(20, "The same as 19, of CUB unless --data says otherwise (thesis, figure 20).", "cub")
_add(13, "Sharpness against backbone, with and without augmentation, on base and novel tasks (thesis, figure 13).")
_add(14, "Loss, sharpness and accuracy (colour) on base and novel tasks, every seed a point (thesis, figure 14).")


def _draw(
    number: int, published: bool, files: list[Path] | None, data: list[str], out: Path | None, formats: str
) -> None:
    from raymaml.verbs.result_figures import figure_results
    from raymaml.verbs.sources import gather

    paired = number in (19, 20)  # best against last
    results, curves = gather(published=published, files=files or [], data=data, paired=paired, on_skip=options.say)
    options.say_paths(figure_results(number, results, curves, out, _names(formats)))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


@app.callback()
def figure() -> None:
    """Draw stored results."""
