"""Draw a stored surface; needs neither torch nor ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from raymaml.errors import SpecError
from raymaml.figures.contours import contour
from raymaml.figures.grid import Grid
from raymaml.figures.levels import contour_levels
from raymaml.figures.saving import save
from raymaml.figures.views3d import surface_3d
from raymaml.landscape.adaptive_record import read as read_record
from raymaml.verbs.titles import title_of
from raymaml.verbs.views import SMALLEST_SPACING, Store, folder_of, grid_of, opened, quantity_name


def figure_surface(
    store: Store,
    *,
    out: Path | None = None,
    quantity: str = "loss",
    step: int | None = None,
    query: int | None = None,
    tasks: int | None = None,
    levels: Sequence[float] | None = None,
    formats: Sequence[str] = ("png", "pdf", "svg"),
) -> list[Path]:
    """Draw contours with sub-level areas, and a 3-D view, of the mean over tasks, or over batches of images.

    Args:
        store: a surface, finished or not. Between points that are computed it is interpolated, and the figures say so;
            where that cannot be, cells are marked as not computed.
        out: folder of the figures; by default `<store>-figures` beside the store.
        quantity: `loss` or `accuracy` of the query sets, or `support_loss`.
        step: inner steps; by default the most that were recorded.
        query: query images per class; by default the most that were scored.
        tasks: the first so many tasks of the store; by default all.
        levels: one number is the spacing of the contour lines; several are the levels themselves. By
            default a line every 0.2, as in the thesis.
        formats: of `png`, `pdf`, `svg`.

    Returns:
        The files that were written; their names say the step, queries and tasks that were asked for.

    Raises:
        RaymamlError: the store or an option cannot be used.
    """
    [whole] = opened([store])
    grid = grid_of(whole, quantity, step=step, query=query, tasks=tasks)
    of_query: Sequence[int] = () if quantity == "support_loss" else [query or whole.spec.queries[-1]]
    asked = {"steps": step, "queries": query, "tasks": tasks}
    title = title_of(
        [whole.spec], steps=[whole.spec.steps[-1] if step is None else step], queries=of_query, tasks=tasks
    )
    reached = read_record(whole.path) if quantity == "loss" and set(asked.values()) == {None} else None
    shared: dict[str, Any] = {
        "alphas": grid.alphas,
        "betas": grid.betas,
        "title": f"{title}\nadaptive: {reached.text()}" if reached and not grid.done.all() else title,
        "quantity": quantity_name(whole.spec, quantity),
        "done": grid.done,
        "interpolated": grid.interpolated,
    }
    # Areas below a threshold are where the loss is good; for accuracy that would mark the worst.
    fills = () if quantity == "accuracy" else None
    lines = contour(grid.values, levels=_levels(levels, grid), fills=fills, **shared)
    view = surface_3d(grid.values, **shared)
    stem = "-".join([quantity, *(f"{count}{what}" for what, count in asked.items() if count is not None)])
    folder = folder_of([whole], out)
    return [*save(lines, folder / f"{stem}-contour", formats), *save(view, folder / f"{stem}-3d", formats)]


def _levels(levels: Sequence[float] | None, grid: Grid) -> Sequence[float] | None:
    if levels is None or len(levels) != 1:
        return levels
    if levels[0] < SMALLEST_SPACING:
        raise SpecError(
            f"--levels needs a spacing of {SMALLEST_SPACING:g} or more, or several levels, got {levels[0]:g}"
        )
    return list(contour_levels(*grid.range, levels[0])) if grid.range else None
