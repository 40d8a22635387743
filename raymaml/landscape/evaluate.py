"""The values of a block of the grid: perturb weights, adapt to each task, score it, in one order or the other.

Around the initial weights, the loss of task t after k steps at (alpha, beta) is
L(adapt_k(theta + alpha * d1 + beta * d2, support)): recipe 5.1 and 5.2, what the published code computes. Around
the adapted weights it is L(theta_k + alpha * d1 + beta * d2), where theta_k = adapt_k(theta, support) and the
directions are normalised by theta_k: what the thesis's text says. Each task is evaluated alone, so that a value
does not depend on the block that it was computed in.

The pre-training loss of transfer learning at a point is that of the perturbed weights as they are, and a batch of
images stands where a task does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial

import torch
from torch import nn

from raymaml import learners, models, params
from raymaml.data.imageset import ImageSet
from raymaml.landscape import values
from raymaml.landscape.directions import Draws
from raymaml.landscape.plan import Block
from raymaml.landscape.values import Values
from raymaml.learners import Learner, Pretraining, Trace, Tracer
from raymaml.learners.pretraining import check_supply
from raymaml.params import Params
from raymaml.specs import Around, Counts, PretrainingSpec, SurfaceSpec
from raymaml.tasks import TaskSampler

Place = tuple[int | slice, ...]  # of a trace in the arrays of a block: task, step, alpha, beta


@dataclass(frozen=True)
class Evaluator:
    """Everything that the value of a cell depends on."""

    model: nn.Module
    learner: Learner | Pretraining  # the second: tasks are batches of images
    centre: Params
    draws: Draws
    alphas: list[float]
    betas: list[float]
    sampler: TaskSampler
    number: Callable[[int, int, int], int]  # (task, alpha, beta) indices -> number of the task
    steps: Counts
    queries: Counts
    dtype: str  # of the values
    around: Around = "initial"
    recent: dict[tuple[int, int], Tracer] = field(default_factory=dict, init=False, compare=False)  # of the last point

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
        cells = self._initial if self.around == "initial" else self._adapted
        for (t, k, i, j), trace in cells(block):
            found.loss[t, k, :, i, j] = trace.loss
            found.accuracy[t, k, :, i, j] = trace.accuracy
            found.support_loss[t, k, i, j] = trace.support_loss
        return found

    def _initial(self, block: Block) -> Iterator[tuple[Place, Trace]]:
        """One adaptation from each perturbed point to each task."""
        for i in range(*block.alpha):
            for j in range(*block.beta):
                trace = self._tracer(i, j)
                for t in range(*block.task):
                    yield _place(block, t, slice(None), i, j), trace(self.number(t, i, j))

    def _tracer(self, i: int, j: int) -> Tracer:
        """The task evaluations at one point, kept while blocks of that point follow each other."""
        if (i, j) not in self.recent:
            self.recent.clear()
            point = self._perturbed(self.centre, self.directions, i, j)
            self.recent[i, j] = self.learner.tracer(self.model, point, self.sampler, self.steps, self.queries)
        return self.recent[i, j]

    def _adapted(self, block: Block) -> Iterator[tuple[Place, Trace]]:
        """One adaptation of the centre to each task for all points of the block, none after the perturbation."""
        assert not isinstance(self.learner, Pretraining)  # nothing adapts: SurfaceSpec refuses it
        points = [(i, j) for i in range(*block.alpha) for j in range(*block.beta)]
        for t in range(*block.task):
            by_task: dict[int, list[tuple[int, int]]] = {}  # fresh tasks are others at each point
            for i, j in points:
                by_task.setdefault(self.number(t, i, j), []).append((i, j))
            for number, places in by_task.items():
                task = self.sampler.task(number)
                support, query = (task.support_x, task.support_y), (task.query_x, task.query_y)
                states = self.learner.trajectory(self.model, self.centre, task, self.steps)
                for k, state in enumerate(states):
                    directions = self.draws.around(state)
                    for i, j in places:
                        predictor = partial(learners.predict, self.model, self._perturbed(state, directions, i, j))
                        way = self.sampler.spec.way
                        trace = learners.trace([predictor], support, query, way, self.queries)
                        yield _place(block, t, slice(k, k + 1), i, j), trace

    def _perturbed(self, centre: Params, directions: tuple[Params, Params], i: int, j: int) -> Params:
        return params.add_scaled(centre, (self.alphas[i], directions[0]), (self.betas[j], directions[1]))


def _place(block: Block, t: int, k: slice, i: int, j: int) -> Place:
    return t - block.task[0], k, i - block.alpha[0], j - block.beta[0]


def evaluator_of(spec: SurfaceSpec, weights: Params, images: ImageSet, device: torch.device | str = "cpu") -> Evaluator:
    """The evaluator of a surface around `weights`.

    Raises:
        MismatchError: the data set is not the one in `spec`.
        SpecError: its split cannot supply the tasks, or the images.
    """
    images.check(spec.data_digest)
    dtype = getattr(torch, spec.precision)
    model = models.build(spec.model)
    # An evaluation has no use for directions: ResNet18 would draw 22 million numbers for nothing.
    part = None if spec.grid.is_centre else spec.part
    return Evaluator(
        model=model,
        learner=_learner_of(spec, images),
        centre=params.cast(models.ordered(model, weights), dtype, device),
        draws=Draws(spec.direction_seed, spec.orthogonal, part),
        alphas=spec.grid.coordinates(spec.grid.alphas),
        betas=spec.grid.coordinates(spec.grid.betas),
        sampler=TaskSampler(
            images,
            spec.split,
            spec.task,
            seed=spec.task_seed,
            dtype=dtype,
            device=device,
            keep=not spec.fresh_tasks and spec.grid.alphas * spec.grid.betas > 1,
        ),
        number=_numbering(spec),
        steps=spec.steps,
        queries=spec.queries,
        dtype=spec.precision,
        around=spec.around,
    )


def _learner_of(spec: SurfaceSpec, images: ImageSet) -> Learner | Pretraining:
    if isinstance(spec.learner, PretrainingSpec):
        check_supply(images, spec.tasks * spec.learner.batch)
        return Pretraining(spec.learner)
    return learners.build(spec.learner)


def _numbering(spec: SurfaceSpec) -> Callable[[int, int, int], int]:
    """Number of task t at (i, j); fresh ones by grid point, so that it does not matter which actor asks, or when."""
    first, tasks, betas = spec.first_task, spec.tasks, spec.grid.betas
    if spec.fresh_tasks:
        return lambda t, i, j: first + (i * betas + j) * tasks + t
    return lambda t, i, j: first + t
