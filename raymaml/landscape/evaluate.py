"""The values of a block of the grid: perturb weights, adapt to each task, score it, in one order or the other.

Around the initial weights, the loss of task t after k steps at (alpha, beta) is
L(adapt_k(theta + alpha * d1 + beta * d2, support)): recipe 5.1 and 5.2, what the published code computes. Around
the adapted weights it is L(theta_k + alpha * d1 + beta * d2), where theta_k = adapt_k(theta, support) and the
directions are normalised by theta_k: what the thesis's text says. A task is evaluated alone, or with the same other
tasks each time, so that a value never depends on who computed it.

The pre-training loss of transfer learning at a point is that of the perturbed weights as they are, and a batch of
images stands where a task does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import nn

from raymaml import backends, learners, machine, models, params
from raymaml.backends import Execution
from raymaml.data.imageset import ImageSet
from raymaml.errors import RaymamlError
from raymaml.landscape import values
from raymaml.landscape.adapted import AdaptedTasks
from raymaml.landscape.directions import Draws
from raymaml.landscape.plan import Block
from raymaml.landscape.values import Values
from raymaml.learners import Learner, Pretraining, Trace, Tracer
from raymaml.learners.pretraining import check_supply
from raymaml.params import Params
from raymaml.specs import Counts, PretrainingSpec, SurfaceSpec
from raymaml.tasks import TaskSampler

Cell = tuple[int, int, int]  # indices of task, alpha and beta in the store
Place = tuple[int | slice, ...]  # of a trace in the arrays of a block: task, step, alpha, beta


@dataclass(frozen=True)
class Evaluator:
    """Everything that the value of a cell depends on."""

    tracer: Tracer  # of what is perturbed before it adapts; tasks are batches of images for the pre-training loss
    adapted: AdaptedTasks | None  # of what is perturbed after it has adapted, instead
    centre: Params
    draws: Draws
    alphas: list[float]
    betas: list[float]
    number: Callable[[int, int, int], int]  # (task, alpha, beta) indices -> number of the task
    steps: Counts
    queries: Counts
    dtype: str  # of the values
    execution: Execution
    recent: dict[tuple[int, int], Params] = field(default_factory=dict, init=False, compare=False)  # weights at a point

    @cached_property
    def directions(self) -> tuple[Params, Params]:
        """The directions around the centre."""
        return self.draws.around(self.centre)

    @property
    def direction_digest(self) -> str:
        """SHA-256 (hex) of both directions' bits."""
        return params.digest(*self.directions)

    def evaluate(self, block: Block) -> Values:
        """Query loss (nats), accuracy (0..1) and support loss (nats) of each cell of the block.

        A loss that overflows is inf or NaN: a value like any other.
        """
        found = values.empty(block.shape, len(self.steps), len(self.queries), self.dtype)
        cells = self._initial(block) if self.adapted is None else self._adapted(block, self.adapted)
        with machine.tf32(self.execution.tf32):
            for (t, k, i, j), trace in cells:
                found.loss[t, k, :, i, j] = trace.loss
                found.accuracy[t, k, :, i, j] = trace.accuracy
                found.support_loss[t, k, i, j] = trace.support_loss
        return found

    def check_repeats(self, block: Block) -> None:
        """Evaluate the first point of a block twice, and refuse a difference: damaged memory, or a racing kernel.

        Raises:
            RaymamlError: the two differ in a bit.
        """
        first = Block(block.task, (block.alpha[0], block.alpha[0] + 1), (block.beta[0], block.beta[0] + 1))
        if self.execution.at_once == 1:
            first = dataclasses.replace(first, task=(block.task[0], block.task[0] + 1))
        one, other = self.evaluate(first), self.evaluate(first)
        if any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other, strict=True)):
            raise RaymamlError(
                "this machine computes one cell twice with different results: nothing of it can be trusted; "
                "look at its memory, or try another --backend in a new store (--out)"
            )

    def _initial(self, block: Block) -> Iterator[tuple[Place, Trace]]:
        """One adaptation from each perturbed point to each task, always in the same company."""
        cells, each = list(_cells(block)), self.execution.at_once
        for first in range(0, len(cells), each):
            some = cells[first : first + each]
            traces = self.tracer([self._point(i, j) for _, i, j in some], [self.number(*cell) for cell in some])
            for (t, i, j), trace in zip(some, traces, strict=True):
                yield _place(block, t, slice(None), i, j), trace

    def _point(self, i: int, j: int) -> Params:
        """The weights at one point, kept while cells of that point follow each other."""
        if (i, j) not in self.recent:
            self.recent.clear()
            self.recent[i, j] = self._perturbed(self.centre, self.directions, i, j)
        return self.recent[i, j]

    def _adapted(self, block: Block, adapted: AdaptedTasks) -> Iterator[tuple[Place, Trace]]:
        """One adaptation of the centre to each task for all points, none after the perturbation."""
        for t in range(*block.task):
            by_task: dict[int, list[tuple[int, int]]] = {}  # fresh tasks are others at each point
            for i in range(*block.alpha):
                for j in range(*block.beta):
                    by_task.setdefault(self.number(t, i, j), []).append((i, j))
            for number, places in by_task.items():
                for k, state in enumerate(adapted.states(number)):
                    directions = self.draws.around(state.params)
                    for i, j in places:
                        trace = adapted.trace(state, self._perturbed(state.params, directions, i, j))
                        yield _place(block, t, slice(k, k + 1), i, j), trace

    def _perturbed(self, centre: Params, directions: tuple[Params, Params], i: int, j: int) -> Params:
        return params.add_scaled(centre, (self.alphas[i], directions[0]), (self.betas[j], directions[1]))


def _cells(block: Block) -> Iterator[Cell]:
    """All tasks of a point before the next point."""
    return ((t, i, j) for i in range(*block.alpha) for j in range(*block.beta) for t in range(*block.task))


def _place(block: Block, t: int, k: slice, i: int, j: int) -> Place:
    return t - block.task[0], k, i - block.alpha[0], j - block.beta[0]


def evaluator_of(
    spec: SurfaceSpec,
    weights: Params,
    images: ImageSet,
    device: torch.device | str = "cpu",
    execution: Execution | None = None,
) -> Evaluator:
    """The evaluator of a surface around `weights`.

    Args:
        spec: of the surface.
        weights: its centre.
        images: its data set.
        device: where to compute.
        execution: by which back end, and how many tasks at once; by default what needs no trial.

    Raises:
        MismatchError: the data set is not the one in `spec`.
        SpecError: its split cannot supply the tasks, or the images.
    """
    images.check(spec.data_digest)
    dtype = getattr(torch, spec.precision)
    model = models.build(spec.model)
    execution = execution or backends.preferred(model, device)
    centre = params.cast(models.ordered(model, weights), dtype, device)
    # Kept tasks are of use where they come again at another point.
    again = not spec.fresh_tasks and spec.grid.alphas * spec.grid.betas > 1
    sampler = TaskSampler(images, spec.split, spec.task, seed=spec.task_seed, dtype=dtype, device=device, keep=again)
    learner = _learner_of(spec, images, execution)
    return Evaluator(
        tracer=learner.tracer(model, sampler, spec.steps, spec.queries),
        adapted=_adapted_tasks(spec, model, learner, centre, sampler, keep=again),
        centre=centre,
        # An evaluation has no use for directions: ResNet18 would draw 22 million numbers for nothing.
        draws=Draws(spec.direction_seed, spec.orthogonal, None if spec.grid.is_centre else spec.part),
        alphas=spec.grid.coordinates(spec.grid.alphas),
        betas=spec.grid.coordinates(spec.grid.betas),
        number=_numbering(spec),
        steps=spec.steps,
        queries=spec.queries,
        dtype=spec.precision,
        execution=execution,
    )


def _learner_of(spec: SurfaceSpec, images: ImageSet, execution: Execution) -> Learner | Pretraining:
    if isinstance(spec.learner, PretrainingSpec):
        check_supply(images, spec.tasks * spec.learner.batch)
        return Pretraining(spec.learner)
    return learners.build(spec.learner, execution)


def _adapted_tasks(
    spec: SurfaceSpec,
    model: nn.Module,
    learner: Learner | Pretraining,
    centre: Params,
    sampler: TaskSampler,
    *,
    keep: bool,
) -> AdaptedTasks | None:
    """Where nothing adapts after the perturbation; a head that is perturbed and never adapts is such a case too."""
    head_as_it_is = spec.part == "head" and spec.steps == (0,)
    if isinstance(learner, Pretraining) or not (spec.around == "adapted" or head_as_it_is):
        return None
    return AdaptedTasks(
        model, learner, centre, sampler, spec.steps, spec.queries, head_alone=spec.part == "head", keep=keep
    )


def _numbering(spec: SurfaceSpec) -> Callable[[int, int, int], int]:
    """Number of task t at (i, j); fresh ones by grid point, so that it does not matter which actor asks, or when."""
    first, tasks, betas = spec.first_task, spec.tasks, spec.grid.betas
    if spec.fresh_tasks:
        return lambda t, i, j: first + (i * betas + j) * tasks + t
    return lambda t, i, j: first + t
