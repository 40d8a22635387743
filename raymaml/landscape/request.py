"""From "a surface of this run" to the specification that determines every number of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from raymaml import checkpoints
from raymaml.checkpoints import Checkpoint
from raymaml.errors import SpecError
from raymaml.landscape import sets
from raymaml.runs import RunDir, SeedDir
from raymaml.specs import (
    NO_TASKS,
    Around,
    GridSpec,
    Part,
    Precision,
    PretrainingSpec,
    Split,
    SurfaceSpec,
    TaskSpec,
    Which,
)


def surface_spec(
    checkpoint: Checkpoint,
    *,
    grid: GridSpec | None = None,
    which: Which = "best",
    split: Split = "novel",
    tasks: int = 100,
    first_task: int = 0,
    query: int | Sequence[int] = 15,
    task_seed: int = 0,
    fresh_tasks: bool = False,
    steps: int | Sequence[int] = 10,
    around: Around = "initial",
    part: Part = "all",
    direction_seed: int = 0,
    orthogonal: bool = False,
    precision: Precision = "float32",
) -> SurfaceSpec:
    """The specification of a surface around a checkpoint.

    Args:
        checkpoint: the centre, with the model and the learner that it was trained with.
        grid: of perturbations; 51 x 51 on [-1, 1] by default.
        which: the name under which the checkpoint was kept.
        split: of the classes that the tasks are made of.
        tasks: how many tasks, or per grid point with `fresh_tasks`.
        first_task: number of the first one in the task seed.
        query: query images per class, or several numbers of them: the loss of the first so many is kept for each.
        task_seed: of the tasks; the same for all runs by default, so that surfaces compare task by task.
        fresh_tasks: new tasks at each grid point, as in the thesis.
        steps: inner steps, or several numbers of them: the loss after each is kept.
        around: perturb the `initial` weights, then adapt; or perturb the `adapted` weights.
        part: of the network that is perturbed: `all`, `head` or `feature`, parts of one pair of directions.
        direction_seed: of the two random directions.
        orthogonal: make the second direction orthogonal to the first.
        precision: of weights and arithmetic.

    Raises:
        SpecError: a value is out of range.
    """
    trained, queries = checkpoint.spec, _counts(query)
    return SurfaceSpec(
        **_trained(checkpoint, which),
        learner=trained.learner,
        split=split,
        task=TaskSpec(trained.task.way, trained.task.shot, max(queries, default=1)),
        queries=queries,
        tasks=tasks,
        first_task=first_task,
        task_seed=task_seed,
        fresh_tasks=fresh_tasks,
        steps=_counts(steps),
        grid=grid or GridSpec(),
        direction_seed=direction_seed,
        orthogonal=orthogonal,
        precision=precision,
        around=around,
        part=part,
    )


def training_loss_spec(
    checkpoint: Checkpoint,
    *,
    images: int = 1000,
    batch: int = 125,
    norm: Literal["batch", "running"] = "batch",
    grid: GridSpec | None = None,
    which: Which = "best",
    task_seed: int = 0,
    part: Part = "all",
    direction_seed: int = 0,
    orthogonal: bool = False,
    precision: Precision = "float32",
) -> SurfaceSpec:
    """The specification of a surface of the loss that transfer learning's training descends (thesis figure 9).

    Args:
        checkpoint: of a transfer run; its head over all base classes is perturbed with the rest.
        images: of the base split, drawn without replacement, the same at each grid point.
        batch: images that are normalised together, and whose mean loss is one value.
        norm: statistics of batch norm: of the `batch` at hand, as in the thesis's code, or the `running` ones.
        grid: of perturbations; 51 x 51 on [-1, 1] by default.
        which: the name under which the checkpoint was kept.
        task_seed: of the choice of images.
        part: of the network that is perturbed; see `surface_spec`.
        direction_seed: of the two random directions.
        orthogonal: make the second direction orthogonal to the first.
        precision: of weights and arithmetic.

    Raises:
        SpecError: a value is out of range, batches do not share the images evenly, or the run is no transfer run.
    """
    learner = PretrainingSpec(batch=batch, norm=norm)
    if images < 1 or images % batch:
        raise SpecError(f"--images must be a multiple of --batch ({batch}), got {images}")
    return SurfaceSpec(
        **_trained(checkpoint, which),
        **NO_TASKS,
        learner=learner,
        tasks=images // batch,
        task_seed=task_seed,
        grid=grid or GridSpec(),
        direction_seed=direction_seed,
        orthogonal=orthogonal,
        precision=precision,
        part=part,
    )


def _trained(checkpoint: Checkpoint, which: Which) -> dict[str, Any]:
    """What a surface has from the run."""
    return {
        "run": checkpoint.spec.digest,
        "seed": checkpoint.seed,
        "checkpoint": which,
        "checkpoint_digest": checkpoint.weights_digest,
        "data": checkpoint.spec.data,
        "data_digest": checkpoint.spec.data_digest,
        "model": checkpoint.spec.model,
    }


def _counts(values: int | Sequence[int]) -> tuple[int, ...]:
    return (values,) if isinstance(values, int) else tuple(sorted(set(values)))


def evaluation_spec(
    checkpoint: Checkpoint, *, split: Split, which: Which, tasks: int, steps: int | None = None, **options: Any
) -> SurfaceSpec:
    """The specification of an evaluation: a surface whose one point is the unperturbed weights.

    Args:
        checkpoint: what to evaluate.
        split: of the tasks.
        which: the name under which the checkpoint was kept.
        tasks: how many.
        steps: inner steps, or head updates; by default those of the run's own test.
        options: `query`, `task_seed`, `precision`; see `surface_spec`.

    Raises:
        SpecError: a value is out of range.
    """
    steps = checkpoint.spec.test_steps if steps is None else steps
    precision = options.pop("precision", None) or checkpoint.spec.precision
    return surface_spec(
        checkpoint,
        grid=GridSpec(1, 1),
        which=which,
        split=split,
        tasks=tasks,
        steps=steps,
        precision=precision,
        **options,
    )


def evaluation_store(seed: SeedDir, spec: SurfaceSpec) -> Path:
    """Where an evaluation goes: the same command finds it again."""
    return seed.evaluations / f"{spec.split}-{spec.checkpoint}-{spec.tasks}tasks-{spec.digest[:8]}.zarr"


def checkpoint_dir(seed: SeedDir, which: Which = "best") -> Path:
    """The folder of a seed's best or last checkpoint.

    Raises:
        SpecError: `which` is neither.
    """
    if which not in get_args(Which):
        raise SpecError(f"the checkpoint must be best or last, got {which!r}")
    return seed.best if which == "best" else seed.last


def default_store(seed: SeedDir, spec: SurfaceSpec) -> Path:
    """Where a surface goes unless told: the same command finds the same store again."""
    return seed.surfaces / _store_name(spec)


def default_set(run: RunDir, spec: SurfaceSpec) -> Path:
    """Where surfaces of several seeds or directions go unless told, whichever seeds and directions they are."""
    return run.surfaces / _store_name(sets.shared(spec))


def _store_name(spec: SurfaceSpec) -> str:
    grid = f"{spec.grid.alphas}x{spec.grid.betas}"
    if isinstance(spec.learner, PretrainingSpec):
        words = ["training", grid, f"{spec.tasks * spec.learner.batch}images"]
        words += ["running"] if spec.learner.norm == "running" else []
    else:
        words = [spec.split, grid, f"{spec.tasks}tasks" if spec.tasks > 1 else f"task{spec.first_task}"]
    words += [word for word in (spec.around, spec.part) if word not in ("initial", "all")]
    return f"{'-'.join([*words, spec.digest[:8]])}.zarr"


def load_for_surface(seed: SeedDir, which: Which = "best") -> Checkpoint:
    """The checkpoint to perturb."""
    return checkpoints.load(checkpoint_dir(seed, which))
