"""Draw several stored surfaces beside each other; needs neither torch nor ray."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from raymaml.errors import MissingError, SpecError
from raymaml.figures.flat_panels import flats
from raymaml.figures.grid import Grid
from raymaml.figures.saving import save
from raymaml.figures.sheet import Panel, Row
from raymaml.figures.solid_panels import Scale, solids
from raymaml.landscape.store import SurfaceStore
from raymaml.specs import Part
from raymaml.verbs.titles import labels_of, plural, title_of
from raymaml.verbs.views import (
    QUANTITIES,
    Store,
    check_spacing,
    folder_of,
    grid_of,
    opened,
    opened_of_tasks,
    quantity_name,
)

PARTS: tuple[Part, ...] = ("all", "head", "feature")
FORMATS = ("png", "pdf", "svg")


def figure_inner(
    stores: Sequence[Store],
    *,
    labels: Sequence[str] | None = None,
    steps: Sequence[int] | None = None,
    quantities: Sequence[str] = ("loss",),
    query: int | None = None,
    tasks: int | None = None,
    scale: Scale = "own",
    out: Path | None = None,
    name: str = "inner",
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Draw how surfaces change in the inner loop (thesis figures 4, 5, 15 and 16), in 3-D.

    A column is a checkpoint; a row is a split after a number of inner steps, of the query or of the support set. Of
    one checkpoint, a column is a number of steps.

    Args:
        stores: surfaces of one or more checkpoints, at most one of each split.
        labels: of the columns, in the order in which their checkpoints come first among the stores.
        steps: to show; by default all that were recorded. Splits show those of them that they have.
        quantities: of `loss`, `support_loss` and `accuracy`; each has its own rows.
        query: query images per class; by default the most that were scored.
        tasks: the first so many tasks of each store; by default all.
        scale: of heights; see `figures.solid_panels.solids`.
        out: folder; by default beside a single store, else `figures` in `runs.home()`.
        name: of the files, without their ending.
        formats: of `png`, `pdf`, `svg`.

    Returns:
        The files that were written.

    Raises:
        RaymamlError: a store or an option cannot be used, or two stores would be one panel.
    """
    whole = opened_of_tasks(stores)
    table: dict[tuple[str, int, str], dict[str, SurfaceStore]] = {}  # checkpoint -> split -> store
    for store in whole:
        column = table.setdefault((store.spec.run, store.spec.seed, store.spec.checkpoint), {})
        _put(column, store.spec.split, store)
    headings = labels_of([next(iter(column.values())).spec for column in table.values()], labels)
    rows: list[Row] = []
    for split in dict.fromkeys(store.spec.split for store in whole):
        recorded = sorted({step for store in whole if store.spec.split == split for step in store.spec.steps})
        shown = recorded if steps is None else [step for step in sorted(set(steps)) if step in recorded]
        for quantity in quantities:
            which = {"tasks": tasks, **_query(quantity, query)}
            grids = [[_inner(column.get(split), quantity, step, which) for column in table.values()] for step in shown]
            rows += _inner_rows(split, QUANTITIES.get(quantity, quantity), shown, grids)
    if rows and len(table) > 1:
        first = zip(rows[0].panels, headings, strict=True)
        rows[0] = Row(rows[0].label, [Panel(panel.grid, heading) for panel, heading in first])
    if not rows:
        raise MissingError(f"none of the surfaces was recorded at {_list(steps or [])} steps")
    title = title_of(
        [store.spec for store in whole],
        steps=_shown(whole, steps),
        queries=_queries(whole, quantities, query),
        tasks=tasks,
    )
    words = [QUANTITIES[quantity] for quantity in quantities]
    figure = solids(rows, title=title, quantity=" or ".join(words), scale=scale)
    return save(figure, folder_of(whole, out) / name, formats)


def _inner(store: SurfaceStore | None, quantity: str, step: int, which: dict[str, int | None]) -> Grid | None:
    return None if store is None or step not in store.spec.steps else grid_of(store, quantity, step=step, **which)


def _inner_rows(split: str, what: str, steps: Sequence[int], grids: list[list[Grid | None]]) -> list[Row]:
    """Rows of grids (step, checkpoint); one row of all steps where there is one checkpoint."""
    names = [f"{step} {plural('step', step)}" for step in steps]
    if grids and len(grids[0]) == 1:
        return [Row(f"{split}\n{what}", [Panel(row[0], name) for row, name in zip(grids, names, strict=True)])]
    return [
        Row(f"{split}, {name}\n{what}", [Panel(grid) for grid in row]) for row, name in zip(grids, names, strict=True)
    ]


def figure_parts(
    stores: Sequence[Store],
    *,
    labels: Sequence[str] | None = None,
    quantity: str = "loss",
    step: int | None = None,
    query: int | None = None,
    tasks: int | None = None,
    scale: Scale = "row",
    out: Path | None = None,
    name: str = "parts",
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Draw what perturbing the head and the feature layers each do (thesis figures 6, 7, 17 and 18), in 3-D.

    A row is one surface of `--part all` with its parts `head` and `feature`, as far as they are among the stores.

    Args:
        stores: surfaces that, in a row, differ in their part alone.
        labels: of the rows, in the order in which they come first among the stores.
        quantity: `loss`, `support_loss` or `accuracy`.
        step: inner steps; by default the fewest that were recorded.
        query: query images per class; by default the most that were scored.
        tasks: the first so many tasks of each store; by default all.
        scale: of heights; by default one for each row, so that its parts compare.
        out: folder; by default beside a single store, else `figures` in `runs.home()`.
        name: of the files, without their ending.
        formats: of `png`, `pdf`, `svg`.

    Returns:
        The files that were written.

    Raises:
        RaymamlError: a store or an option cannot be used, or two stores would be one panel.
    """
    whole = opened(stores)
    table: dict[str, dict[str, SurfaceStore]] = {}  # surface whatever its part -> part -> store
    for store in whole:
        _put(table.setdefault(dataclasses.replace(store.spec, part="all").digest, {}), store.spec.part, store)
    parts = [part for part in PARTS if any(part in row for row in table.values())]
    at = {key: next(iter(row.values())).spec for key, row in table.items()}
    chosen = {key: spec.steps[0] if step is None else step for key, spec in at.items()}
    rows = [
        Row(
            label,
            [
                Panel(
                    grid_of(row[part], quantity, step=chosen[key], tasks=tasks, **_query(quantity, query))
                    if part in row
                    else None,
                    part if key == next(iter(table)) else "",
                )
                for part in parts
            ],
        )
        for (key, row), label in zip(table.items(), labels_of(list(at.values()), labels), strict=True)
    ]
    specs = [store.spec for store in whole]
    title = title_of(specs, steps=chosen.values(), queries=_queries(whole, [quantity], query), tasks=tasks)
    figure = solids(rows, title=title, quantity=quantity_name(specs[0], quantity), scale=scale)
    return save(figure, folder_of(whole, out) / name, formats)


def figure_queries(
    store: Store,
    *,
    queries: Sequence[int] | None = None,
    step: int | None = None,
    tasks: int | None = None,
    spacing: float = 0.2,
    out: Path | None = None,
    name: str = "queries",
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Draw the contours of one surface for each number of query images (thesis figure 10).

    Args:
        store: a surface with several numbers of query images.
        queries: to show; by default all that were scored.
        step: inner steps; by default the most that were recorded.
        tasks: the first so many tasks of the store; by default all.
        spacing: of the contour lines.
        out: folder; by default beside the store.
        name: of the files, without their ending.
        formats: of `png`, `pdf`, `svg`.

    Returns:
        The files that were written.

    Raises:
        RaymamlError: the store or an option cannot be used.
    """
    [whole] = opened_of_tasks([store])
    check_spacing(spacing)
    shown = sorted(set(whole.spec.queries if queries is None else queries))
    panels = [
        Panel(
            grid_of(whole, "loss", step=step, query=query, tasks=tasks),
            f"{query} {plural('query', query)} per class",
        )
        for query in shown
    ]
    steps = [whole.spec.steps[-1] if step is None else step]
    title = title_of([whole.spec], steps=steps, queries=shown, tasks=tasks)
    wide = len(panels) if len(panels) < 4 else 2
    return save(flats(in_rows(panels, wide), title=title, step=spacing), folder_of([whole], out) / name, formats)


def in_rows(panels: Sequence[Panel], columns: int) -> list[Row]:
    """Panels in rows of so many, without labels."""
    return [Row("", panels[start : start + columns]) for start in range(0, len(panels), columns)]


def _put(places: dict[str, SurfaceStore], place: str, store: SurfaceStore) -> None:
    if place in places:
        raise SpecError(f"{places[place].path} and {store.path} would be one panel ({place}); leave one of them out")
    places[place] = store


def _query(quantity: str, query: int | None) -> dict[str, int | None]:
    return {} if quantity == "support_loss" else {"query": query}


def _shown(stores: Sequence[SurfaceStore], steps: Sequence[int] | None) -> set[int]:
    recorded = {step for store in stores for step in store.spec.steps}
    return recorded if steps is None else recorded & set(steps)


def _queries(stores: Sequence[SurfaceStore], quantities: Sequence[str], query: int | None) -> set[int]:
    if set(quantities) <= {"support_loss"}:
        return set()
    return {store.spec.queries[-1] if query is None else query for store in stores}


def _list(values: Iterable[int]) -> str:
    return " ".join(map(str, values))
