"""What a measurement of sharpness is: a frozen value, and the names of the measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from raymaml.specs import MOST_TASKS, MamlSpec, ModelSpec, Precision, Spec, Split, TaskSpec, Which

Measure = Literal["standard", "adaptive", "linf", "average", "hessian", "averaged"]
Perturbed = Literal["weights", "all"]

MEASURES: tuple[Measure, ...] = get_args(Measure)
AVERAGED: Measure = "averaged"
GRADIENT = "gradient"  # the sums of gradients that `averaged` needs first
LOSSES: tuple[Measure, ...] = ("standard", "adaptive", "linf", "average", "averaged")  # those that perturb


@dataclass(frozen=True)
class SharpnessSpec(Spec):
    """The sharpness of one checkpoint on one list of tasks: equal digests mean equal numbers on one machine.

    Which measures are stored is not part of it: all of them are about the same tasks and lie in one store.
    """

    run: str  # digest of the TrainSpec
    seed: int  # of the run
    checkpoint: Which
    checkpoint_digest: str  # SHA-256 of the weights file
    data: str
    data_digest: str
    model: ModelSpec
    learner: MamlSpec
    split: Split
    task: TaskSpec
    tasks: int
    task_seed: int
    steps: int  # inner steps from the initialisation, perturbed or not
    rho: float = 0.05  # radius of standard, average and averaged (thesis section 3.3)
    adaptive_rho: float = 0.5  # of adaptive: Kwon et al. 2021 train CIFAR-10 with it
    linf_rho: float = 0.001  # of linf, for every single weight: the larger box of Keskar et al. 2017
    perturb: Perturbed = "weights"
    directions: int = 10  # Gaussian ones per task, of average
    probes: int = 10  # per task, of the trace of the Hessian
    precision: Precision = "float32"
    minimum: ClassVar[dict[str, float]] = {
        "tasks": 1,
        "steps": 0,
        "rho": 0.0,
        "adaptive_rho": 0.0,
        "linf_rho": 0.0,
        "directions": 1,
        "probes": 1,
    }
    maximum: ClassVar[dict[str, float]] = {"tasks": MOST_TASKS}

    def radius(self, measure: str) -> float | None:
        """The size of a measure's perturbation; None for the Hessian, which has none."""
        return {"adaptive": self.adaptive_rho, "linf": self.linf_rho, "hessian": None}.get(measure, self.rho)
