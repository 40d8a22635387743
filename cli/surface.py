"""`raymaml surface`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from raymaml.errors import SpecError

from . import options, progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from raymaml.landscape.store import SurfaceStore
    from raymaml.runs import SeedDir
    from raymaml.specs import SurfaceSpec


def surface(
    run: options.Run = None,
    seed: options.Seed = None,
    seeds: Annotated[
        list[str] | None,
        typer.Option(help="Several seeds, as 5 6 7: a surface of each, in one store.", show_default=False),
    ] = None,
    loss: Annotated[
        Literal["meta", "training"],
        typer.Option(help="meta: after adapting to tasks. training: what the training of a transfer run descends."),
    ] = "meta",
    grid: Annotated[str, typer.Option(help="Points per axis: N, or NxM for alphas x betas.")] = "51",
    span: Annotated[tuple[float, float], typer.Option("--range", help="Lowest and highest perturbation.")] = (
        -1,
        1,
    ),
    tasks: Annotated[
        int | None,
        typer.Option(min=1, help="Tasks at each point; each one's value is kept. Default: 100.", show_default=False),
    ] = None,
    task: Annotated[
        int | None,
        typer.Option(min=0, help="One task alone, by its number in the task seed, from 0.", show_default=False),
    ] = None,
    split: Annotated[
        Literal["base", "val", "novel"] | None,
        typer.Option(help="Classes of the tasks. Default: novel; with --loss training base.", show_default=False),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option(help="Query images per class; the loss of each of several, as 1 2 4 15. Default: 15."),
    ] = None,
    steps: Annotated[
        list[str] | None,
        typer.Option(help="Inner steps; the loss after each of several, as 0 1 5 10. Default: 10."),
    ] = None,
    around: Annotated[
        Literal["initial", "adapted"],
        typer.Option(
            help="initial: perturb the initialisation, then adapt, as the thesis's code does. "
            "adapted: adapt the initialisation, then perturb, as its text says."
        ),
    ] = "initial",
    images: Annotated[
        int | None,
        typer.Option(min=1, help="Base images of --loss training. Default: 1000.", show_default=False),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Images of a batch of --loss training. Default: 125.", show_default=False),
    ] = None,
    norm: Annotated[
        Literal["batch", "running"] | None,
        typer.Option(
            help="Batch norm of --loss training: the statistics of each batch, as in the thesis's code, or the running "
            "ones. Default: batch.",
            show_default=False,
        ),
    ] = None,
    part: Annotated[
        Literal["all", "head", "feature"], typer.Option(help="Perturb this part of the network; parts add up to all.")
    ] = "all",
    checkpoint: Annotated[Literal["best", "last"], typer.Option(help="Which weights to perturb.")] = "best",
    task_seed: Annotated[int, typer.Option(help="Seed of the tasks, or of the images.")] = 0,
    fresh_tasks: Annotated[
        bool, typer.Option("--fresh-tasks", help="New tasks at each point, as in the thesis.")
    ] = False,
    direction_seed: Annotated[
        list[str] | None,
        typer.Option(
            help="Seed of the two random directions; of several, as 0 1 2, a surface on each pair. Default: 0.",
            show_default=False,
        ),
    ] = None,
    orthogonal: Annotated[bool, typer.Option("--orthogonal", help="Make the directions orthogonal.")] = False,
    precision: Annotated[Literal["float32", "float64"], typer.Option(help="Of all arithmetic.")] = "float32",
    adaptive: Annotated[
        float | None,
        typer.Option(
            metavar="TOL",
            help="Compute only points between which the mean loss cannot be interpolated to within TOL nats, as 0.02; "
            "the store states the error reached. Without it, or with a smaller TOL, the same command goes on.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Zarr store. Default: one beside the checkpoint; of several surfaces, with the run."),
    ] = None,
    actors: options.Actors = None,
    threads: options.Threads = None,
    backend: Annotated[
        Literal["graph", "fused", "grouped", "plain", "vmap"] | None,
        typer.Option(
            help="How to compute: equal but for rounding. Default: the fastest in a short trial, recorded in the "
            "store. graph needs a GPU, fused the CPU.",
            show_default=False,
        ),
    ] = None,
    address: options.Address = None,
    figure: Annotated[bool, typer.Option(help="Draw the surface at the end.")] = True,
) -> None:
    """Compute the loss on a plane of weight perturbations, on Ray actors, into Zarr.

    At each point the weights are perturbed and adapted to each task; the query set is scored, and the support set.
    With --loss training they are scored as they are, on images of all base classes.
    Points are computed from coarse to fine: what there is can be drawn at any time, with the rest interpolated.
    Run the same command again after an interruption: it continues where it stopped. Several seeds or directions give
    a set of surfaces in one store, and a figure of their spread; to a store that is a set, one surface is added.
    """
    if seed is not None and seeds:
        raise SpecError("--seed is one seed and --seeds are several: give one of them")
    of_tasks = {
        "--split": split,
        "--tasks": tasks,
        "--task": task,
        "--query": query,
        "--steps": steps,
        "--around": None if around == "initial" else around,
        "--fresh-tasks": fresh_tasks or None,
    }
    of_images = {"images": images, "batch": batch, "norm": norm}
    chosen = options.whole_numbers(seeds, "--seeds") if seeds else None
    directions = options.whole_numbers(direction_seed, "--direction-seed") if direction_seed else [0]
    shared: dict[str, Any] = {
        "loss": loss,
        "grid": options.grid_size(grid),
        "span": span,
        "checkpoint": checkpoint,
        "part": part,
        "task_seed": task_seed,
        "orthogonal": orthogonal,
        "precision": precision,
        "adaptive": _tolerance(adaptive),
        "out": out,
        "address": address,
        "actors": actors,
        "threads": threads or 1,
        "backend": backend,
        "on_stop": lambda: options.say_stop("blocks"),
        **(_of_training if loss == "training" else _of_meta)(of_tasks, of_images),
    }
    if len(chosen or []) > 1 or len(directions) > 1 or _is_set(out):
        _several(run, chosen or ([] if seed is None else [seed]), directions, figure, shared)
    else:
        _one(run, chosen[0] if chosen else seed, directions[0], figure, shared)


def _one(run: str | None, seed: int | None, direction: int, figure: bool, shared: dict[str, Any]) -> None:
    from raymaml.verbs.figure import figure_surface
    from raymaml.verbs.surface import surface as compute

    with progress.display() as shown:
        store = compute(
            run,
            seed,
            direction_seed=direction,
            on_start=say_start,
            on_progress=progress.surface(shown),
            **shared,
        )
    _say_reached([store], shared["adaptive"])
    options.say_paths([store.path, *(figure_surface(store) if figure and min(store.plan.shape[1:]) > 1 else [])])


def _of_meta(of_tasks: dict[str, Any], of_images: dict[str, Any]) -> dict[str, Any]:
    """Options of the meta-loss, with their defaults."""
    if given := [f"--{name}" for name, value in of_images.items() if value is not None]:
        raise SpecError(f"{', '.join(given)}: only with --loss training")
    tasks, task, query, steps = (of_tasks[name] for name in ("--tasks", "--task", "--query", "--steps"))
    if task is not None and (tasks is not None or of_tasks["--fresh-tasks"]):
        raise SpecError("--task is one fixed task: leave out --tasks and --fresh-tasks")
    return {
        "split": of_tasks["--split"] or "novel",
        "tasks": 1 if task is not None else tasks or 100,
        "first_task": task or 0,
        "query": options.whole_numbers(query, "--query") if query else 15,
        "steps": options.whole_numbers(steps, "--steps") if steps else 10,
        "around": of_tasks["--around"] or "initial",
        "fresh_tasks": bool(of_tasks["--fresh-tasks"]),
    }


def _of_training(of_tasks: dict[str, Any], of_images: dict[str, Any]) -> dict[str, Any]:
    """Options of the pre-training loss, as far as they are given."""
    given = {name: value for name, value in of_tasks.items() if value is not None}
    if given.pop("--split", "base") != "base":
        raise SpecError("--loss training is that of the base split: leave out --split")
    if given:
        raise SpecError(f"--loss training has no tasks: leave out {', '.join(given)}")
    return {name: value for name, value in of_images.items() if value is not None}


def _several(run: str | None, seeds: list[int], directions: list[int], figure: bool, shared: dict[str, Any]) -> None:
    from raymaml import runs
    from raymaml.verbs.surface import surfaces

    with progress.display() as shown:
        found = surfaces(
            run,
            seeds or [runs.pick_seed(runs.find(run), None).seed],
            directions,
            on_start=_say_set,
            on_progress=progress.surface(shown, "surfaces"),
            **shared,
        )
    _say_reached(found.members, shared["adaptive"])
    options.say_paths([found.path])
    if figure and min(found.members[0].plan.shape[1:]) > 1:
        from raymaml.verbs.spread_figure import figure_spread

        made = figure_spread(found.path)
        options.say_lines(made.lines)
        options.say_paths(made.files)


def _tolerance(typed: float | None) -> float | None:
    if typed is not None:  # nothing heavy is loaded without it
        from raymaml.landscape.adaptive import check_tolerance

        check_tolerance(typed)
    return typed


def _say_reached(stores: Sequence[SurfaceStore], tolerance: float | None) -> None:
    """What an adaptive computation came to."""
    if tolerance is None:
        return
    from raymaml.landscape.adaptive_record import read

    for store in stores:
        record = read(store.path)
        options.say(f"{store.path.name}: {record.text() if record else 'every point is computed'}")


def _is_set(out: Path | None) -> bool:
    if out is None or not out.expanduser().exists():
        return False  # nothing heavy is loaded to find that out
    from raymaml.landscape import sets

    return sets.is_set(out.expanduser())


def _say_set(seeds: list[SeedDir], specs: list[SurfaceSpec], path: Path) -> None:
    directions = " ".join(str(n) for n in dict.fromkeys(spec.direction_seed for spec in specs))
    chosen = " ".join(str(seed.seed) for seed in seeds)
    options.say(
        f"run {seeds[0].path.parent}, seeds {chosen}, directions {directions}: "
        f"{len(specs)} surfaces, {specs[0].checkpoint} checkpoint"
    )
    _say_store(specs[0], path)


def say_start(seed: SeedDir, spec: SurfaceSpec, path: Path) -> None:
    """Name what was chosen, and warn of a grid without the centre."""
    options.say(f"run {seed.path.parent}, seed {seed.seed}, {spec.checkpoint} checkpoint")
    _say_store(spec, path)


def _say_store(spec: SurfaceSpec, path: Path) -> None:
    options.say(f"store {path}")
    if not spec.grid.holds_centre:
        options.say("warning: (0, 0), the unperturbed weights, is not on this grid; an odd grid on -1 1 has it")
