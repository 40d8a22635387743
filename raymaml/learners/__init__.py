"""Learners: ways to adapt to a task. `build` makes the one that a specification names."""

from raymaml.learners.base import Learner, TaskGradient, score
from raymaml.learners.maml import Maml
from raymaml.specs import LearnerSpec

__all__ = ["Learner", "Maml", "TaskGradient", "build", "score"]


def build(spec: LearnerSpec) -> Learner:
    """The learner of `spec`."""
    return {"maml": Maml}[spec.kind](spec)
