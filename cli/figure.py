"""`raymaml figure ...`: draw what is stored, without torch or ray."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from . import options
from .variadic import VariadicCommand

ResultsOut = Annotated[Path | None, typer.Option(help="Folder. Default: figures in $RAYMAML_HOME or artifacts/runs.")]
DataSets = Annotated[
    list[str] | None, typer.Option(help="Data sets to show. Default: all there are.", show_default=False)
]

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
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """Contours with sub-level areas and their share of the grid, and a 3-D view."""
    from raymaml.verbs.figure import figure_surface

    options.say_paths(
        figure_surface(
            store,
            out=out,
            quantity=quantity,
            levels=options.numbers([levels], "--levels") if levels else None,
            formats=_names(formats),
        )
    )


@app.command("3", cls=VariadicCommand)
def three(
    published: options.Published = False,
    files: options.ResultFiles = None,
    data: DataSets = None,
    out: ResultsOut = None,
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """Loss against accuracy on novel tasks, every seed a point (thesis, figure 3)."""
    _draw(3, published, files, data or [], out, formats)


@app.command("19", cls=VariadicCommand)
def nineteen(
    published: options.Published = False,
    files: options.ResultFiles = None,
    data: Annotated[str, typer.Option(help="Data set to show.")] = "miniimagenet",
    out: ResultsOut = None,
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """Over-fitting: accuracy over training, and of the best against the last checkpoint (thesis, figure 19)."""
    _draw(19, published, files, [data], out, formats)


@app.command("20", cls=VariadicCommand)
def twenty(
    published: options.Published = False,
    files: options.ResultFiles = None,
    data: Annotated[str, typer.Option(help="Data set to show.")] = "cub",
    out: ResultsOut = None,
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """The same as 19, of CUB unless --data says otherwise (thesis, figure 20)."""
    _draw(20, published, files, [data], out, formats)


@app.command("13", cls=VariadicCommand)
def thirteen(
    published: options.Published = False,
    files: options.ResultFiles = None,
    data: DataSets = None,
    out: ResultsOut = None,
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """Sharpness against backbone, with and without augmentation, on base and novel tasks (thesis, figure 13)."""
    _draw(13, published, files, data or [], out, formats)


@app.command("14", cls=VariadicCommand)
def fourteen(
    published: options.Published = False,
    files: options.ResultFiles = None,
    data: DataSets = None,
    out: ResultsOut = None,
    formats: options.Formats = "png,pdf,svg",
) -> None:
    """Loss, sharpness and accuracy (colour) on base and novel tasks, every seed a point (thesis, figure 14)."""
    _draw(14, published, files, data or [], out, formats)


def _draw(
    number: int, published: bool, files: list[Path] | None, data: list[str], out: Path | None, formats: str
) -> None:
    from raymaml.verbs.result_figures import figure_results
    from raymaml.verbs.sources import gather

    results, curves = gather(published=published, files=files or [], data=data, on_skip=options.say)
    options.say_paths(figure_results(number, results, curves, out, _names(formats)))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


@app.callback()
def figure() -> None:
    """Draw stored results."""
