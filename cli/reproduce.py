"""`raymaml reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import options, progress

if TYPE_CHECKING:
    from raymaml.verbs.reproduce import Reproduction
    from raymaml.verbs.reproduce_draw import Made


def reproduce(
    items: Annotated[
        list[str] | None,
        typer.Argument(help="Such as figure-4 or table-2; see --list. Default: all of them.", metavar="[ITEM]..."),
    ] = None,
    scale: Annotated[
        Literal["smoke", "quick", "thesis"],
        typer.Option(help="smoke: everything once, in a minute or two. quick: real models. thesis: its sizes."),
    ] = "quick",
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="One or two data sets, in the places of miniImageNet and CUB. Default: glyphs; "
            "of the scale thesis: miniimagenet cub.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of runs, figures, tables and index page. Default: artifacts/reproduce-<scale>."),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Print the items and do nothing.")] = False,
    draw_only: Annotated[
        bool, typer.Option("--draw-only", help="Draw again what is computed; compute nothing.")
    ] = False,
    address: options.Address = None,
) -> None:
    """Make the thesis's figures and tables from nothing, and a page that shows them with its findings checked.

    Trains what is needed, computes landscapes and sharpness, draws. Run the same command again after an interruption:
    what is finished is not done again.
    """
    if listed:
        _list_items()
        return
    from raymaml.verbs import reproduce as verb

    planned = verb.plan(items or [], scale, data=data or [], out=out)
    options.say(f"{len(planned.items)} items into {planned.out}")
    if not draw_only:
        _compute(planned, address)
    _draw(planned)


def _list_items() -> None:
    from raymaml.thesis.items import ITEMS

    for item in ITEMS:
        where = "" if item.of != "second" else " (needs a second data set)"
        typer.echo(f"{item.name:14} {item.caption}{' (beyond the thesis)' * item.beyond}{where}")


def _compute(planned: Reproduction, address: str | None) -> None:
    from raymaml.verbs.reproduce import Callbacks, compute_all

    cells = planned.matrix.cells
    with progress.display() as shown:
        told = Callbacks(
            training=progress.matrix(shown, [(cell.run.path, cell.seeds, cell.unfinished) for cell in cells]),
            evaluation=progress.surface(shown, "evaluation"),
            surfaces=progress.surface(shown, "surfaces"),
            sharpness=progress.sharpness(shown),
            stop=lambda: options.say_stop("blocks"),
        )
        compute_all(planned, address=address, callbacks=told)


def _draw(planned: Reproduction) -> None:
    from raymaml.verbs.reproduce_page import write_page

    def say(made: Made) -> None:
        options.say(f"{made.item.name}: {made.why or f'{len(made.files)} files'}")

    options.say_paths([write_page(planned, on_item=say)])
