"""`raymaml demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options, progress, surface, train


def demo(
    out: Annotated[Path | None, typer.Option(help="Folder of the run. Default: as for `train`.")] = None,
    address: options.Address = None,
) -> None:
    """Train three seeds briefly, compute an 11x11 surface with 10 tasks, draw it: a few minutes on a laptop."""
    from raymaml.verbs.demo import demo as run_demo

    with progress.display() as shown:
        made = run_demo(
            out=out,
            address=address,
            train_options={"on_start": train.say_start, "on_progress": progress.training(shown)},
            surface_options={
                "on_start": surface.say_start,
                "on_progress": progress.surface(shown),
                "on_stop": lambda: options.say_stop("blocks"),
            },
        )
    train.say_scores(made.run, made.scores)
    options.say_paths([made.store, *made.pictures])
