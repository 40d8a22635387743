"""Draw how far surfaces would be off with other tasks, seeds or directions; needs neither torch nor ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raymaml import files
from raymaml.analysis import NORMAL_95, Area, Bools, Float64s, all_done, areas, mean_over_tasks
from raymaml.figures.flat_panels import area_text
from raymaml.figures.grid import ALPHA, BETA, checked_grid
from raymaml.figures.maps import Map, maps
from raymaml.figures.saving import save
from raymaml.figures.sections import Line, Section, sections
from raymaml.landscape.sets import SurfaceSet
from raymaml.landscape.store import SurfaceStore
from raymaml.spread import Spread, decompose, rectangle, standard_error
from raymaml.verbs.meta_figure import thesis_thresholds
from raymaml.verbs.panel_figures import FORMATS
from raymaml.verbs.titles import plural, title_of
from raymaml.verbs.views import QUANTITIES, Store, incomplete, surfaces_of, values_of

UNITS = {"loss": " nats", "support_loss": " nats", "accuracy": ""}
CELLS = ("alpha", "beta", "mean", "se_tasks", "sd_seeds", "sd_directions")
AREAS = ("seed", "direction_seed", "threshold", "share", "share_low95", "share_high95", "store")


@dataclass(frozen=True)
class SpreadFigure:
    """What `figure_spread` made."""

    files: list[Path]
    lines: list[str]  # the numbers, for people


@dataclass(frozen=True)
class _Table:
    """The surfaces of a full table of seeds and directions, and what their values give."""

    stores: list[list[SurfaceStore]]  # [seed][direction]
    means: Float64s  # (seed, direction, alpha, beta) over tasks
    errors: Float64s  # (seed, direction, alpha, beta) standard error over tasks
    done: Bools  # (alpha, beta) in all surfaces
    error: Float64s | None  # (alpha, beta) standard error over tasks of the mean over the table; None for one task
    spread: Spread

    @property
    def flat(self) -> list[SurfaceStore]:
        return [store for row in self.stores for store in row]

    @property
    def axes(self) -> tuple[Float64s, Float64s]:
        """Alphas and betas."""
        grid = self.stores[0][0].spec.grid
        return np.array(grid.coordinates(grid.alphas)), np.array(grid.coordinates(grid.betas))

    @property
    def kinds(self) -> dict[str, Float64s]:
        """Those measures of uncertainty that there are."""
        found = {}
        if self.error is not None:
            found["standard error over tasks" + (" of the mean" if len(self.flat) > 1 else "")] = self.error
        if self.spread.seeds is not None:
            found["standard deviation over seeds"] = self.spread.seeds
        if self.spread.directions is not None:
            found["standard deviation over directions"] = self.spread.directions
        return found


def figure_spread(
    store: Store | SurfaceSet,
    *,
    step: int | None = None,
    query: int | None = None,
    tasks: int | None = None,
    quantity: str = "loss",
    out: Path | None = None,
    name: str = "spread",
    formats: Sequence[str] = FORMATS,
) -> SpreadFigure:
    """Draw the mean of surfaces and its uncertainty as maps, and cross-sections through the centre with bands.

    Of one surface the uncertainty is that over tasks. Of a set there is also the standard deviation over seeds (of
    their means over directions) and over directions (of their means over seeds). All surfaces of a set have the same
    tasks, so the standard error of their mean is that of each task's mean over the surfaces: the errors of single
    surfaces are not independent. Where not every seed has every pair of directions, the largest full table is drawn,
    and the title and the lines say what is left out.

    Args:
        store: a set of surfaces, or one surface, finished or not.
        step: inner steps; by default the most that were recorded.
        query: query images per class; by default the most that were scored.
        tasks: the first so many tasks; by default all.
        quantity: `loss` or `accuracy` of the query sets, or `support_loss`.
        out: folder; by default `<store>-figures` beside the store.
        name: what the names of the files start with.
        formats: of `png`, `pdf`, `svg`.

    Returns:
        The files that were written (`<name>-maps`, `<name>-sections`, `<name>-cells.csv` and, of losses,
        `<name>-areas.csv`), and the numbers as lines: median and largest of each uncertainty over the grid, and each
        surface's area below the thresholds of `figure_meta`, with how far seeds and directions differ in it.

    Raises:
        RaymamlError: the store or an option cannot be used.
    """
    whole = surfaces_of(store)
    seeds, directions = rectangle((one.spec.seed, one.spec.direction_seed) for one in whole)
    by_pair = {(one.spec.seed, one.spec.direction_seed): one for one in whole}
    table = _table(
        [[by_pair[seed, direction] for direction in directions] for seed in seeds], quantity, step, query, tasks
    )
    left_out = [*_left_out(whole, table.flat), *incomplete(table.flat)]
    specs = [one.spec for one in table.flat]
    title = title_of(
        specs,
        steps=[specs[0].steps[-1] if step is None else step],
        queries=[] if quantity == "support_loss" else [query or specs[0].queries[-1]],
        tasks=tasks,
    )
    title = "\n".join([title, *left_out])
    path = store if isinstance(store, Path) else store.path
    folder = out.expanduser() if out else path.with_name(f"{path.stem}-figures")
    cells = folder / f"{name}-cells.csv"
    measured = [] if quantity == "accuracy" else _areas(whole, quantity, step, query, tasks)
    drawn, cuts = maps(_maps(table, quantity), title=title), _sections(table)
    lines = sections(cuts, title=title, quantity=QUANTITIES[quantity], band=_band(table))
    written = [*save(drawn, folder / f"{name}-maps", formats), *save(lines, folder / f"{name}-sections", formats)]
    files.write_csv(cells, CELLS, _cells(table))
    written.append(cells)
    if measured:
        written.append(folder / f"{name}-areas.csv")
        files.write_csv(written[-1], AREAS, _area_rows(measured))
    said = [*left_out, *_numbers(table, quantity), *_area_lines(measured, table)]
    return SpreadFigure(written, said)


def _table(
    stores: list[list[SurfaceStore]], quantity: str, step: int | None, query: int | None, tasks: int | None
) -> _Table:
    found = [[values_of(one, quantity, step=step, query=query, tasks=tasks) for one in row] for row in stores]
    flat = [pair for row in found for pair in row]
    done: Bools = np.logical_and.reduce([there for _, there in flat])
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, a diverged cell
        per_task = np.asarray(np.mean([values for values, _ in flat], axis=0, dtype=np.float64))
    means = np.array([[mean_over_tasks(values, there) for values, there in row] for row in found])
    errors = np.array([[standard_error(values, there) for values, there in row] for row in found])
    error = standard_error(per_task, done) if len(per_task) > 1 else None
    return _Table(stores, means, errors, all_done(done), error, decompose(means))


def _left_out(whole: Sequence[SurfaceStore], used: Sequence[SurfaceStore]) -> list[str]:
    there = {one.path for one in used}
    names = [f"seed {s.spec.seed} on directions {s.spec.direction_seed}" for s in whole if s.path not in there]
    return [f"left out, since not every seed has every pair of directions: {', '.join(names)}"] if names else []


def _maps(table: _Table, quantity: str) -> list[list[Map]]:
    mean = f"mean {QUANTITIES[quantity]}"
    seeds, directions = len(table.stores), len(table.stores[0])
    if seeds * directions > 1:
        mean += f" over {seeds} {plural('seed', seeds)}, {directions} {plural('pair', directions)} of directions"
    unit = UNITS[quantity].strip()
    named = {mean: (table.spread.mean, QUANTITIES[quantity]), **{k: (v, unit) for k, v in table.kinds.items()}}
    panels = [
        Map(checked_grid(values, *table.axes, table.done), heading, label) for heading, (values, label) in named.items()
    ]
    columns = 3 if len(panels) == 3 else 2
    return [panels[start : start + columns] for start in range(0, len(panels), columns)]


def _band(table: _Table) -> str:
    if len(table.stores[0]) > 1:
        return "lowest to highest of the\ndirections; line: their mean"
    return "" if np.isnan(table.errors).all() else "95 % interval over tasks"


def _sections(table: _Table) -> list[Section]:
    """Along each axis, on the grid line nearest to the other axis: a line for each seed."""
    names, found = (ALPHA, BETA), []
    for axis in (0, 1):
        other = table.axes[1 - axis]
        at = int(np.abs(other).argmin())
        means, errors = (np.take(part, at, axis=3 - axis) for part in (table.means, table.errors))
        lines = []
        for row, mean, error in zip(table.stores, means, errors, strict=True):
            spec = row[0].spec
            middle = np.where(np.isfinite(mean), mean, np.nan)  # (direction, point)
            half = NORMAL_95 * error if len(row) == 1 else np.zeros_like(error)
            label = f"seed {spec.seed}" + ("" if len(row) > 1 else f", directions {spec.direction_seed}")
            lines.append(Line(label, middle.mean(axis=0), (middle - half).min(axis=0), (middle + half).max(axis=0)))
        symbol = names[1 - axis].split()[0]
        heading = f"along {names[axis].split()[0]}, at {symbol} = {other[at]:.3g}"
        found.append(Section(heading, names[axis], table.axes[axis], lines))
    return found


def _cells(table: _Table) -> list[list[float | str]]:
    """A row for each grid point; nothing where there is no such number."""
    nothing = np.full(table.done.shape, np.nan)
    parts = [table.spread.mean, table.error, table.spread.seeds, table.spread.directions]
    columns = [nothing if part is None else part for part in parts]
    alphas, betas = table.axes
    return [
        [float(alpha), float(beta), *("" if np.isnan(part[i, j]) else float(part[i, j]) for part in columns)]
        for i, alpha in enumerate(alphas)
        for j, beta in enumerate(betas)
    ]


def _numbers(table: _Table, quantity: str) -> list[str]:
    lines = []
    for kind, values in {f"mean {QUANTITIES[quantity]}": table.spread.mean, **table.kinds}.items():
        finite = values[np.isfinite(values)]
        text = (
            f"median {np.median(finite):.4g}, max {finite.max():.4g}{UNITS[quantity]}" if finite.size else "no number"
        )
        lines.append(f"{kind}: {text} over {finite.size} of {values.size} grid points")
    return lines


Measured = list[tuple[SurfaceStore, list[Area]]]


def _areas(
    whole: Sequence[SurfaceStore], quantity: str, step: int | None, query: int | None, tasks: int | None
) -> Measured:
    thresholds = [threshold for threshold, _ in thesis_thresholds(whole[0].spec)]
    read = [(one, values_of(one, quantity, step=step, query=query, tasks=tasks)) for one in whole]
    return [(one, areas(values, done, thresholds)) for one, (values, done) in read]


def _area_rows(measured: Measured) -> list[list[object]]:
    return [
        [one.spec.seed, one.spec.direction_seed, area.threshold, area.share, area.low, area.high, one.path]
        for one, found in measured
        for area in found
    ]


def _area_lines(measured: Measured, table: _Table) -> list[str]:
    lines = [
        f"seed {one.spec.seed}, directions {one.spec.direction_seed}: {', '.join(map(area_text, found))} of the grid"
        for one, found in measured
    ]
    of = {one.path: found for one, found in measured}
    if len(table.flat) < 2 or not measured:
        return lines
    shares = np.array([[[area.share for area in of[one.path]] for one in row] for row in table.stores])
    spread = decompose(100 * shares)
    for k, area in enumerate(measured[0][1]):
        text = f"≤ {area.threshold:g}: mean {spread.mean[k]:.1f} % of the grid"
        for what, deviation in (("seeds", spread.seeds), ("directions", spread.directions)):
            text += "" if deviation is None else f", standard deviation over {what} {deviation[k]:.1f} %"
        lines.append(text)
    return lines
