import pytest

from raymaml.sharpness.spec import SharpnessSpec
from raymaml.specs import TaskSpec


@pytest.fixture(scope="session")
def sharp_spec(spec):
    """Thirteen small tasks, which are two parts, in float64."""
    return SharpnessSpec(
        run=spec.digest,
        seed=5,
        checkpoint="best",
        checkpoint_digest="x",
        data=spec.data,
        data_digest=spec.data_digest,
        model=spec.model,
        learner=spec.learner,
        split="novel",
        task=TaskSpec(5, 1, 2),
        tasks=13,
        task_seed=0,
        steps=2,
        directions=2,
        probes=2,
        precision="float64",
    )
