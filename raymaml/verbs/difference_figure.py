"""Draw the paired difference of two surfaces, task by task; needs neither torch nor ray."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from raymaml import files
from raymaml.analysis import Bools, Float64s, Floats, all_done, mean_and_interval, mean_over_tasks
from raymaml.errors import MismatchError
from raymaml.figures.grid import Grid, checked_grid, index_of_zero
from raymaml.figures.maps import Map, maps
from raymaml.figures.saving import save
from raymaml.figures.solid import height_of
from raymaml.landscape.store import SurfaceStore
from raymaml.specs import ModelSpec, SurfaceSpec, TaskSpec, differences
from raymaml.spread import Difference, paired_difference
from raymaml.verbs.panel_figures import FORMATS
from raymaml.verbs.spread_figure import UNITS
from raymaml.verbs.titles import labels_of, title_of
from raymaml.verbs.views import QUANTITIES, Store, folder_of, opened, values_of

CELLS = ("alpha", "beta", "one", "other", "difference", "se", "significant")


@dataclass(frozen=True)
class DifferenceFigure:
    """What `figure_difference` made."""

    files: list[Path]
    lines: list[str]  # the numbers, for people


@dataclass(frozen=True)
class _Pair:
    """Two surfaces' values of the same tasks at the same points."""

    one: Floats  # (task, alpha, beta)
    other: Floats
    done: Bools  # (task, alpha, beta) in both
    alphas: Float64s
    betas: Float64s

    def grid(self, values: Float64s) -> Grid:
        return checked_grid(values, self.alphas, self.betas, all_done(self.done))


def figure_difference(
    one: Store,
    other: Store,
    *,
    labels: Sequence[str] | None = None,
    step: int | None = None,
    query: int | None = None,
    tasks: int | None = None,
    quantity: str = "loss",
    out: Path | None = None,
    name: str = "difference",
    formats: Sequence[str] = FORMATS,
) -> DifferenceFigure:
    """Draw two surfaces on one scale, and the mean over tasks of the second minus the first.

    The tasks are the same, so each is compared with itself. Grid points at which the mean difference lies within 1.96
    of its standard errors are dotted; each point is judged by itself, so about 5 % would be without a dot by chance
    if the surfaces were equal.

    Args:
        one: a surface.
        other: a surface of the same tasks, grid and directions: of another seed, run, method or checkpoint.
        labels: of both.
        step: inner steps; by default the most that both recorded.
        query: query images per class; by default the most that both scored.
        tasks: the first so many tasks; by default all, which must be as many.
        quantity: `loss` or `accuracy` of the query sets, or `support_loss`.
        out: folder; by default `figures` in `runs.home()`.
        name: of the files, without their ending.
        formats: of `png`, `pdf`, `svg`.

    Returns:
        The files that were written, with `<name>-cells.csv`, and the numbers as lines: the mean difference over the
        grid, the share of the grid where it is clearly lower or higher, and the difference at the centre.

    Raises:
        MismatchError: they do not have the same tasks, grid, directions or numbers of steps; the text lists the values.
        RaymamlError: a store or an option cannot be used.
    """
    both = opened([one, other])
    specs = [store.spec for store in both]
    step = _common([spec.steps for spec in specs], "steps") if step is None else step
    queries = [] if quantity == "support_loss" else [query or _common([spec.queries for spec in specs], "queries")]
    shown = queries[0] if queries else None
    _check(both, shown, tasks)
    pair = _pair(both, quantity, step, shown, tasks)
    found = paired_difference(pair.other, pair.one, pair.done)
    first, second = _labels(both, labels)
    title = title_of(specs, steps=[step], queries=queries, tasks=tasks)
    said = _numbers(found, pair, quantity, first, second)
    figure = maps([_maps(found, pair, quantity, first, second)], title=f"{title}\n{said[0]}")
    folder = folder_of(both, out)
    cells = folder / f"{name}-cells.csv"
    written = save(figure, folder / name, formats)
    files.write_csv(cells, CELLS, _cells(found, pair))
    return DifferenceFigure([*written, cells], said)


def _common(recorded: Sequence[Sequence[int]], what: str) -> int:
    """The most that both recorded."""
    shared = set(recorded[0]) & set(recorded[1])
    if not shared:
        lists = " and ".join(" ".join(map(str, counts)) for counts in recorded)
        raise MismatchError(f"the two surfaces have no {what} in common: {lists}; compute one of them again")
    return max(shared)


def _check(both: Sequence[SurfaceStore], query: int | None, tasks: int | None) -> None:
    """Refuse two surfaces whose tasks cannot be paired, or that lie on other directions."""
    one, other = (_paired(store.spec, both[0].spec, query, tasks) for store in both)
    if one != other:
        raise MismatchError(
            f"{both[0].path} and {both[1].path} cannot be compared task by task: "
            f"{differences(one, other, 'in the other')}; compute one of them with the values of the other"
        )


def _paired(spec: SurfaceSpec, first: SurfaceSpec, query: int | None, tasks: int | None) -> SurfaceSpec:
    """What must agree; everything in which the surfaces may differ is as in the first of them."""
    model = ModelSpec(spec.model.backbone, spec.model.channels, spec.model.image_size)
    fewer = spec.tasks if tasks is None or spec.fresh_tasks else tasks  # numbers of fresh tasks depend on how many
    return dataclasses.replace(
        spec,
        **{
            name: getattr(first, name)
            for name in ("run", "seed", "checkpoint", "checkpoint_digest", "data", "learner", "steps", "precision")
        },
        model=model,
        task=TaskSpec(spec.task.way, spec.task.shot, query or 1),  # the first so many images are the same ones
        queries=(query or 1,),
        tasks=fewer,
    )


def _pair(both: Sequence[SurfaceStore], quantity: str, step: int, query: int | None, tasks: int | None) -> _Pair:
    (one, there), (other, also) = (values_of(store, quantity, step=step, query=query, tasks=tasks) for store in both)
    axes = both[0].spec.grid
    alphas, betas = np.array(axes.coordinates(axes.alphas)), np.array(axes.coordinates(axes.betas))
    return _Pair(one, other, there & also, alphas, betas)


def _labels(both: Sequence[SurfaceStore], given: Sequence[str] | None) -> list[str]:
    """Labels that differ, so that the difference says which surface is which."""
    found = labels_of([store.spec for store in both], given)
    if found[0] != found[1] or given:
        return found
    return [f"{label} ({which})" for label, which in zip(found, ("one", "other"), strict=True)]


def _maps(found: Difference, pair: _Pair, quantity: str, first: str, second: str) -> list[Map]:
    grids = [pair.grid(mean_over_tasks(values, pair.done)) for values in (pair.one, pair.other)]
    height = height_of(*grids)
    change = pair.grid(found.mean)
    same = np.isfinite(change.values) & ~(found.lower | found.higher)
    label = QUANTITIES[quantity]
    dots = "dots: difference within 1.96 of its standard errors over tasks"
    if np.isnan(found.error).all():
        same, dots = np.zeros_like(same), ""
    return [
        *(Map(grid, heading, label, height) for grid, heading in zip(grids, (first, second), strict=True)),
        Map(change, f"{second} − {first}", f"difference of {label}", centred=True, dotted=same, dots=dots),
    ]


def _numbers(found: Difference, pair: _Pair, quantity: str, first: str, second: str) -> list[str]:
    unit, size = UNITS[quantity], found.mean.size
    used = np.isfinite(found.mean)
    what = f"{second} − {first}, {QUANTITIES[quantity]}"
    if not used.any():
        return [f"{what}: no grid point at which every task of both has a finite value"]
    per_task = (pair.other[:, used].astype(np.float64) - pair.one[:, used]).mean(axis=1)
    lines = [f"{what}: mean {_interval(per_task)}{unit} over {used.sum()} of {size} grid points"]
    if len(per_task) == 1:
        lines.append("one task: no interval")
    else:
        low, high = (100 * side[used].mean() for side in (found.lower, found.higher))
        lines.append(
            f"{second} is lower at {low:.1f} % of them, higher at {high:.1f} % "
            f"(by more than 1.96 standard errors over {len(per_task)} tasks, each point by itself)"
        )
    a, b = index_of_zero(pair.alphas), index_of_zero(pair.betas)
    if a is None or b is None:
        lines.append("at (0, 0): no grid point")
    elif not used[a, b]:
        lines.append("at (0, 0): diverged or not computed")
    else:
        lines.append(f"at (0, 0): {_interval(pair.other[:, a, b].astype(np.float64) - pair.one[:, a, b])}{unit}")
    return lines


def _interval(values: Float64s) -> str:
    mean, half = mean_and_interval(values)
    return f"{mean:+.4g}" if np.isnan(half) else f"{mean:+.4g} ± {half:.2g} (95 %)"


def _cells(found: Difference, pair: _Pair) -> list[list[object]]:
    """A row for each grid point; nothing where there is no such number."""
    means = [mean_over_tasks(values, pair.done) for values in (pair.one, pair.other)]
    columns = [*means, found.mean, found.error]
    sign = found.higher.astype(int) - found.lower.astype(int)
    return [
        [
            float(alpha),
            float(beta),
            *("" if np.isnan(part[i, j]) else float(part[i, j]) for part in columns),
            "" if np.isnan(found.error[i, j]) else int(sign[i, j]),
        ]
        for i, alpha in enumerate(pair.alphas)
        for j, beta in enumerate(pair.betas)
    ]
