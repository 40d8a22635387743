"""Measure the sharpness of trained runs, each task's value kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from raymaml import checkpoints as saved
from raymaml import runs
from raymaml.errors import SpecError
from raymaml.landscape.request import checkpoint_dir
from raymaml.runs import RunDir, SeedDir
from raymaml.runtime.replicas import Request
from raymaml.runtime.sharpness import Progress, compute
from raymaml.sharpness.request import default_store, sharpness_spec
from raymaml.sharpness.spec import MEASURES, Measure, SharpnessSpec
from raymaml.sharpness.store import SharpnessStore
from raymaml.specs import MamlSpec, Split, Which


def measure_sharpness(
    run: str | None = None,
    seeds: Sequence[int] | None = None,
    *,
    splits: Sequence[Split] = ("novel",),
    measures: Sequence[Measure] = ("standard",),
    checkpoint: Which = "best",
    address: str | None = None,
    actors: int | None = None,
    threads: int | None = None,
    on_start: Callable[[list[Path]], None] = lambda paths: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_stop: Callable[[], None] = lambda: None,
    **options: Any,
) -> list[SharpnessStore]:
    """Measure the sharpness of a MAML run's meta-loss, on Ray actors, into Zarr; what is stored is not done again.

    Args:
        run: name or folder of a run; by default the one whose seed finished last.
        seeds: of the run; by default all that are finished.
        splits: whose classes the tasks are made of.
        measures: of `standard`, `adaptive`, `linf`, `average`, `hessian` and `averaged`.
        checkpoint: `best` by validation accuracy, or `last`.
        address: of the Ray cluster; see `runtime.session`.
        actors: how many; by default as many as the cluster holds.
        threads: per actor; by default as many as the run was trained with.
        on_start: called once with the stores.
        on_progress: called after each part of the tasks.
        on_stop: called at the first Ctrl-C.
        options: `tasks`, `rho`, `steps`, `query` and more; see `sharpness.request.sharpness_spec`.

    Returns:
        The stores: seed by seed, split by split. See `sharpness.read.summaries`.

    Raises:
        RaymamlError: something that was named is missing, or does not fit; the text says what.
        KeyboardInterrupt: stopped by Ctrl-C; the same call continues.
    """
    if not measures or not set(measures) <= set(MEASURES):
        raise SpecError(f"measures must be some of {', '.join(MEASURES)}, got {list(measures)}")
    chosen = runs.find(run)
    _check_method(chosen)
    requests = list(requests_of(runs.pick_seeds(chosen, seeds), splits, checkpoint, **options))
    on_start([request.path for request in requests])
    return compute(
        requests,
        measures,
        address=address,
        actors=actors,
        threads=threads or chosen.spec().threads,
        on_progress=on_progress,
        on_stop=on_stop,
    )


def requests_of(
    seeds: Sequence[SeedDir], splits: Sequence[Split], checkpoint: Which = "best", **options: Any
) -> Iterator[Request[SharpnessSpec]]:
    """The measurements of a run's seeds."""
    for seed in seeds:
        directory = checkpoint_dir(seed, checkpoint)
        loaded = saved.load(directory)
        for split in splits:
            spec = sharpness_spec(loaded, which=checkpoint, split=split, **options)
            yield Request(spec, directory, default_store(seed, spec).absolute())


def _check_method(run: RunDir) -> None:
    """Name the run that cannot be measured; `sharpness_spec` knows only its checkpoint."""
    learner = run.spec().learner
    if not isinstance(learner, MamlSpec):
        raise SpecError(
            f"run {run.path.name} was trained with method {learner.kind}, and sharpness is that of MAML's meta-loss; "
            "name a MAML run with --run"
        )
