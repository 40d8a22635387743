"""Learners: ways to adapt to a task, and what their outer loop descends."""

import torch

from raymaml import backends, models
from raymaml.backends import PLAIN, Execution
from raymaml.data.imageset import ImageSet
from raymaml.learners.base import Gradient, Learner, Objective, Scorer, Trace, Tracer
from raymaml.learners.maml import Maml, MetaObjective
from raymaml.learners.pretraining import Pretraining
from raymaml.learners.transfer import PretrainingObjective, Transfer
from raymaml.pixels import PixelSource
from raymaml.specs import LearnerSpec, MamlSpec, TrainSpec
from raymaml.tasks import TaskSampler

__all__ = [
    "Gradient",
    "Learner",
    "Maml",
    "Objective",
    "Pretraining",
    "Scorer",
    "Trace",
    "Tracer",
    "Transfer",
    "build",
    "objective",
]


def build(spec: LearnerSpec, execution: Execution = PLAIN) -> Learner:
    """The learner of `spec`."""
    return Maml(spec, execution) if isinstance(spec, MamlSpec) else Transfer(spec, execution)


def objective(spec: TrainSpec, images: ImageSet, *, seed: int, device: torch.device | str = "cpu") -> Objective:
    """What training descends, over the base split.

    Raises:
        SpecError: the split cannot supply it.
    """
    model, dtype = models.build(spec.model), getattr(torch, spec.precision)
    if isinstance(spec.learner, MamlSpec):
        base = TaskSampler(images, "base", spec.task, seed=seed, dtype=dtype, device=device, augment=spec.augment)
        return MetaObjective(Maml(spec.learner, backends.preferred(model, device)), model, base)
    return PretrainingObjective(spec.learner, model, PixelSource(images, dtype, device, spec.augment), images, seed)
