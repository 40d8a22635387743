"""Compute surfaces around a trained run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from raymaml import runs
from raymaml.errors import SpecError
from raymaml.landscape import sets
from raymaml.landscape.adaptive import check_tolerance
from raymaml.landscape.request import (
    checkpoint_dir,
    default_set,
    default_store,
    load_for_surface,
    surface_spec,
    training_loss_spec,
)
from raymaml.landscape.sets import SurfaceSet
from raymaml.landscape.store import SurfaceStore
from raymaml.runs import RunDir, SeedDir
from raymaml.runtime.jobs import Progress
from raymaml.runtime.replicas import Request
from raymaml.runtime.surface import compute
from raymaml.specs import GridSpec, SurfaceSpec, Which

Loss = Literal["meta", "training"]


def surface(
    run: str | None = None,
    seed: int | None = None,
    *,
    loss: Loss = "meta",
    grid: tuple[int, int] = (51, 51),
    span: tuple[float, float] = (-1.0, 1.0),
    checkpoint: Which = "best",
    adaptive: float | None = None,
    out: Path | None = None,
    address: str | None = None,
    actors: int | None = None,
    threads: int = 1,
    backend: str | None = None,
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
        adaptive: tolerance in nats. Only those grid points are computed between which the mean loss over tasks cannot
            be interpolated to within about that much; the store says what error was reached
            (`adaptive_record(store.path)`). The same call without it, or with a smaller one, continues from there.
        out: the Zarr store; by default one beside the checkpoint, named after its contents.
        address: of the Ray cluster; see `runtime.session`.
        actors: how many; by default as many as the cluster holds.
        threads: per actor.
        backend: by which to compute; by default what a short trial finds fastest. See `runtime.surface.compute`.
        on_start: called once with what was chosen.
        on_progress: called after each block.
        on_stop: called at the first Ctrl-C, which lets the blocks in flight finish.
        options: `split`, `tasks`, `query`, `steps` and more, see `landscape.request.surface_spec`; of the pre-training
            loss `images`, `batch`, `norm` and more, see `landscape.request.training_loss_spec`.

    Raises:
        RaymamlError: something that was named is missing, or does not fit; the text says what.
        KeyboardInterrupt: stopped by Ctrl-C; the same call continues.
    """
    check_tolerance(adaptive)
    found = runs.find(run)
    spec_of = _maker(found, loss)
    chosen = runs.pick_seed(found, seed)
    spec = spec_of(load_for_surface(chosen, checkpoint), grid=GridSpec(*grid, *span), which=checkpoint, **options)
    path = (out.expanduser() if out else default_store(chosen, spec)).absolute()
    on_start(chosen, spec, path)
    [store] = compute(
        [Request(spec, checkpoint_dir(chosen, checkpoint), path)],
        address=address,
        actors=actors,
        threads=threads,
        backend=backend,
        adaptive=adaptive,
        on_progress=on_progress,
        on_stop=on_stop,
    )
    return store


def surfaces(
    run: str | None = None,
    seeds: Sequence[int] | None = None,
    direction_seeds: Sequence[int] = (0,),
    *,
    loss: Loss = "meta",
    grid: tuple[int, int] = (51, 51),
    span: tuple[float, float] = (-1.0, 1.0),
    checkpoint: Which = "best",
    adaptive: float | None = None,
    out: Path | None = None,
    address: str | None = None,
    actors: int | None = None,
    threads: int = 1,
    backend: str | None = None,
    on_start: Callable[[list[SeedDir], list[SurfaceSpec], Path], None] = lambda seeds, specs, path: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_stop: Callable[[], None] = lambda: None,
    **options: Any,
) -> SurfaceSet:
    """Compute a surface of each seed on each pair of directions, or what is missing of them, into one store.

    All have the same tasks. Other seeds and directions that are in the store already stay there.

    Args:
        run: name or folder of a run; by default the one whose seed finished last.
        seeds: of the run, each finished; by default all finished ones.
        direction_seeds: of the pairs of directions; each seed gets a surface on each pair.
        loss: `meta` or `training`; see `surface`.
        grid: numbers of alphas and betas.
        span: lowest and highest value of both.
        checkpoint: `best` by validation accuracy, or `last`.
        adaptive: tolerance in nats, for each surface by itself; see `surface`.
        out: the Zarr store; by default one in the run's folder, named after what the surfaces share.
        address: of the Ray cluster; see `runtime.session`.
        actors: how many; by default as many as the cluster holds.
        threads: per actor.
        backend: by which to compute; by default what a short trial finds fastest. See `runtime.surface.compute`.
        on_start: called once with the chosen seeds, the specification of each surface, and the store.
        on_progress: called after each block.
        on_stop: called at the first Ctrl-C, which lets the blocks in flight finish.
        options: `split`, `tasks`, `query`, `steps` and more; see `surface`.

    Returns:
        All surfaces of the store.

    Raises:
        RaymamlError: something that was named is missing, or does not fit; the text says what.
        KeyboardInterrupt: stopped by Ctrl-C; the same call continues.
    """
    check_tolerance(adaptive)
    found = runs.find(run)
    spec_of = _maker(found, loss)
    chosen = runs.pick_seeds(found, seeds)
    directions = _checked(direction_seeds)
    centres = [(checkpoint_dir(seed, checkpoint), load_for_surface(seed, checkpoint)) for seed in chosen]
    pairs = [
        (spec_of(centre, grid=GridSpec(*grid, *span), which=checkpoint, direction_seed=n, **options), folder)
        for folder, centre in centres
        for n in directions
    ]
    specs = [spec for spec, _ in pairs]
    path = (out.expanduser() if out else default_set(found, specs[0])).absolute()
    on_start(chosen, specs, path)
    if path.exists():
        sets.claim(path, specs[0])
    compute(
        [Request(spec, folder, sets.member_path(path, spec)) for spec, folder in pairs],
        address=address,
        actors=actors,
        threads=threads,
        backend=backend,
        adaptive=adaptive,
        on_ready=lambda: sets.claim(path, specs[0]),
        on_progress=on_progress,
        on_stop=on_stop,
    )
    return sets.open_set(path)


def _checked(direction_seeds: Sequence[int]) -> list[int]:
    """Direction seeds of a set, in which each names one surface of a seed."""
    if not direction_seeds or len(set(direction_seeds)) != len(direction_seeds) or min(direction_seeds) < 0:
        got = " ".join(map(str, direction_seeds))
        raise SpecError(f"--direction-seed of several surfaces needs different whole numbers from 0 up, got {got!r}")
    return list(direction_seeds)


def _maker(run: RunDir, loss: Loss) -> Callable[..., SurfaceSpec]:
    """What makes the specification of a surface of that loss around a checkpoint of the run."""
    method = run.spec().learner.kind
    if loss == "meta":
        return surface_spec
    if method != "transfer":
        raise SpecError(
            f"run {run.path.name} was trained with method {method}, and the pre-training loss is that of transfer "
            "learning; name a transfer run with --run"
        )
    return training_loss_spec
