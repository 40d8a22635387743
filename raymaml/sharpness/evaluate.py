"""The measures of one task after another: from losses as functions of weights to numbers.

All losses are adapted ones: `steps` inner steps from the weights, then the query set (recipe 6.1). The gradient is
the first-order one, that of the query loss at the adapted weights, whatever order the run was trained with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raymaml import backends, models, params, streams
from raymaml.backends.base import losses, stacked, unstacked
from raymaml.data.imageset import ImageSet
from raymaml.learners import Maml
from raymaml.models import apply
from raymaml.params import Params
from raymaml.sharpness import hessian, perturb
from raymaml.sharpness.spec import GRADIENT, SharpnessSpec
from raymaml.streams import Key
from raymaml.tasks import Task, TaskSampler

Floats = npt.NDArray[np.float64]
Values = dict[str, Floats]  # name of an array of the store -> its values


@dataclass(frozen=True)
class Problem:
    """One task, as functions of weights."""

    adapt: Callable[[Mapping[str, Tensor]], Params]  # the inner loop; detached
    adapted_loss: Callable[[Mapping[str, Tensor]], float]  # after adapting from these weights, nats
    gradient: Callable[[Mapping[str, Tensor]], tuple[float, Params]]  # at these weights, and the loss there, nats
    loss: Callable[[Mapping[str, Tensor]], Tensor]  # at these weights, nats; differentiable to any order
    key: tuple[Key, ...]  # of what is drawn for the task


def problem_of(model: nn.Module, learner: Maml, task: Task, steps: int) -> Problem:
    """A task under MAML; losses are those of the query set."""

    def gradient(weights: Mapping[str, Tensor]) -> tuple[float, Params]:
        y = task.query_y
        logits, grads = learner.execution.backend.gradient(model, stacked([weights]), task.query_x[None], y)
        return losses(logits, y).item(), unstacked(grads, 0)

    return Problem(
        lambda start: learner.adapt(model, start, task, steps),
        lambda start: learner.evaluate(model, start, task, steps)[0],
        gradient,
        lambda weights: F.cross_entropy(apply(model, weights, task.query_x), task.query_y),
        task.key,
    )


@dataclass(frozen=True)
class Measurement:
    """One task at the unperturbed weights, and what each measure makes of it."""

    spec: SharpnessSpec
    centre: Mapping[str, Tensor]
    problem: Problem

    @cached_property
    def adapted(self) -> Params:
        """The weights after the inner loop."""
        return self.problem.adapt(self.centre)

    @cached_property
    def _loss_and_gradient(self) -> tuple[float, Params]:
        return self.problem.gradient(self.adapted)

    @property
    def loss(self) -> float:
        """Query loss after the inner loop, nats."""
        return self._loss_and_gradient[0]

    @property
    def gradient(self) -> Params:
        """First-order meta-gradient, of all parameters."""
        return self._loss_and_gradient[1]

    def numbers(self, measure: str) -> dict[str, float]:
        """What a measure stores of the task, by the names of the store's arrays."""
        if measure == GRADIENT:  # summed by the caller; it has no number of its own
            return {}
        return self._curvature() if measure == "hessian" else self._rise(measure)

    def _rise(self, measure: str) -> dict[str, float]:
        """Mean loss at the perturbed weights, and how far it lies above the unperturbed one."""
        starts = (params.add_scaled(self.centre, (1.0, eps)) for eps in self._perturbations(measure))
        losses = [self.problem.adapted_loss(start) for start in starts]
        loss = sum(losses) / len(losses)
        return {f"loss_{measure}": loss, f"sharpness_{measure}": loss - self.loss}

    def _perturbations(self, measure: str) -> Iterator[Params]:
        spec, g = self.spec, self.gradient
        if measure == "standard":
            yield perturb.along_gradient(g, spec.rho, spec.perturb)
        elif measure == "adaptive":
            yield perturb.adaptive(self.centre, g, spec.adaptive_rho, spec.perturb)
        elif measure == "linf":
            yield perturb.by_sign(g, spec.linf_rho, spec.perturb)
        else:
            assert measure == "average", measure
            for k in range(spec.directions):
                yield perturb.at_random(self.centre, spec.rho, spec.perturb, *self.problem.key, k)

    def _curvature(self) -> dict[str, float]:
        multiply = hessian.product(self.problem.loss, self.adapted)
        count = sum(value.numel() for value in self.adapted.values())
        start = streams.normals(count, "Hessian", *self.problem.key, "start")
        draws = (streams.uniforms(count, "Hessian", *self.problem.key, k) for k in range(self.spec.probes))
        return {
            "eigenvalue": hessian.top_eigenvalue(multiply, start),
            "trace": hessian.trace(multiply, (np.where(u < 0.5, -1.0, 1.0) for u in draws)),
        }


@dataclass(frozen=True)
class SharpnessEvaluator:
    """Everything that the numbers of a task depend on."""

    spec: SharpnessSpec
    centre: Params
    problem: Callable[[int], Problem]  # by the number of the task
    together: list[Params] = field(default_factory=list, init=False, compare=False)  # the one perturbation, if known

    def part(self, tasks: range, measures: Sequence[str]) -> Values:
        """The values of some tasks: arrays of shape (task,), and with `gradient` the sum of gradients, (parameter,).

        The sum is taken in float64 in the order of the tasks; one task's gradient is in memory at a time.
        """
        rows: list[dict[str, float]] = []
        total = np.zeros(sum(value.numel() for value in self.centre.values()) if GRADIENT in measures else 0)
        for number in tasks:
            at = Measurement(self.spec, self.centre, self.problem(number))
            row = {"loss0": at.loss, "gradient_norm": perturb.norm(at.gradient)}
            for measure in measures:
                row |= at.numbers(measure)
            if GRADIENT in measures:
                total += params.to_vector(at.gradient).double().cpu().numpy()
            rows.append(row)
        sums = {"gradient_sum": total} if GRADIENT in measures else {}
        return _columns(rows) | sums

    def averaged(self, tasks: range, mean_gradient: Callable[[], Floats], loss0: Floats) -> Values:
        """The values of some tasks at the one perturbation that follows the gradient of the mean loss of all.

        Args:
            tasks: which.
            mean_gradient: gives the mean over all tasks, (parameter,); asked once.
            loss0: the tasks' losses at the unperturbed weights, (task,).
        """
        if not self.together:
            row = torch.from_numpy(mean_gradient()).to(next(iter(self.centre.values())).device)
            eps = perturb.along_gradient(params.from_vector(row, self.centre), self.spec.rho, self.spec.perturb)
            self.together.append({name: value.to(self.centre[name]) for name, value in eps.items()})
        start = params.add_scaled(self.centre, (1.0, self.together[0]))
        losses = np.array([self.problem(number).adapted_loss(start) for number in tasks])
        return {"loss_averaged": losses, "sharpness_averaged": losses - loss0}


def _columns(rows: list[dict[str, float]]) -> Values:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def sharpness_evaluator(
    spec: SharpnessSpec, weights: Params, images: ImageSet, device: torch.device | str = "cpu"
) -> SharpnessEvaluator:
    """The evaluator of a specification.

    Raises:
        MismatchError: the data set is not the one in `spec`.
        SpecError: its split cannot supply the tasks.
    """
    images.check(spec.data_digest)
    dtype = getattr(torch, spec.precision)
    model = models.build(spec.model)
    learner = Maml(spec.learner, backends.preferred(model, device))
    sampler = TaskSampler(images, spec.split, spec.task, seed=spec.task_seed, dtype=dtype, device=device)
    return SharpnessEvaluator(
        spec,
        params.cast(models.ordered(model, weights), dtype, device),
        lambda number: problem_of(model, learner, sampler.task(number), spec.steps),
    )
