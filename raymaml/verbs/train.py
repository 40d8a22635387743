"""Train a run: several seeds of one specification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from raymaml import data as data_sets
from raymaml import runs, training
from raymaml.presets import Compat, Method, Preset, default_for, train_spec
from raymaml.runs import RunDir
from raymaml.runtime.train import SeedStates, check_workers, train_seeds
from raymaml.specs import Backbone, Score, TrainSpec


def train(
    seeds: Sequence[int] = (5, 6, 7),
    *,
    data: str = "glyphs",
    method: Method = "maml",
    backbone: Backbone = "conv4",
    augment: bool = False,
    preset: Preset | None = None,
    compat: Compat | None = None,
    way: int = 5,
    shot: int = 1,
    out: Path | None = None,
    address: str | None = None,
    workers_per_seed: int = 1,
    on_start: Callable[[RunDir, list[int]], None] = lambda run, finished: None,
    on_progress: Callable[[SeedStates], None] = lambda states: None,
    **changes: Any,
) -> tuple[RunDir, dict[int, Score]]:
    """Train the seeds on Ray; those that are finished are left alone.

    Args:
        seeds: of weights and training tasks; (5, 6, 7) are the thesis's.
        data: name of the data set.
        method: `maml` or `transfer`.
        backbone: of the model.
        augment: vary the training images.
        preset: `quick`, `thesis` or `demo`; by default the one that suits the data set.
        compat: the values of the thesis's `text` or `code` where the two disagree.
        way: classes per task.
        shot: support images per class.
        out: folder of the run; by default one in `runs.home()` named after what it holds.
        address: of the Ray cluster; see `runtime.session`.
        workers_per_seed: workers that share each meta-batch; the weights do not depend on it.
        on_start: called once with the run and the seeds that are finished already.
        on_progress: called about once a second with the state of each seed.
        changes: values that replace the preset's; see `presets.train_spec`.

    Returns:
        The run, and the test score of each seed.

    Raises:
        RaymamlError: a value, a folder or the cluster cannot be used; the text says which.
    """
    preset = preset or default_for(data)
    images = data_sets.load(data)
    spec = train_spec(
        images, preset, method=method, backbone=backbone, way=way, shot=shot, augment=augment, compat=compat, **changes
    )
    run = RunDir((out.expanduser() if out else runs.home() / run_name(spec, compat or preset)).absolute())
    wanted = runs.check_seeds(list(seeds))
    training.check(spec, images)
    run.check(spec)
    check_workers(spec, workers_per_seed)
    on_start(run, [seed for seed in wanted if run.seed(seed).finished])
    scores = train_seeds(spec, wanted, run, address=address, workers_per_seed=workers_per_seed, on_progress=on_progress)
    return run, scores


def run_name(spec: TrainSpec, preset: str) -> str:
    """What the folder of a run is called unless told."""
    augmented = "-aug" if spec.augment else ""
    shape = f"{spec.task.way}way-{spec.task.shot}shot"
    return f"{spec.data}-{spec.learner.kind}-{spec.model.backbone}{augmented}-{shape}-{preset}"
