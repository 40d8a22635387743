"""Draw meta-loss surfaces beside each other, and measure their areas below thresholds; needs neither torch nor ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raymaml import files
from raymaml.analysis import Area, areas
from raymaml.errors import SpecError
from raymaml.figures.flat_panels import BLUE, GREEN, RED, YELLOW, area_text, flats
from raymaml.figures.saving import save
from raymaml.figures.sheet import Panel
from raymaml.figures.solid_panels import Scale, solids
from raymaml.landscape.store import SurfaceStore
from raymaml.specs import SurfaceSpec, family
from raymaml.verbs.panel_figures import FORMATS, in_rows
from raymaml.verbs.titles import labels_of, title_of
from raymaml.verbs.views import Store, check_spacing, folder_of, grid_of, incomplete, opened_of_tasks, values_of

LARGEST = 1e6  # of a threshold: from 2**53 on a level and the next one that matplotlib needs are one number
Thresholds = Sequence[tuple[float, str]]  # with the colour of the area below

# Of the thesis's figure 11 (miniImageNet) and 12 (CUB); other data sets get those of figure 12.
THESIS: dict[tuple[str, str], Thresholds] = {
    ("miniimagenet", "base"): ((0.61, YELLOW), (0.81, GREEN)),
    ("miniimagenet", "novel"): ((1.21, RED), (1.41, BLUE)),
}
OTHERS: Thresholds = ((0.21, RED), (0.81, YELLOW), (1.01, BLUE), (1.41, GREEN))
COLUMNS = (
    *("label", "data", "method", "backbone", "run", "seed", "checkpoint", "split", "tasks", "step", "query"),
    *("threshold", "share", "share_low95", "share_high95", "store"),
)


@dataclass(frozen=True)
class MetaFigure:
    """What `figure_meta` made."""

    areas: list[tuple[str, list[Area]]]  # of each panel, with its label
    files: list[Path]
    notes: list[str]  # on surfaces that are not complete


def figure_meta(
    stores: Sequence[Store],
    *,
    labels: Sequence[str] | None = None,
    columns: int | None = None,
    step: int | None = None,
    query: int | None = None,
    tasks: int | None = None,
    thresholds: Sequence[float] | None = None,
    spacing: float = 0.2,
    scale: Scale = "own",
    out: Path | None = None,
    name: str = "meta",
    formats: Sequence[str] = FORMATS,
) -> MetaFigure:
    """Draw meta-losses in 3-D (thesis figure 8) and as contours with coloured areas (11 and 12), and write the areas.

    Args:
        stores: surfaces, one panel each, row by row.
        labels: of the panels.
        columns: panels in a row; by default up to 4.
        step: inner steps; by default the most that were recorded.
        query: query images per class; by default the most that were scored.
        tasks: the first so many tasks of each store; by default all.
        thresholds: of the areas, up to 4; by default the thesis's, which differ between data sets and splits.
        spacing: of the contour lines.
        scale: of heights; see `figures.solid_panels.solids`.
        out: folder; by default beside a single store, else `figures` in `runs.home()`.
        name: what the names of the files start with.
        formats: of `png`, `pdf`, `svg`.

    Returns:
        The areas, with their 95 % intervals over tasks (see `analysis.areas`), and the files that were written: the
        3-D views, the contours, and `<name>-areas.csv`.

    Raises:
        RaymamlError: a store or an option cannot be used.
    """
    whole = opened_of_tasks(stores)
    if columns is not None and columns < 1:
        raise SpecError(f"a row needs at least one panel, got {columns}")
    check_spacing(spacing)
    specs = [store.spec for store in whole]
    headings = labels_of(specs, labels)
    colours = [_checked(thresholds) if thresholds else thesis_thresholds(spec) for spec in specs]
    panels = []
    for store, heading, filled in zip(whole, headings, colours, strict=True):
        values, done = values_of(store, "loss", step=step, query=query, tasks=tasks)
        grid = grid_of(store, "loss", step=step, query=query, tasks=tasks)
        found = areas(values, done, [threshold for threshold, _ in filled])
        panels.append(Panel(grid, heading, found, [colour for _, colour in filled]))
    title = title_of(
        specs,
        steps=[spec.steps[-1] if step is None else step for spec in specs],
        queries=[query or spec.queries[-1] for spec in specs],
        tasks=tasks,
    )
    rows = in_rows(panels, columns or min(len(panels), 4))
    several = any(store.spec.tasks > 1 for store in whole) and tasks != 1
    notes = incomplete(whole)
    interval = (
        f"\nareas: share of the {'computed points' if notes else 'grid'}, with the 95 % bootstrap interval over tasks"
        if several
        else ""
    )
    folder = folder_of(whole, out)
    table = folder / f"{name}-areas.csv"
    written = [
        *save(solids(rows, title=title, scale=scale), folder / f"{name}-3d", formats),
        *save(flats(rows, title=title + interval, step=spacing), folder / f"{name}-contour", formats),
    ]
    _write(table, list(zip(whole, panels, strict=True)), step, query, tasks)
    return MetaFigure([(panel.heading, list(panel.areas)) for panel in panels], [*written, table], notes)


def describe(label: str, found: Sequence[Area]) -> list[str]:
    """Lines for people."""
    return [f"{label}: {area_text(area)} of the grid" for area in found]


def thesis_thresholds(spec: SurfaceSpec) -> Thresholds:
    """Thresholds of the areas of a loss, with their colours."""
    return THESIS.get((family(spec.data, spec.model), spec.split), OTHERS)


def _checked(thresholds: Sequence[float]) -> Thresholds:
    values = sorted(set(thresholds))
    if len(values) > len(OTHERS) or not all(abs(value) <= LARGEST for value in values):  # NaN is not either
        got = ", ".join(map(str, thresholds))
        raise SpecError(f"--thresholds needs up to {len(OTHERS)} finite numbers, none above {LARGEST:g}, got {got}")
    return list(zip(values, [colour for _, colour in OTHERS], strict=False))


def _write(
    path: Path, drawn: list[tuple[SurfaceStore, Panel]], step: int | None, query: int | None, tasks: int | None
) -> None:
    rows = []
    for store, panel in drawn:
        spec = store.spec
        what = [panel.heading, spec.data, spec.learner.kind, spec.model.backbone, spec.run, spec.seed]
        what += [spec.checkpoint, spec.split, tasks or spec.tasks]
        what += [spec.steps[-1] if step is None else step, query or spec.queries[-1]]
        rows += [[*what, area.threshold, area.share, area.low, area.high, store.path] for area in panel.areas]
    files.write_csv(path, COLUMNS, rows)
