"""The whole job, small: train three seeds briefly, compute a surface, draw it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymaml.runs import RunDir
from raymaml.runtime.session import session
from raymaml.specs import Score
from raymaml.verbs.figure import figure_surface
from raymaml.verbs.show import show
from raymaml.verbs.surface import surface
from raymaml.verbs.train import train

SEEDS, GRID, TASKS = (5, 6, 7), (11, 11), 10


@dataclass(frozen=True)
class Demo:
    """What the demo made."""

    run: RunDir
    scores: dict[int, Score]
    store: Path
    pictures: list[Path]


def demo(
    *,
    out: Path | None = None,
    address: str | None = None,
    train_options: dict[str, Any] | None = None,
    surface_options: dict[str, Any] | None = None,
) -> Demo:
    """Train, compute and draw; run again, it continues or only draws.

    Args:
        out: folder of the run; by default one in `runs.home()`.
        address: of the Ray cluster; see `runtime.session`.
        train_options: callbacks of `train`.
        surface_options: callbacks of `surface`.

    Raises:
        RaymamlError: see `train` and `surface`.
    """
    with session(address):
        run, scores = train(SEEDS, preset="demo", out=out, **(train_options or {}))
        store = surface(str(run.path), grid=GRID, tasks=TASKS, **(surface_options or {}))
    folder = run.path / "figures"
    pictures = [*show(out=folder), *figure_surface(store, out=folder)]
    return Demo(run, scores, store.path, pictures)
