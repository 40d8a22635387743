"""Draw a stored surface; needs neither torch nor ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml.analysis import mean_over_tasks
from raymaml.errors import SpecError
from raymaml.figures.contours import contour
from raymaml.figures.levels import contour_levels
from raymaml.figures.saving import save
from raymaml.figures.views3d import surface_3d
from raymaml.landscape.store import SurfaceStore, open_store
from raymaml.specs import SurfaceSpec, TransferSpec

SMALLEST_SPACING = 1e-6  # of contour lines, in nats: below it they show rounding errors
QUANTITIES = {"loss": "query loss", "accuracy": "query accuracy"}


def figure_surface(
    store: SurfaceStore | Path,
    *,
    out: Path | None = None,
    quantity: str = "loss",
    levels: Sequence[float] | None = None,
    formats: Sequence[str] = ("png", "pdf", "svg"),
) -> list[Path]:
    """Draw contours with sub-level areas, and a 3-D view, of the mean over tasks.

    Args:
        store: a surface, finished or not; cells that are not computed are marked as such.
        out: folder of the figures; by default `<store>-figures` beside the store.
        quantity: `loss` or `accuracy`.
        levels: one number is the spacing of the contour lines; several are the levels themselves. By
            default a line every 0.2, as in the thesis.
        formats: of `png`, `pdf`, `svg`.

    Returns:
        The files that were written.

    Raises:
        RaymamlError: the store or an option cannot be used.
    """
    opened = open_store(store) if isinstance(store, Path) else store
    if quantity not in QUANTITIES:
        raise SpecError(f"the quantity must be one of {', '.join(QUANTITIES)}, got {quantity!r}")
    done = opened.read("done").astype(bool)
    values = mean_over_tasks(opened.read(quantity), done)
    shared: dict[str, Any] = {
        "alphas": opened.spec.grid.coordinates(opened.spec.grid.alphas),
        "betas": opened.spec.grid.coordinates(opened.spec.grid.betas),
        "title": title_of(opened.spec),
        "quantity": QUANTITIES[quantity],
        "done": done.all(axis=0),
    }
    # Areas below a threshold are where the loss is good; for accuracy that would mark the worst.
    fills = None if quantity == "loss" else ()
    lines = contour(values, levels=_levels(levels, values), fills=fills, **shared)
    view = surface_3d(values, **shared)
    folder = out or opened.path.with_name(f"{opened.path.stem}-figures")
    return [
        *save(lines, folder / f"{quantity}-contour", formats),
        *save(view, folder / f"{quantity}-3d", formats),
    ]


def _levels(levels: Sequence[float] | None, values: npt.NDArray[Any]) -> Sequence[float] | None:
    if levels is None or len(levels) != 1:
        return levels
    if levels[0] < SMALLEST_SPACING:
        raise SpecError(
            f"--levels needs a spacing of {SMALLEST_SPACING:g} or more, or several levels, got {levels[0]:g}"
        )
    finite = values[np.isfinite(values)]
    return list(contour_levels(float(finite.min()), float(finite.max()), levels[0])) if finite.size else None


def title_of(spec: SurfaceSpec) -> str:
    """What the surface shows: data, model, seed, split, tasks, steps, and what was perturbed."""
    tasks = f"{spec.tasks} fresh tasks per point" if spec.fresh_tasks else f"{spec.tasks} tasks"
    directions = "orthogonal filter-normalised" if spec.orthogonal else "filter-normalised"
    return (
        f"{_method(spec)} {spec.model.backbone.capitalize()} on {spec.data}, seed {spec.seed}, "
        f"{spec.checkpoint} checkpoint, after {_adapted(spec)}\n"
        f"{spec.split} split: mean over {tasks} of seed {spec.task_seed} "
        f"({spec.task.way}-way {spec.task.shot}-shot, {spec.task.query} queries per class)\n"
        "perturbed before adapting: weights (not biases, batch norm), "
        f"{directions} directions, seed {spec.direction_seed}"
    )


def _method(spec: SurfaceSpec) -> str:
    if isinstance(spec.learner, TransferSpec):
        return "transfer learning"
    return "MAML" if spec.learner.order == 1 else "second-order MAML"


def _adapted(spec: SurfaceSpec) -> str:
    if isinstance(spec.learner, TransferSpec):
        return f"{spec.steps} updates of a new head (lr {spec.learner.head_lr:g})"
    return f"{spec.steps} inner steps (lr {spec.learner.inner_lr:g})"
