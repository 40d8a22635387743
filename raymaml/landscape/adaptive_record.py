"""What a store says of a surface that was computed adaptively: a Zarr group of its own, which holds attributes alone.

    <name>.zarr/adaptive/zarr.json      attributes: kind, format, and those of `adaptive.Record`

It is written in one step, after all that it speaks of, and by the driver alone; a store that is being computed, or is
computed whole, has none. The metadata of the surface itself stays as it was made.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np

from raymaml import files
from raymaml.analysis import all_done, mean_over_tasks
from raymaml.errors import SpecError
from raymaml.landscape import adaptive
from raymaml.landscape.adaptive import Record
from raymaml.landscape.lattice import Bools, Floats, Lattice
from raymaml.landscape.plan import Block
from raymaml.landscape.store import SurfaceStore

GROUP = "adaptive"
KIND, FORMAT = "raymaml.adaptive", 1


def missing(store: SurfaceStore, tolerance: float) -> list[Block]:
    """Blocks still to compute, coarse first, as far as the values in the store tell; none once it is finished.

    Raises:
        SpecError: a chunk of the store is damaged.
    """
    lattice = Lattice.of(store.plan)
    wanted = lattice.spread(adaptive.needed(*mean_of(store), lattice, tolerance))
    return [block for block in store.missing() if wanted[block.slices[1:]].all()]


def mean_of(store: SurfaceStore) -> tuple[Floats, Bools]:
    """The mean loss over tasks, after the last step and over the most queries, and where it is; both (alpha, beta)."""
    done = store.read("done").astype(np.bool_)
    return mean_over_tasks(store.surface("loss"), done), all_done(done)


def measured(store: SurfaceStore, tolerance: float) -> Record:
    """The record that follows from the values in the store."""
    return adaptive.measure(*mean_of(store), Lattice.of(store.plan), tolerance)


def state(store: SurfaceStore, tolerance: float) -> None:
    """Write the record of a store of which nothing is `missing`; one of a smaller tolerance stays."""
    there = read(store.path)
    if there is None or there.tolerance > tolerance:
        attributes = {"kind": KIND, "format": FORMAT, **dataclasses.asdict(measured(store, tolerance))}
        group = {"zarr_format": 3, "node_type": "group", "attributes": attributes}
        files.write_json(_file(store.path), group, in_store=True)


def withdraw(store: SurfaceStore) -> None:
    """Remove the record of a store that is complete: nothing of it is interpolated any more."""
    shutil.rmtree(store.path / GROUP, ignore_errors=True)


def read(path: Path) -> Record | None:
    """What the store at `path` says of itself; None if it was not computed adaptively to the end, or is whole.

    Raises:
        SpecError: the record is damaged, or of a newer version.
    """
    file = _file(path)
    if not file.exists():
        return None
    values = files.read_json(file)
    try:
        attributes = dict(values["attributes"])
        kind, version = attributes.pop("kind"), attributes.pop("format")
        if (kind, version) != (KIND, FORMAT):
            raise SpecError(f"{file} has kind {kind} and format {version}, this version reads {KIND} {FORMAT}")
        found = Record(**attributes)
        adaptive.check_tolerance(found.tolerance)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, SpecError):
            raise
        raise SpecError(f"{file} is damaged: {error}; remove it, and run the same raymaml surface again") from error
    return found


def _file(path: Path) -> Path:
    return path / GROUP / "zarr.json"
