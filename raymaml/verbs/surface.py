"""Compute a surface around a trained run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from raymaml import runs
from raymaml.errors import SpecError
from raymaml.landscape.request import (
    checkpoint_dir,
    default_store,
    load_for_surface,
    surface_spec,
    training_loss_spec,
)
from raymaml.landscape.store import SurfaceStore
from raymaml.runs import RunDir, SeedDir
from raymaml.runtime.replicas import Request
from raymaml.runtime.surface import Progress, compute
from raymaml.specs import GridSpec, SurfaceSpec, Which


def surface(
    run: str | None = None,
    seed: int | None = None,
    *,
    loss: Literal["meta", "training"] = "meta",
    grid: tuple[int, int] = (51, 51),
    span: tuple[float, float] = (-1.0, 1.0),
    checkpoint: Which = "best",
    out: Path | None = None,
    address: str | None = None,
    actors: int | None = None,
    threads: int = 1,
    on_start: Callable[[SeedDir, SurfaceSpec, Path], None] = lambda seed, spec, path: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_stop: Callable[[], None] = lambda: None,
    **options: Any,
) -> SurfaceStore:
    """Compute the meta-loss, or the pre-training loss, on a plane of weight perturbations, or what is missing of it.

    Args:
        run: name or folder of a run; by default the one whose seed finished last.
        seed: of the run; by default 5, or the lowest that is finished.
        loss: `meta`: after adapting to tasks; `training`: what the training of a transfer run descends.
        grid: numbers of alphas and betas.
        span: lowest and highest value of both.
        checkpoint: `best` by validation accuracy, or `last`.
        out: the Zarr store; by default one beside the checkpoint, named after its contents.
        address: of the Ray cluster; see `runtime.session`.
        actors: how many; by default as many as the cluster holds.
        threads: per actor.
        on_start: called once with what was chosen.
        on_progress: called after each block.
        on_stop: called at the first Ctrl-C, which lets the blocks in flight finish.
        options: `split`, `tasks`, `query`, `steps` and more, see `landscape.request.surface_spec`; of the pre-training
            loss `images`, `batch`, `norm` and more, see `landscape.request.training_loss_spec`.

    Raises:
        RaymamlError: something that was named is missing, or does not fit; the text says what.
        KeyboardInterrupt: stopped by Ctrl-C; the same call continues.
    """
    found = runs.find(run)
    if loss == "training":
        _check_transfer(found)
    chosen = runs.pick_seed(found, seed)
    spec_of = training_loss_spec if loss == "training" else surface_spec
    spec = spec_of(load_for_surface(chosen, checkpoint), grid=GridSpec(*grid, *span), which=checkpoint, **options)
    path = (out.expanduser() if out else default_store(chosen, spec)).absolute()
    on_start(chosen, spec, path)
    [store] = compute(
        [Request(spec, checkpoint_dir(chosen, checkpoint), path)],
        address=address,
        actors=actors,
        threads=threads,
        on_progress=on_progress,
        on_stop=on_stop,
    )
    return store


def _check_transfer(run: RunDir) -> None:
    method = run.spec().learner.kind
    if method != "transfer":
        raise SpecError(
            f"run {run.path.name} was trained with method {method}, and the pre-training loss is that of transfer "
            "learning; name a transfer run with --run"
        )
