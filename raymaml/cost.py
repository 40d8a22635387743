"""What training and evaluation cost: counted in image passes, timed by a short measurement.

A forward pass of one image is the unit; a forward and backward pass counts as three. Batch norm, heads, decoding and
augmentation are left out, so the estimate of hours is one of magnitude.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from raymaml import machine, models
from raymaml.specs import MamlSpec, ModelSpec, TaskSpec, TrainSpec

BACKWARD = 2  # forward passes that a backward pass takes
TIMED_BATCH = {"conv4": 80, "conv6": 80, "resnet10": 16, "resnet18": 16}  # images, as many as a task's queries


@dataclass(frozen=True)
class Cost:
    """Of one seed: what a person counts, and what the machine does."""

    tasks: int  # task evaluations, in training, validation and test
    batches: int  # of supervised training
    passes: float  # forward passes of one image

    def __add__(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(self.tasks + other.tasks, self.batches + other.batches, self.passes + other.passes)


def training_cost(spec: TrainSpec, from_step: int = 0) -> Cost:
    """Of training one seed from update `from_step` to the end, with its validations and its test."""
    updates = spec.updates - from_step
    test = TaskSpec(spec.task.way, spec.task.shot, spec.test_query)
    validations = -(-spec.updates // spec.validate_every) - from_step // spec.validate_every
    total = evaluation_cost(spec, spec.test_tasks, spec.test_query, spec.test_steps)
    total += _evaluations(spec, spec.task, validations * spec.val_tasks, spec.learner.validation_steps)
    if spec.monitor_every:
        looks = spec.updates // spec.monitor_every - from_step // spec.monitor_every
        total += _evaluations(spec, test, 2 * looks * spec.monitor_tasks, spec.test_steps)
    if isinstance(spec.learner, MamlSpec):
        count = updates * spec.learner.meta_batch
        backward_of_query = BACKWARD * spec.task.way * spec.task.query
        trained = _evaluations(spec, spec.task, count, spec.learner.inner_steps)
        return total + trained + Cost(0, 0, count * backward_of_query)
    return total + Cost(0, updates, updates * spec.learner.batch * (1 + BACKWARD))


def evaluation_cost(spec: TrainSpec, tasks: int, query: int, steps: int) -> Cost:
    """Of `tasks` task evaluations after training."""
    return _evaluations(spec, TaskSpec(spec.task.way, spec.task.shot, query), tasks, steps)


def _evaluations(spec: TrainSpec, task: TaskSpec, count: int, steps: int) -> Cost:
    support, query = task.way * task.shot, task.way * task.query
    if isinstance(spec.learner, MamlSpec):
        return Cost(count, 0, count * (steps * support * (1 + BACKWARD) + query))
    return Cost(count, 0, count * (support + query))  # the most: features of an image are extracted once


def seconds_per_pass(spec: ModelSpec, device: torch.device) -> float:
    """Time one forward pass of one image, measured over forward and backward passes of a batch on `device`."""
    model = models.build(spec)
    weights = {name: value.to(device) for name, value in models.initial_params(model, 0).items()}
    leaves = {name: weights[name].requires_grad_() for name in models.trained_names(model)}
    count = TIMED_BATCH[spec.backbone]
    x = torch.rand(count, spec.channels, spec.image_size, spec.image_size, device=device)
    labels = torch.zeros(count, dtype=torch.int64, device=device)

    def once() -> float:
        start = time.perf_counter()
        loss = F.cross_entropy(models.apply(model, {**weights, **leaves}, x), labels)
        torch.autograd.grad(loss, list(leaves.values()))[0].sum().item()  # waits for the device
        return time.perf_counter() - start

    once()  # allocates
    return min(once() for _ in range(3)) / (count * (1 + BACKWARD))


def measure(specs: list[ModelSpec], place: str) -> tuple[str, dict[ModelSpec, float]]:
    """Seconds per forward pass of one image of each model, on a GPU where this process sees one, else on one core.

    Returns:
        What was measured on: the GPU's name, or a core of `place`; and the seconds.
    """
    machine.pin(1)
    device = machine.device_of("auto")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"core of {place}"
    return name, {spec: seconds_per_pass(spec, device) for spec in specs}
