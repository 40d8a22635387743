"""The value of a block of the grid: perturb the initialisation, adapt to each task, score its query set.

The loss of task t at (alpha, beta) is L_query(adapt(theta + alpha * d1 + beta * d2, support)): recipe 5.1
and 5.2, what the published code computes. Each task is evaluated alone, so that a value does not depend
on the block that it was computed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from raymaml import learners, models, params
from raymaml.data.imageset import ImageSet
from raymaml.errors import MismatchError
from raymaml.landscape.directions import filter_normalised
from raymaml.landscape.plan import Block
from raymaml.learners import Learner, Scorer
from raymaml.params import Params
from raymaml.specs import SurfaceSpec
from raymaml.tasks import TaskSampler

Values = npt.NDArray[np.floating[Any]]  # (task, alpha, beta)


@dataclass(frozen=True)
class Evaluator:
    """Everything that the value of a cell depends on."""

    model: nn.Module
    learner: Learner
    centre: Params
    directions: tuple[Params, Params]
    alphas: list[float]
    betas: list[float]
    sampler: TaskSampler
    number: Callable[[int, int, int], int]  # (task, alpha, beta) indices -> number of the task
    steps: int
    dtype: str  # of the values
    recent: dict[tuple[int, int], Scorer] = field(default_factory=dict, init=False, compare=False)  # of the last point

    @property
    def direction_digest(self) -> str:
        """SHA-256 (hex) of both directions' bits."""
        return params.digest(*self.directions)

    def evaluate(self, block: Block) -> tuple[Values, Values]:
        """Query loss (nats) and accuracy (0..1) of each cell of the block, shape `block.shape`.

        A loss that overflows is inf or NaN: a value like any other.
        """
        loss, accuracy = (np.empty(block.shape, self.dtype) for _ in range(2))
        for i in range(*block.alpha):
            for j in range(*block.beta):
                score = self._scorer(i, j)
                for t in range(*block.task):
                    cell = t - block.task[0], i - block.alpha[0], j - block.beta[0]
                    loss[cell], accuracy[cell] = score(self.number(t, i, j))
        return loss, accuracy

    def _scorer(self, i: int, j: int) -> Scorer:
        """The task evaluations at one point, kept while blocks of that point follow each other."""
        if (i, j) not in self.recent:
            self.recent.clear()
            point = params.add_scaled(
                self.centre, (self.alphas[i], self.directions[0]), (self.betas[j], self.directions[1])
            )
            self.recent[i, j] = self.learner.scorer(self.model, point, self.sampler, self.steps)
        return self.recent[i, j]


def evaluator_of(spec: SurfaceSpec, weights: Params, images: ImageSet, device: torch.device | str = "cpu") -> Evaluator:
    """The evaluator of a surface around `weights`.

    Raises:
        MismatchError: the data set is not the one in `spec`.
        SpecError: its split cannot supply the tasks.
    """
    if images.digest != spec.data_digest:
        raise MismatchError(f"data set {images.name} has other images here than where the run was trained")
    dtype = getattr(torch, spec.precision)
    model = models.build(spec.model)
    centre = params.cast(models.ordered(model, weights), dtype, device)
    return Evaluator(
        model=model,
        learner=learners.build(spec.learner),
        centre=centre,
        directions=_directions(spec, centre),
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
        # Fresh tasks are numbered by grid point, so that it does not matter which actor asks, or when.
        number=(lambda t, i, j: (i * spec.grid.betas + j) * spec.tasks + t)
        if spec.fresh_tasks
        else (lambda t, i, j: t),
        steps=spec.steps,
        dtype=spec.precision,
    )


def _directions(spec: SurfaceSpec, centre: Params) -> tuple[Params, Params]:
    if spec.grid.is_centre:  # an evaluation: ResNet18 would draw 22 million numbers for nothing
        zero = {name: torch.zeros_like(value) for name, value in centre.items()}
        return zero, zero
    return filter_normalised(centre, seed=spec.direction_seed, orthogonal=spec.orthogonal)
