"""The Zarr schema of a measurement of sharpness, in one place.

    <name>.zarr/             attributes: kind, format, spec, provenance
        loss0, gradient_norm                (task)  query loss (nats) at the weights; L2 norm of its gradient
        loss_MEASURE, sharpness_MEASURE     (task)  loss at the perturbed weights; that minus loss0
        eigenvalue, trace                   (task)  of the query loss's Hessian at the adapted weights
        done_MEASURE, done_gradient         (task)  1 once computed; written after the values
        gradient_sum                        (part, parameter)  sums of the tasks' gradients, part by part
        task                                coordinate

MEASURE is standard, adaptive, linf, average, averaged; `done_hessian` stands for eigenvalue and trace. All values
are float64; NaN or inf is a diverged task, not a missing one. A part is PART tasks, one chunk of each array and
one job with one writer; a later job for further measures writes loss0 and gradient_norm again, the same bits.
`gradient_sum` takes 8 bytes per parameter and part: 90 MB for ResNet18.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from raymaml import zarr_chunks, zarr_groups
from raymaml.errors import MismatchError, MissingError
from raymaml.sharpness.spec import GRADIENT, LOSSES, MEASURES, SharpnessSpec
from raymaml.specs import differences

KIND, FORMAT = "raymaml.sharpness", 1
PART = 10  # tasks: what a crash can lose, and the fewest that one actor takes

Floats = npt.NDArray[np.float64]

VALUES = (
    *("loss0", "gradient_norm"),
    *(f"{what}_{measure}" for measure in LOSSES for what in ("loss", "sharpness")),
    *("eigenvalue", "trace"),
)
MARKS = tuple(f"done_{name}" for name in (*MEASURES, GRADIENT))


@dataclass(frozen=True)
class SharpnessStore:
    """An open store: what it is of, and its arrays."""

    path: Path
    spec: SharpnessSpec
    provenance: Mapping[str, Any]
    group: zarr.Group

    @property
    def parts(self) -> range:
        """Numbers of the parts."""
        return range(_parts(self.spec.tasks))

    def tasks(self, part: int) -> range:
        """Numbers of the tasks of a part."""
        return range(part * PART, min((part + 1) * PART, self.spec.tasks))

    def write(self, part: int, names: Sequence[str], values: Mapping[str, Floats]) -> None:
        """Store the values of a part; its measures `names` count as done only after all of them are on disk.

        Raises:
            ValueError: values have another shape than the part.
        """
        where = self._slice(part)
        for name, row in values.items():
            array = self._array(name)
            if name == "gradient_sum":
                array[part, :] = _checked(name, row, array.shape[1:])
            else:
                array[where] = _checked(name, row, (len(self.tasks(part)),))
        for name in names:
            self._array(f"done_{name}")[where] = np.ones(len(self.tasks(part)), np.uint8)

    def missing(self, name: str) -> list[int]:
        """Parts in which a measure, or `gradient`, is still to compute."""
        done = self.read(f"done_{name}")
        return [part for part in self.parts if not done[self._slice(part)].all()]

    def read(self, name: str) -> npt.NDArray[Any]:
        """One of the arrays over tasks, in memory.

        Raises:
            SpecError: a chunk of it is damaged.
        """
        return zarr_chunks.read(self.path, self._array(name))

    def mean_gradient(self) -> Floats:
        """The gradient of the mean loss of all tasks, (parameter,): parts are added in order, in float64."""
        sums = self._array("gradient_sum")
        total = np.zeros(sums.shape[1])
        for part in self.parts:  # one at a time: a ResNet18 part takes 90 MB
            total += zarr_chunks.read(self.path, sums, (part, slice(None)))
        return total / self.spec.tasks

    def damaged(self) -> list[str]:
        """Chunks that cannot be read, of any array, as `loss0/c/1`."""
        names = (*VALUES, *MARKS, "gradient_sum", "task")
        return [name for array in names for name in zarr_chunks.damaged(self._array(array))]

    def lost(self) -> list[str]:
        """Chunks that are not there although a measure of their part counts as done: they would be read as NaN."""
        found: list[str] = []
        for measure in (*MEASURES, GRADIENT):
            done = self.read(f"done_{measure}")
            for part in self.parts:
                if done[self._slice(part)].any():
                    for name in arrays_of(measure):
                        at = (part, 0) if name == "gradient_sum" else (part,)
                        found += zarr_chunks.absent(self.path, self._array(name), at)
        return sorted(set(found))

    def wrong_coordinates(self) -> list[str]:
        """Coordinates that are not those of the specification."""
        numbers = zarr_chunks.read(self.path, self._array("task"))
        return [] if np.array_equal(numbers, np.arange(self.spec.tasks)) else ["task"]

    def _slice(self, part: int) -> slice:
        tasks = self.tasks(part)
        return slice(tasks.start, tasks.stop)

    def _array(self, name: str) -> zarr.Array[Any]:
        return zarr_groups.array_of(self.group, name)


def arrays_of(measure: str) -> tuple[str, ...]:
    """The arrays that hold a measure, or `gradient`; all but the marks."""
    own = {"hessian": ("eigenvalue", "trace"), GRADIENT: ("gradient_sum",)}
    return "loss0", "gradient_norm", *own.get(measure, (f"loss_{measure}", f"sharpness_{measure}"))


def _checked(name: str, values: Floats, shape: tuple[int, ...]) -> Floats:
    if values.shape != shape:
        raise ValueError(f"{name} needs values of shape {shape}, got {values.shape}")
    return values


def _parts(tasks: int) -> int:
    return -(-tasks // PART)


def create_or_open(path: Path, spec: SharpnessSpec, provenance: Mapping[str, Any], parameters: int) -> SharpnessStore:
    """The store of `spec` at `path`, made if it is not there; for its one writer, who holds its lock.

    Args:
        path: of the store.
        spec: what it is of.
        provenance: to record in a new one.
        parameters: how many the model has.

    Raises:
        MismatchError: something else is there, or a measurement of another specification.
    """
    zarr_groups.remove_leftovers(path)
    if path.exists():
        return open_same(path, spec)
    zarr_groups.make(path, lambda folder: _create(folder, spec, provenance, parameters))
    return open_store(path)


def open_same(path: Path, spec: SharpnessSpec) -> SharpnessStore:
    """The store at `path`, which must be that of `spec`.

    Raises:
        MismatchError: it is of another specification, or something else is there.
    """
    store = open_store(path)
    if store.spec != spec:
        raise MismatchError(f"{path} holds another measurement: {differences(store.spec, spec)}; move it away")
    return store


def open_store(path: Path) -> SharpnessStore:
    """Open a store for reading or for writing parts.

    Raises:
        MissingError: there is nothing at `path`.
        SpecError: it is no measurement of sharpness, is damaged, or has a newer format.
    """
    if not path.exists():
        raise MissingError(f"no sharpness at {path}; measure it: raymaml sharpness")
    with zarr_groups.reading(path, "sharpness"):
        group = zarr_groups.open_group(path, "r+")
        attributes: dict[str, Any] = dict(group.attrs)
        zarr_groups.check_format(path, attributes, KIND, FORMAT, "sharpness")
        spec = SharpnessSpec.from_dict(attributes["spec"])
        store = SharpnessStore(path, spec, zarr_groups.provenance_of(attributes), group)
        _check_arrays(store)
    return store


def _check_arrays(store: SharpnessStore) -> None:
    for name in (*VALUES, *MARKS):
        array = store._array(name)
        if array.shape != (store.spec.tasks,) or array.chunks != (min(PART, store.spec.tasks),):
            raise ValueError(f"array {name} has shape {array.shape} and chunks {array.chunks}")
    if len(store._array("gradient_sum").shape) != 2:
        raise ValueError("array gradient_sum is not over parts and parameters")


def _create(path: Path, spec: SharpnessSpec, provenance: Mapping[str, Any], parameters: int) -> None:
    attributes = {"kind": KIND, "format": FORMAT, "spec": spec.to_dict(), "provenance": dict(provenance)}
    group = zarr.create_group(path, attributes=attributes)
    for name in (*VALUES, *MARKS):
        group.create_array(
            name,
            shape=(spec.tasks,),
            chunks=(min(PART, spec.tasks),),
            dtype="uint8" if name in MARKS else "float64",
            fill_value=0 if name in MARKS else np.nan,
            compressors=zarr_groups.compressors(),
            dimension_names=("task",),
        )
    group.create_array(
        "gradient_sum",
        shape=(_parts(spec.tasks), parameters),
        chunks=(1, parameters),
        dtype="float64",
        fill_value=np.nan,
        compressors=zarr_groups.compressors(),
        dimension_names=("part", "parameter"),
    )
    numbers = np.arange(spec.tasks)
    group.create_array("task", data=numbers, compressors=zarr_groups.compressors(), dimension_names=("task",))
    zarr_groups.consolidate(group)
