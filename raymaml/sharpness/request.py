"""From "the sharpness of this run" to the specification that determines every number of it."""

from __future__ import annotations

from pathlib import Path

from raymaml.checkpoints import Checkpoint
from raymaml.errors import SpecError
from raymaml.runs import SeedDir
from raymaml.sharpness.spec import Perturbed, SharpnessSpec
from raymaml.specs import MamlSpec, Precision, Split, TaskSpec, Which


def sharpness_spec(
    checkpoint: Checkpoint,
    *,
    which: Which = "best",
    split: Split = "novel",
    tasks: int = 100,
    query: int = 15,
    task_seed: int = 0,
    steps: int = 10,
    rho: float = 0.05,
    adaptive_rho: float = 0.5,
    linf_rho: float = 0.001,
    perturb: Perturbed = "weights",
    directions: int = 10,
    probes: int = 10,
    precision: Precision = "float32",
) -> SharpnessSpec:
    """The specification of a checkpoint's sharpness.

    Args:
        checkpoint: the weights, with the model and the learner that they were trained with.
        which: the name under which the checkpoint was kept.
        split: of the classes that the tasks are made of.
        tasks: how many: 100 in the published code, 150 in the thesis's text (recipe 6.2).
        query: query images per class.
        task_seed: of the tasks; the same for all runs by default, so that they compare task by task.
        steps: inner steps.
        rho: size of the perturbation of `standard`, `average` and `averaged`.
        adaptive_rho: of `adaptive`.
        linf_rho: of `linf`.
        perturb: `weights` leaves biases and batch norm alone, `all` does not.
        directions: random ones per task, of `average`.
        probes: per task, of the Hessian's trace.
        precision: of weights and arithmetic.

    Raises:
        SpecError: a value is out of range, or the checkpoint is not one of MAML.
    """
    trained = checkpoint.spec
    if not isinstance(trained.learner, MamlSpec):
        raise SpecError(
            f"sharpness is that of MAML's meta-loss, and this run was trained with method {trained.learner.kind}; "
            "name a MAML run with --run"
        )
    return SharpnessSpec(
        run=trained.digest,
        seed=checkpoint.seed,
        checkpoint=which,
        checkpoint_digest=checkpoint.weights_digest,
        data=trained.data,
        data_digest=trained.data_digest,
        model=trained.model,
        learner=trained.learner,
        split=split,
        task=TaskSpec(trained.task.way, trained.task.shot, query),
        tasks=tasks,
        task_seed=task_seed,
        steps=steps,
        rho=rho,
        adaptive_rho=adaptive_rho,
        linf_rho=linf_rho,
        perturb=perturb,
        directions=directions,
        probes=probes,
        precision=precision,
    )


def default_store(seed: SeedDir, spec: SharpnessSpec) -> Path:
    """Where a measurement goes: the same command finds it again."""
    name = f"{spec.split}-{spec.checkpoint}-{spec.tasks}tasks-{spec.digest[:8]}.zarr"
    return seed.path / "sharpness" / name
