import pytest

from raymaml.specs import GridSpec, SurfaceSpec, TaskSpec


@pytest.fixture(scope="session")
def surface_spec(spec):
    """A small, non-square surface whose axes have different and uneven ends."""
    return SurfaceSpec(
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
        queries=(2,),
        tasks=3,
        first_task=0,
        task_seed=0,
        fresh_tasks=False,
        steps=(2,),
        grid=GridSpec(3, 2, -0.5, 1.0),
        direction_seed=0,
        orthogonal=False,
        precision="float64",
    )
