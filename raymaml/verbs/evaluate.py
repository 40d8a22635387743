"""Evaluate checkpoints of trained runs on many tasks, each task's value kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from raymaml import checkpoints as saved
from raymaml import runs
from raymaml.landscape.request import checkpoint_dir, evaluation_spec, evaluation_store
from raymaml.landscape.store import SurfaceStore
from raymaml.runs import SeedDir
from raymaml.runtime.jobs import Progress
from raymaml.runtime.replicas import Request
from raymaml.runtime.surface import compute
from raymaml.specs import Split, SurfaceSpec, Which

TASKS = 1_000  # recipe 2.4


def evaluate(
    run: str | None = None,
    seeds: Sequence[int] | None = None,
    *,
    splits: Sequence[Split] = ("novel",),
    checkpoints: Sequence[Which] = ("best",),
    tasks: int = TASKS,
    address: str | None = None,
    actors: int | None = None,
    threads: int | None = None,
    on_start: Callable[[list[Path]], None] = lambda paths: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_stop: Callable[[], None] = lambda: None,
    **options: Any,
) -> list[SurfaceStore]:
    """Score checkpoints of a run on tasks of its splits, on Ray actors, into Zarr; what is stored is not done again.

    Args:
        run: name or folder of a run; by default the one whose seed finished last.
        seeds: of the run; by default all that are finished.
        splits: whose classes the tasks are made of.
        checkpoints: `best` by validation accuracy, `last`, or both.
        tasks: how many; the same for every seed, run and checkpoint.
        address: of the Ray cluster; see `runtime.session`.
        actors: how many; by default as many as the cluster holds.
        threads: per actor; by default as many as the run was trained with.
        on_start: called once with the stores.
        on_progress: called after each block of tasks.
        on_stop: called at the first Ctrl-C.
        options: `steps` (by default those of the run's test), `query`, `task_seed`, `precision`.

    Returns:
        The stores: seed by seed, split by split, checkpoint by checkpoint. See `landscape.scores.score`.

    Raises:
        RaymamlError: something that was named is missing, or does not fit; the text says what.
        KeyboardInterrupt: stopped by Ctrl-C; the same call continues.
    """
    chosen = runs.find(run)
    requests = list(requests_of(runs.pick_seeds(chosen, seeds), splits, checkpoints, tasks, **options))
    on_start([request.path for request in requests])
    return compute(
        requests,
        address=address,
        actors=actors,
        threads=threads or chosen.spec().threads,
        on_progress=on_progress,
        on_stop=on_stop,
    )


def requests_of(
    seeds: Sequence[SeedDir],
    splits: Sequence[Split],
    checkpoints: Sequence[Which],
    tasks: int = TASKS,
    **options: Any,
) -> Iterator[Request[SurfaceSpec]]:
    """The evaluations of a run's seeds, as surfaces of one point."""
    for seed in seeds:
        for which in checkpoints:
            directory = checkpoint_dir(seed, which)
            loaded = saved.load(directory)
            for split in splits:
                spec = evaluation_spec(loaded, split=split, which=which, tasks=tasks, **options)
                yield Request(spec, directory, evaluation_store(seed, spec))
