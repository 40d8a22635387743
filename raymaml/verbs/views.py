"""What figures are drawn of: one surface out of a store, as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml import runs
from raymaml.analysis import Bools, all_done, mean_over_tasks
from raymaml.errors import SpecError
from raymaml.figures.grid import Grid, checked_grid
from raymaml.landscape import sets
from raymaml.landscape.lattice import Lattice, fill
from raymaml.landscape.sets import SurfaceSet
from raymaml.landscape.store import SurfaceStore, open_store
from raymaml.specs import PretrainingSpec, SurfaceSpec

QUANTITIES = {"loss": "query loss", "accuracy": "query accuracy", "support_loss": "support loss"}
OF_PRETRAINING = {"loss": "pre-training loss", "accuracy": "pre-training accuracy", "support_loss": "pre-training loss"}
Store = SurfaceStore | Path
SMALLEST_SPACING = 1e-6  # of contour lines, in nats: below it they show rounding errors


def check_spacing(spacing: float) -> None:
    """Refuse contour lines so close that they would show rounding errors.

    Raises:
        SpecError: the spacing is below SMALLEST_SPACING, or no number.
    """
    if not (math.isfinite(spacing) and spacing >= SMALLEST_SPACING):
        raise SpecError(f"the spacing of contour lines must be {SMALLEST_SPACING:g} or more, got {spacing:g}")


def opened(stores: Sequence[Store]) -> list[SurfaceStore]:
    """The stores of paths; those that are open already stay as they are.

    Raises:
        RaymamlError: one is missing, damaged or no surface, or there is none.
    """
    if not stores:
        raise SpecError("a figure needs at least one surface")
    return [_open_one(store) if isinstance(store, Path) else store for store in stores]


def _open_one(path: Path) -> SurfaceStore:
    if sets.is_set(path):
        names = ", ".join(member.name for member in sets.members(path)) or "none yet"
        raise SpecError(
            f"{path} is a set of surfaces: draw it with raymaml figure spread {path}, or name one in it ({names})"
        )
    return open_store(path)


def surfaces_of(store: Store | SurfaceSet) -> list[SurfaceStore]:
    """The surfaces of a set, or the one surface.

    Raises:
        RaymamlError: it is missing, damaged or neither.
    """
    if isinstance(store, Path):
        store = sets.open_set(store) if sets.is_set(store) else open_store(store)
    return list(store.members) if isinstance(store, SurfaceSet) else [store]


def quantity_name(spec: SurfaceSpec, quantity: str) -> str:
    """What the values of a surface are called; `quantity` is one of QUANTITIES."""
    return (OF_PRETRAINING if isinstance(spec.learner, PretrainingSpec) else QUANTITIES)[quantity]


def opened_of_tasks(stores: Sequence[Store]) -> list[SurfaceStore]:
    """As `opened`, of stores that hold a loss after adapting to tasks.

    Raises:
        RaymamlError: see `opened`; or a store holds the pre-training loss.
    """
    whole = opened(stores)
    for store in whole:
        if isinstance(store.spec.learner, PretrainingSpec):
            raise SpecError(
                f"{store.path} holds the pre-training loss, which no task is adapted to; draw it with "
                "raymaml figure training"
            )
    return whole


def values_of(
    store: SurfaceStore,
    quantity: str = "loss",
    *,
    step: int | None = None,
    query: int | None = None,
    tasks: int | None = None,
) -> tuple[npt.NDArray[Any], Bools]:
    """Values of the first tasks of a store, and whether each is computed; both of shape (task, alpha, beta).

    A store of fixed tasks holds the surfaces of all smaller numbers of them: tasks are numbered, and each one's
    values are kept.

    Args:
        store: the surface.
        quantity: one of QUANTITIES.
        step: inner steps; by default the most that were recorded.
        query: query images per class; by default the most that were scored.
        tasks: how many; by default all.

    Raises:
        SpecError: another quantity, or more tasks than are stored.
        MissingError: the step or the number of query images was not recorded.
    """
    if quantity not in QUANTITIES:
        raise SpecError(f"the quantity must be one of {', '.join(QUANTITIES)}, got {quantity!r}")
    count = task_count(store, tasks)
    values = store.surface(quantity, step=step, query=query)
    return values[:count], store.read("done")[:count].astype(np.bool_)


def task_count(store: SurfaceStore, tasks: int | None) -> int:
    """How many of the first tasks of a store are meant; None is all of them.

    Raises:
        SpecError: more than are stored, or none.
    """
    count = store.spec.tasks if tasks is None else tasks
    if not 1 <= count <= store.spec.tasks:
        raise SpecError(f"{store.path} holds {store.spec.tasks} tasks: --tasks must be from 1 to that, got {count}")
    return count


def grid_of(store: SurfaceStore, quantity: str = "loss", **which: int | None) -> Grid:
    """The mean over tasks, to be drawn: between the points that are computed it is interpolated, and says so.

    Args:
        store: the surface.
        quantity: one of QUANTITIES.
        which: `step`, `query` and `tasks`; see `values_of`.

    Raises:
        RaymamlError: see `values_of`; or the grid has fewer than 2 x 2 points.
    """
    values, done = values_of(store, quantity, **which)
    axes, there = store.spec.grid, all_done(done)
    mean = mean_over_tasks(values, done)
    drawn = mean if there.all() else np.where(there, mean, fill(mean, there, Lattice.of(store.plan)))
    return checked_grid(
        drawn, axes.coordinates(axes.alphas), axes.coordinates(axes.betas), there, ~there & np.isfinite(drawn)
    )


def incomplete(stores: Sequence[SurfaceStore]) -> list[str]:
    """A line for each surface of which not all is computed: what is measured on it, is so on part of the grid."""
    lines = []
    for store in stores:
        there = all_done(store.read("done").astype(np.bool_))
        if not there.all():
            lines.append(
                f"{store.path.name}: {int(there.sum()):,} of {there.size:,} grid points are computed; shares and other "
                "numbers are of these alone, and not of what is interpolated"
            )
    return lines


def folder_of(stores: Sequence[SurfaceStore], out: Path | None) -> Path:
    """Where figures go: beside a single store, else with the figures of the runs, unless told."""
    if out is not None:
        return out.expanduser()
    if len(stores) == 1:
        return stores[0].path.with_name(f"{stores[0].path.stem}-figures")
    return runs.home() / "figures"
