"""`raymaml table ...`: the thesis's tables from results, without torch or ray."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .variadic import VariadicCommand

app = typer.Typer(help="Tables of results, beside the published numbers.", no_args_is_help=True)


@app.command("2", cls=VariadicCommand)
def two(
    published: options.Published = False,
    files: options.ResultFiles = None,
    data: Annotated[
        list[str] | None, typer.Option(help="Data sets to show. Default: all there are.", show_default=False)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for table2.txt, .csv and .tex. Default: none is written.")
    ] = None,
) -> None:
    """Accuracy on novel tasks: mean over seeds with its spread, each seed, and the thesis's Table 2.

    Without --published or --from it is of the 5-way 1-shot runs in $RAYMAML_HOME or artifacts/runs.
    """
    from raymaml.verbs import table as verb
    from raymaml.verbs.sources import gather

    results, _ = gather(published=published, files=files or [], data=data or [], on_skip=options.say)
    typer.echo(verb.table(2, results, out), nl=False)
    for path in verb.table_files(2, out) if out else []:
        options.say(f"wrote {path}")


@app.callback()
def table() -> None:
    """Tables of results, beside the published numbers."""
