"""`raymaml table ...`: the thesis's tables from results, without torch or ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .variadic import VariadicCommand

Out = Annotated[
    Path | None, typer.Option(help="Folder for table<number>.txt, .csv and .tex. Default: none is written.")
]

app = typer.Typer(help="Tables of results, beside the published numbers.", no_args_is_help=True)


SOURCE = "Without --published or --from it is of the 5-way 1-shot runs in $RAYMAML_HOME or artifacts/runs."


def _add(number: int, text: str) -> None:
    """Add the command of a table of any data sets."""

    @app.command(str(number), cls=VariadicCommand, help=text)
    def show(
        published: options.Published = False,
        files: options.ResultFiles = None,
        data: options.DataSets = None,
        out: Out = None,
    ) -> None:
        _show(number, published, files, data or [], out)


def _add_of_one(number: int, text: str, usual: str) -> None:
    """Add the command of a table of one data set, `usual` unless told."""

    @app.command(str(number), cls=VariadicCommand, help=text)
    def show(
        published: options.Published = False,
        files: options.ResultFiles = None,
        data: options.DataSet = usual,
        out: Out = None,
    ) -> None:
        _show(number, published, files, [data], out)


_add(
    2,
    f"Accuracy on novel tasks: mean over seeds with its spread, each seed, and the thesis's Table 2.\n\n{SOURCE}",
)
_add(
    3,
    "Correlations of MAML's accuracy with its sharpness and loss, beside the thesis's Table 3.\n\n"
    f"{SOURCE} All pairs, and intervals, are in `raymaml correlate`.",
)
_add(4, "The same as 3, of augmented runs only (thesis, Table 4).")
_add_of_one(
    7,
    f"Sharpness of MAML on base and novel tasks: mean over seeds, each seed, and the thesis's Table 7.\n\n{SOURCE}",
    "miniimagenet",
)
_add_of_one(8, "The same as 7, of CUB unless --data says otherwise (thesis, Table 8).", "cub")


def _show(number: int, published: bool, files: list[Path] | None, data: Sequence[str], out: Path | None) -> None:
    from raymaml.verbs import table as verb
    from raymaml.verbs.sources import gather

    results, _ = gather(published=published, files=files or [], data=data, on_skip=options.say)
    typer.echo(verb.table(number, results, out), nl=False)
    options.say_written(verb.table_files(f"table{number}", out) if out else [])


@app.callback()
def table() -> None:
    """Tables of results, beside the published numbers."""
