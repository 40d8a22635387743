"""`raymaml table ...`: the thesis's tables from results, without torch or ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .variadic import VariadicCommand

DataSets = Annotated[
    list[str] | None, typer.Option(help="Data sets to show. Default: all there are.", show_default=False)
]
DataSet = Annotated[str, typer.Option(help="Data set to show.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder for table<number>.txt, .csv and .tex. Default: none is written.")
]

app = typer.Typer(help="Tables of results, beside the published numbers.", no_args_is_help=True)


@app.command("2", cls=VariadicCommand)
def two(
    published: options.Published = False,
    files: options.ResultFiles = None,
    data: DataSets = None,
    out: Out = None,
) -> None:
    """Accuracy on novel tasks: mean over seeds with its spread, each seed, and the thesis's Table 2.

    Without --published or --from it is of the 5-way 1-shot runs in $RAYMAML_HOME or artifacts/runs.
    """
    _show(2, published, files, data or [], out)


@app.command("3", cls=VariadicCommand)
def three(
    published: options.Published = False,
    files: options.ResultFiles = None,
    data: DataSets = None,
    out: Out = None,
) -> None:
    """Correlations of MAML's accuracy with its sharpness and loss, beside the thesis's Table 3.

    Without --published or --from it is of the 5-way 1-shot runs in $RAYMAML_HOME or artifacts/runs. All pairs, and
    intervals, are in `raymaml correlate`.
    """
    _show(3, published, files, data or [], out)


@app.command("4", cls=VariadicCommand)
def four(
    published: options.Published = False,
    files: options.ResultFiles = None,
    data: DataSets = None,
    out: Out = None,
) -> None:
    """The same as 3, of augmented runs only (thesis, Table 4)."""
    _show(4, published, files, data or [], out)


@app.command("7", cls=VariadicCommand)
def seven(
    published: options.Published = False,
    files: options.ResultFiles = None,
    data: DataSet = "miniimagenet",
    out: Out = None,
) -> None:
    """Sharpness of MAML on base and novel tasks: mean over seeds, each seed, and the thesis's Table 7.

    Without --published or --from it is of the 5-way 1-shot runs in $RAYMAML_HOME or artifacts/runs.
    """
    _show(7, published, files, [data], out)


@app.command("8", cls=VariadicCommand)
def eight(
    published: options.Published = False,
    files: options.ResultFiles = None,
    data: DataSet = "cub",
    out: Out = None,
) -> None:
    """The same as 7, of CUB unless --data says otherwise (thesis, Table 8)."""
    _show(8, published, files, [data], out)


def _show(number: int, published: bool, files: list[Path] | None, data: Sequence[str], out: Path | None) -> None:
    from raymaml.verbs import table as verb
    from raymaml.verbs.sources import gather

    results, _ = gather(published=published, files=files or [], data=data, on_skip=options.say)
    typer.echo(verb.table(number, results, out), nl=False)
    for path in verb.table_files(f"table{number}", out) if out else []:
        options.say(f"wrote {path}")


@app.callback()
def table() -> None:
    """Tables of results, beside the published numbers."""
