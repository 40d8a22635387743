"""What `verify` needs of a store, whatever it holds: what is done, what is stored, and how it is computed again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from raymaml import backends, machine, streams
from raymaml.data.imageset import ImageSet
from raymaml.landscape import adaptive_record
from raymaml.landscape.adaptive import Record
from raymaml.landscape.evaluate import evaluator_of
from raymaml.landscape.plan import Block
from raymaml.landscape.store import VALUES, SurfaceStore
from raymaml.params import Params
from raymaml.sharpness.evaluate import sharpness_evaluator
from raymaml.sharpness.spec import AVERAGED, GRADIENT, LOSSES, MEASURES
from raymaml.sharpness.store import SharpnessStore
from raymaml.specs import Precision
from raymaml.verbs.comparison import Values


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool | None  # None: neither right nor wrong, as with what is incomplete
    text: str


class Subject(Protocol):
    """A store that is verified."""

    @property
    def what(self) -> str:
        """One of the things that are recomputed: cell or task."""

    @property
    def finish(self) -> str:
        """The command that computes what is missing."""

    @property
    def rest(self) -> str:
        """How what is missing is computed, in words."""

    @property
    def store(self) -> Any:
        """A SurfaceStore or a SharpnessStore."""

    def counts(self) -> tuple[int, int]:
        """How many are done, and how many there are."""

    def picks(self, count: int, seed: int) -> list[Any]:
        """Some of those that are done, a pure function of the seed and of what is done."""

    def name(self, cell: Any) -> str:
        """One of them, for a person."""

    def stored(self, cell: Any) -> Values:
        """The numbers on disk."""

    def recompute(self, weights: Params, images: ImageSet, precision: Precision) -> Callable[[Any], Values]:
        """The plain computation of one after another; raises MismatchError where the images are others."""

    def checks(self, weights: Params, images: ImageSet) -> Iterator[Check]:
        """What else can be checked of this kind of store."""


Cell = tuple[int, int, int]  # indices of task, alpha, beta


@dataclass(frozen=True)
class Surface:
    """A surface, or an evaluation, which is one of one point."""

    store: SurfaceStore
    record: Record | None = None  # of an adaptive surface
    what: str = "cell"

    @property
    def finish(self) -> str:
        """The command that computes what is missing."""
        return "raymaml evaluate" if self.store.spec.grid.is_centre else "raymaml surface"

    @property
    def rest(self) -> str:
        """How what is missing is computed, in words."""
        if self.record is None:
            return f"run the same {self.finish} command to finish"
        return f"computed with --adaptive {self.record.tolerance:g}; run the same command without it for the rest"

    @cached_property
    def _done(self) -> npt.NDArray[np.bool_]:
        return self.store.read("done").astype(np.bool_)

    @cached_property
    def _arrays(self) -> Values:
        return {name: self.store.read(name) for name in VALUES}

    def counts(self) -> tuple[int, int]:
        """Cells done, and all cells."""
        return int(self._done.sum()), self._done.size

    def picks(self, count: int, seed: int) -> list[Cell]:
        """Random cells, point by point; one of them at (0, 0) where the grid has it and it is done."""
        order = streams.permutation(self._done.size, "verify", seed)
        cells = np.stack(np.unravel_index(order, self._done.shape), axis=1)[self._done.reshape(-1)[order]]
        centre = np.flatnonzero((cells[:, 1:] == self._centre()).all(axis=1))[:1]
        chosen = cells[[*centre, *[i for i in range(min(count, len(cells))) if i not in centre]][:count]]
        found: list[Cell] = [(t, i, j) for t, i, j in chosen.tolist()]
        return sorted(found, key=lambda cell: (*cell[1:], cell[0]))

    def _centre(self) -> tuple[int, int]:
        axes = self.store.spec.grid
        if not axes.holds_centre:
            return -1, -1
        return axes.coordinates(axes.alphas).index(0.0), axes.coordinates(axes.betas).index(0.0)

    def name(self, cell: Cell) -> str:
        """Task, alpha and beta."""
        spec, (t, i, j) = self.store.spec, cell
        alpha, beta = spec.grid.coordinates(spec.grid.alphas)[i], spec.grid.coordinates(spec.grid.betas)[j]
        return f"task {spec.task_numbers[t]} at ({alpha:g}, {beta:g})"

    def stored(self, cell: Cell) -> Values:
        """Losses and accuracies of all steps and query images."""
        t, i, j = cell
        return {name: values[t, ..., i, j] for name, values in self._arrays.items()}

    def recompute(self, weights: Params, images: ImageSet, precision: Precision) -> Callable[[Cell], Values]:
        """Each cell as a block of its own, with no Ray; with others only if the store's back end takes several."""
        spec = dataclasses.replace(self.store.spec, precision=precision)
        execution = backends.recorded(self.store.provenance.get("execution"))
        evaluator = evaluator_of(spec, weights, images, machine.device_of("auto"), execution)

        def one(cell: Cell) -> Values:
            block = _alone(cell) if execution.at_once == 1 else self.store.plan.block_of(cell)
            at = tuple(i - start for i, (start, _) in zip(cell, (block.task, block.alpha, block.beta), strict=True))
            return {n: v[at[0], ..., at[1], at[2]] for n, v in evaluator.evaluate(block)._asdict().items()}

        return one

    def checks(self, weights: Params, images: ImageSet) -> Iterator[Check]:
        """The directions are those that the store was started with."""
        same = evaluator_of(self.store.spec, weights, images).direction_digest == self.store.provenance.get(
            "direction_digest"
        )
        text = f"both of seed {self.store.spec.direction_seed} have the recorded digest"
        yield Check("directions", same, text if same else "this installation draws others than those recorded")
        if self.record is not None:
            yield _reached(self.store, self.record)


def _reached(store: SurfaceStore, record: Record) -> Check:
    """What is said of the interpolation follows from the stored values."""
    if adaptive_record.missing(store, record.tolerance):
        return Check("adaptive", False, f"cells are missing that a tolerance of {record.tolerance:g} needs")
    found = adaptive_record.measured(store, record.tolerance)
    same = found == record
    return Check("adaptive", same, record.text() if same else f"the values give {found}, recorded is {record}")


@dataclass(frozen=True)
class Sharpness:
    """A measurement of sharpness: one number per task and measure."""

    store: SharpnessStore
    what: str = "task"
    finish: str = "raymaml sharpness"
    rest: str = "run the same raymaml sharpness command to finish"

    @cached_property
    def _done(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Of each measure that was begun: which tasks are done."""
        found = {name: self.store.read(f"done_{name}").astype(np.bool_) for name in (*MEASURES, GRADIENT)}
        gradient = found.pop(GRADIENT)
        return {name: done for name, done in found.items() if done.any() or (name == AVERAGED and gradient.any())}

    def counts(self) -> tuple[int, int]:
        """Tasks of which every measure that was begun is done, and all tasks."""
        total = self.store.spec.tasks
        return int(np.all(list(self._done.values()), axis=0).sum()) if self._done else 0, total

    def picks(self, count: int, seed: int) -> list[int]:
        """Random tasks of which a measure is done."""
        there = np.any(list(self._done.values()), axis=0) if self._done else np.zeros(self.store.spec.tasks, bool)
        order = streams.permutation(self.store.spec.tasks, "verify", seed)
        return sorted(int(task) for task in order[there[order]][:count])

    def name(self, cell: int) -> str:
        """The task."""
        return f"task {cell}"

    def stored(self, cell: int) -> Values:
        """The losses, norms and curvatures of the measures that are done; the rises follow from the losses."""
        names = ["loss0"]
        for measure in self._measures(cell):
            names += ["eigenvalue", "trace"] if measure == "hessian" else [f"loss_{measure}"]
        if self._measures(cell) != [AVERAGED]:
            names.append("gradient_norm")
        return {name: self._values[name][cell : cell + 1] for name in names}

    def _measures(self, task: int) -> list[str]:
        return [name for name, done in self._done.items() if done[task]]

    @cached_property
    def _values(self) -> dict[str, npt.NDArray[np.float64]]:
        names = ["loss0", "gradient_norm", "eigenvalue", "trace"]
        names += [f"{what}_{measure}" for measure in LOSSES for what in ("loss", "sharpness")]
        return {name: self.store.read(name) for name in names}

    def recompute(self, weights: Params, images: ImageSet, precision: Precision) -> Callable[[int], Values]:
        """One task after another. `averaged` follows the stored sums of gradients, which need all tasks."""
        spec = dataclasses.replace(self.store.spec, precision=precision)
        evaluator = sharpness_evaluator(spec, weights, images, machine.device_of("auto"))

        def one(task: int) -> Values:
            tasks, measures = range(task, task + 1), self._measures(task)
            values = evaluator.part(tasks, [name for name in measures if name != AVERAGED])
            if AVERAGED in measures:
                values |= evaluator.averaged(tasks, self.store.mean_gradient, values["loss0"])
            return values

        return one

    def checks(self, weights: Params, images: ImageSet) -> Iterator[Check]:
        """Every stored rise is the perturbed loss minus the unperturbed one, to the bit, of all tasks."""
        wrong = [
            measure
            for measure, done in self._done.items()
            if measure != "hessian"
            and not np.array_equal(
                self._values[f"sharpness_{measure}"][done],
                (self._values[f"loss_{measure}"] - self._values["loss0"])[done],
                equal_nan=True,
            )
        ]
        text = "each is the perturbed loss minus loss0"
        yield Check("rises", not wrong, f"not the perturbed loss minus loss0: {', '.join(wrong)}" if wrong else text)
        if AVERAGED in self._done:
            yield Check("gradients", None, "not recomputed: averaged is checked from the stored gradient_sum")


def _alone(cell: Cell) -> Block:
    task, alpha, beta = ((at, at + 1) for at in cell)
    return Block(task, alpha, beta)
