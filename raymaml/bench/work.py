"""The pieces of work that are timed: each function prepares in its process, and gives what one repetition does."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import torch

from raymaml import params
from raymaml.bench.published import PublishedTraining, query_losses
from raymaml.bench.setting import SEED, Setting
from raymaml.landscape.directions import Draws
from raymaml.landscape.evaluate import evaluator_of
from raymaml.landscape.plan import Block
from raymaml.runs import SeedDir
from raymaml.tasks import TaskSampler
from raymaml.training import Solo, Trainer

Repetition = Callable[[], object]
MM = 2048  # rows and columns of the matrices whose product is the roof
CONV_BATCH, CONV_WIDTH, CONV_SIDE = 16, 64, 42  # of the convolution: the second of Conv4 at 84 pixels
MM_FLOPS = 2 * MM**3
CONV_FLOPS = 2 * CONV_BATCH * CONV_WIDTH**2 * 9 * CONV_SIDE**2


def published_surface(setting: Setting, tasks: int, points: int) -> Repetition:
    """`tasks` tasks at `points` points of a row of the grid, evaluated the published way."""
    dtype = getattr(torch, setting.precision)
    spec = setting.surface(tasks)
    centre = params.cast(setting.weights, dtype)
    directions = Draws(spec.direction_seed, spec.orthogonal, spec.part).around(centre)
    alphas, betas = spec.grid.coordinates(spec.grid.alphas), spec.grid.coordinates(spec.grid.betas)
    sampler = TaskSampler(setting.images, spec.split, spec.task, seed=spec.task_seed, dtype=dtype)
    drawn = [sampler.task(number) for number in range(tasks)]
    row = [(alphas[0], betas[j]) for j in range(points)]
    return lambda: query_losses(spec.model, setting.learner, centre, directions, row, drawn, setting.steps)


def our_surface(setting: Setting, tasks: int, points: int) -> Repetition:
    """A block of the same cells, through the evaluator that actors use; on the CPU."""
    evaluator = evaluator_of(setting.surface(tasks), setting.weights, setting.images, "cpu")
    block = Block((0, tasks), (0, 1), (0, points))
    return lambda: evaluator.evaluate(block)


def published_training(setting: Setting, updates: int) -> Repetition:
    """`updates` outer steps the published way."""
    dtype, spec = getattr(torch, setting.precision), setting.training
    sampler = TaskSampler(setting.images, "base", spec.task, seed=SEED, dtype=dtype)
    trained = PublishedTraining(spec.model, setting.learner, params.cast(setting.weights, dtype), spec.outer_lr)
    numbers = count()

    def repeat() -> PublishedTraining:
        for _ in range(updates):
            trained.update([sampler.task(next(numbers)) for _ in range(setting.learner.meta_batch)])
        return trained

    return repeat


def our_training(setting: Setting, updates: int) -> Repetition:
    """`updates` outer steps of the trainer that `raymaml train` runs for each seed; on the CPU."""
    with tempfile.TemporaryDirectory() as folder:  # the trainer looks for a checkpoint there, and writes none
        trainer = Trainer(setting.training, setting.images, SEED, SeedDir(Path(folder)), Solo(), torch.device("cpu"))

    def repeat() -> Trainer:
        for _ in range(updates):
            trainer.update()
        return trainer

    return repeat


def matrix_products(repetitions: int) -> Repetition:
    """Products of two fp32 matrices of 2048 x 2048: MM_FLOPS each."""
    a, b, out = (torch.rand(MM, MM) for _ in range(3))
    return lambda: [torch.mm(a, b, out=out) for _ in range(repetitions)][-1]


def convolutions(repetitions: int) -> Repetition:
    """3 x 3 convolutions of 64 channels to 64, fp32, channels last: CONV_FLOPS each."""
    layout = {"memory_format": torch.channels_last}
    x = torch.rand(CONV_BATCH, CONV_WIDTH, CONV_SIDE, CONV_SIDE).to(**layout)  # type: ignore[call-overload]
    weight = torch.rand(CONV_WIDTH, CONV_WIDTH, 3, 3).to(**layout)  # type: ignore[call-overload]

    @torch.no_grad()
    def repeat() -> torch.Tensor:
        for _ in range(repetitions):
            found = torch.nn.functional.conv2d(x, weight, padding=1)
        return found

    return repeat
