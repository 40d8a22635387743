"""The Zarr schema of a surface, in one place.

    <name>.zarr/            attributes: kind, format, spec, plan, provenance
        loss          (task, step, query, alpha, beta)   of the query set, nats
        accuracy      (task, step, query, alpha, beta)   of the query set, 0..1
        support_loss  (task, step, alpha, beta)          nats
        done          (task, alpha, beta)                1 once the cell is computed; written after the others
        task, step, query, alpha, beta                   coordinates

A loss that is NaN or inf is a diverged cell, not a missing one. Steps are inner steps; queries are query images per
class, of which the first so many were scored. The layout is wide rather than one store per step, since one adaptation
gives all steps and a cell is computed with all of them or not at all: hence `done` has neither axis.

A surface of the pre-training loss has a batch of images for each task: `loss` and `accuracy` are those of the batch,
over all base classes, `support_loss` is the loss again, and there is one step, 0, and one entry along `query`.

All metadata is written before any actor starts and never again. A block is one chunk of each array and has
one writer: two processes writing parts of one chunk would lose data without an error (zarr-python #3682).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from raymaml import zarr_chunks, zarr_groups
from raymaml.errors import MismatchError, MissingError
from raymaml.landscape.plan import Block, Plan, plan_of
from raymaml.landscape.values import Values
from raymaml.specs import SurfaceSpec, differences

KIND, FORMAT = "raymaml.surface", 2
DIMENSIONS = {
    "loss": ("task", "step", "query", "alpha", "beta"),
    "accuracy": ("task", "step", "query", "alpha", "beta"),
    "support_loss": ("task", "step", "alpha", "beta"),
    "done": ("task", "alpha", "beta"),
}
VALUES = ("loss", "accuracy", "support_loss")
COORDINATES = ("task", "step", "query", "alpha", "beta")


@dataclass(frozen=True)
class SurfaceStore:
    """An open store: what it is of, how it is cut, and its arrays."""

    path: Path
    spec: SurfaceSpec
    plan: Plan
    provenance: Mapping[str, Any]
    group: zarr.Group

    def write(self, block: Block, values: Values) -> None:
        """Store one block; it counts as done only after all of its arrays are on disk.

        Raises:
            ValueError: the block is not exactly one chunk, or the values have another shape.
        """
        self._check(block, values)
        for name, part in values._asdict().items():
            self._array(name)[self._where(name, block)] = part
        self._array("done")[block.slices] = np.ones(block.shape, np.uint8)

    def _where(self, name: str, block: Block) -> tuple[slice, ...]:
        task, *point = block.slices
        return task, *[slice(None)] * (len(DIMENSIONS[name]) - 3), *point

    def _check(self, block: Block, values: Values) -> None:
        for name, part in values._asdict().items():
            needed = _shape(self.spec, name, block.shape)
            if part.shape != needed:
                raise ValueError(f"{block} needs {name} of shape {needed}, got {part.shape}")
        if not self.plan.holds(block):
            raise ValueError(f"{block} is not one chunk of {self.path}: writing parts of a chunk loses data")

    def missing(self) -> list[Block]:
        """Blocks still to compute, in the order of the plan."""
        done = self.read("done")
        return [block for block in self.plan.blocks() if not done[block.slices].all()]

    def read(self, name: str) -> npt.NDArray[Any]:
        """One of the arrays in memory, with all of its axes; see DIMENSIONS.

        Raises:
            SpecError: a chunk of it is damaged.
        """
        return zarr_chunks.read(self.path, self._array(name))

    def surface(self, name: str, *, step: int | None = None, query: int | None = None) -> npt.NDArray[Any]:
        """One of `loss`, `accuracy`, `support_loss` after `step` inner steps, shape (task, alpha, beta), in memory.

        Args:
            name: of the array.
            step: by default the last one that was recorded.
            query: query images per class, by default the most that were scored; the support loss has none.

        Raises:
            MissingError: that step or that number of query images was not recorded.
            SpecError: a chunk of the array is damaged.
        """
        at = {
            "step": index_of(self.spec.steps, step, "steps"),
            "query": index_of(self.spec.queries, query, "query images"),
        }
        chosen = tuple(at.get(axis, slice(None)) for axis in DIMENSIONS[name])
        return zarr_chunks.read(self.path, self._array(name), chosen)

    def damaged(self) -> list[str]:
        """Chunks that cannot be read, of any array, as `loss/c/0/0/0/1/2`."""
        return [name for array in (*DIMENSIONS, *COORDINATES) for name in zarr_chunks.damaged(self._array(array))]

    def lost(self) -> list[str]:
        """Chunks that are not there although their block counts as done: they would be read as NaN."""
        done, found = self.read("done"), []
        for block in self.plan.blocks():
            if done[block.slices].any():
                ranges = zip((block.task, block.alpha, block.beta), self.plan.block_shape, strict=True)
                task, *point = (start // size for (start, _), size in ranges)
                for name in VALUES:
                    at = (task, *[0] * (len(DIMENSIONS[name]) - 3), *point)
                    found += zarr_chunks.absent(self.path, self._array(name), at)
        return found

    def wrong_coordinates(self) -> list[str]:
        """Coordinates that are not those of the specification."""
        return [
            name
            for name, expected in _coordinates(self.spec).items()
            if not np.array_equal(zarr_chunks.read(self.path, self._array(name)), expected)
        ]

    def _array(self, name: str) -> zarr.Array[Any]:
        return zarr_groups.array_of(self.group, name)


def index_of(recorded: tuple[int, ...], wanted: int | None, what: str) -> int:
    """Where a number of steps or query images lies on its axis; None is the last.

    Raises:
        MissingError: it was not recorded.
    """
    if wanted is not None and wanted not in recorded:
        raise MissingError(f"the surface was not recorded at {wanted} {what}, only at {' '.join(map(str, recorded))}")
    return len(recorded) - 1 if wanted is None else recorded.index(wanted)


def _shape(spec: SurfaceSpec, name: str, box: tuple[int, int, int]) -> tuple[int, ...]:
    """Shape of an array over a box of cells (task, alpha, beta)."""
    sizes = dict(zip(DIMENSIONS["done"], box, strict=True)) | {"step": len(spec.steps), "query": len(spec.queries)}
    return tuple(sizes[axis] for axis in DIMENSIONS[name])


def create_or_open(path: Path, spec: SurfaceSpec, provenance: Mapping[str, Any]) -> SurfaceStore:
    """The store of `spec` at `path`, made if it is not there; for its one writer, who holds its lock.

    Raises:
        MismatchError: something else is there, or a surface of another specification.
    """
    zarr_groups.remove_leftovers(path)
    if path.exists():
        return open_same(path, spec)
    zarr_groups.make(path, lambda folder: _create(folder, spec, provenance))
    return open_store(path)


def open_same(path: Path, spec: SurfaceSpec) -> SurfaceStore:
    """The store at `path`, which must be that of `spec`.

    Raises:
        MismatchError: it is of another specification, or something else is there.
    """
    store = open_store(path)
    if store.spec != spec:
        raise MismatchError(
            f"{path} holds another surface: {differences(store.spec, spec)}; name another store with --out"
        )
    return store


def open_store(path: Path) -> SurfaceStore:
    """Open a store for reading or for writing blocks.

    Raises:
        MissingError: there is nothing at `path`.
        SpecError: it is no surface, is damaged, or has a newer format.
    """
    if not path.exists():
        raise MissingError(f"no surface at {path}; compute one: raymaml surface --out {path}")
    with zarr_groups.reading(path, "surface"):
        group = zarr_groups.open_group(path, "r+")
        attributes: dict[str, Any] = dict(group.attrs)
        zarr_groups.check_format(path, attributes, KIND, FORMAT, "surface")
        spec = SurfaceSpec.from_dict(attributes["spec"])
        plan = Plan(**{name: tuple(attributes["plan"][name]) for name in ("shape", "block_shape")})
        store = SurfaceStore(path, spec, plan, zarr_groups.provenance_of(attributes), group)
        _check_arrays(store)
    return store


def _check_arrays(store: SurfaceStore) -> None:
    for name in DIMENSIONS:
        array = store._array(name)
        shape, chunks = (_shape(store.spec, name, box) for box in (store.plan.shape, store.plan.block_shape))
        if array.shape != shape or array.chunks != chunks:
            raise ValueError(f"array {name} has shape {array.shape} and chunks {array.chunks}")


def _create(path: Path, spec: SurfaceSpec, provenance: Mapping[str, Any]) -> None:
    plan = plan_of(spec.tasks, spec.grid.alphas, spec.grid.betas, shared=spec.around == "adapted")
    attributes = {
        "kind": KIND,
        "format": FORMAT,
        "spec": spec.to_dict(),
        "plan": {"shape": plan.shape, "block_shape": plan.block_shape},
        "provenance": dict(provenance),
    }
    group = zarr.create_group(path, attributes=attributes)
    for name, dimensions in DIMENSIONS.items():
        dtype, fill = ("uint8", 0) if name == "done" else (spec.precision, np.nan)
        group.create_array(
            name,
            shape=_shape(spec, name, plan.shape),
            chunks=_shape(spec, name, plan.block_shape),  # all steps and queries of a block: one writer
            dtype=dtype,
            fill_value=fill,
            compressors=zarr_groups.compressors(),
            dimension_names=dimensions,
        )
    _create_coordinates(group, spec)
    zarr_groups.consolidate(group)


def _create_coordinates(group: zarr.Group, spec: SurfaceSpec) -> None:
    for name, values in _coordinates(spec).items():
        group.create_array(name, data=values, compressors=zarr_groups.compressors(), dimension_names=(name,))


def _coordinates(spec: SurfaceSpec) -> dict[str, npt.NDArray[Any]]:
    return {
        "task": np.array(spec.task_numbers),
        "step": np.array(spec.steps),
        "query": np.array(spec.queries),
        "alpha": np.array(spec.grid.coordinates(spec.grid.alphas)),
        "beta": np.array(spec.grid.coordinates(spec.grid.betas)),
    }
