"""`raymaml sharpness`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import options, progress

if TYPE_CHECKING:
    from raymaml.sharpness.read import Summary
    from raymaml.sharpness.spec import Measure
    from raymaml.sharpness.store import SharpnessStore

MEASURES: tuple[Measure, ...] = ("standard", "adaptive", "linf", "average", "hessian")


def sharpness(
    run: Annotated[
        str | None, typer.Option(help="MAML run: a name or a folder. Default: the newest finished one.")
    ] = None,
    seeds: options.FinishedSeeds = None,
    split: options.Splits = None,
    measures: Annotated[
        list[str] | None,
        typer.Option(
            help="standard (a step of length rho along the task's gradient), adaptive (ASAM: scaled by the weights), "
            "linf (by the gradient's signs), average (over random directions), hessian (largest eigenvalue and trace "
            "at the adapted weights). Default: standard.",
            show_default=False,
        ),
    ] = None,
    averaged: Annotated[
        bool,
        typer.Option("--averaged", help="Also the sharpness of the mean loss of all tasks: one gradient, one step."),
    ] = False,
    tasks: Annotated[int, typer.Option(min=2, help="Tasks of each split; each one's values are kept.")] = 100,
    rho: Annotated[float, typer.Option(help="Length of the step of standard, average and --averaged.")] = 0.05,
    adaptive_rho: Annotated[float, typer.Option(help="The same of adaptive.")] = 0.5,
    linf_rho: Annotated[float, typer.Option(help="Change of every weight, of linf.")] = 0.001,
    perturb: Annotated[
        Literal["weights", "all"],
        typer.Option(help="weights: not biases and batch norm, as in the published code; or all."),
    ] = "weights",
    steps: Annotated[int, typer.Option(min=0, help="Inner steps.")] = 10,
    query: Annotated[int, typer.Option(min=1, help="Query images per class.")] = 15,
    checkpoint: Annotated[Literal["best", "last"], typer.Option(help="Which weights to perturb.")] = "best",
    directions: Annotated[int, typer.Option(min=1, help="Random directions per task, of average.")] = 10,
    probes: Annotated[int, typer.Option(min=1, help="Random vectors per task, of the Hessian's trace.")] = 10,
    task_seed: Annotated[int, typer.Option(help="Seed of the tasks, which are the same for all runs.")] = 0,
    precision: Annotated[Literal["float32", "float64"], typer.Option(help="Of all arithmetic.")] = "float32",
    actors: options.Actors = None,
    threads: options.Threads = None,
    address: options.Address = None,
) -> None:
    """How far the loss after adaptation rises when the initialisation is perturbed, on Ray actors, into Zarr.

    Run the same command again after an interruption: it continues where it stopped. Further measures of the same
    tasks go into the same store.
    """
    from raymaml.verbs.sharpness import measure_sharpness

    chosen = options.choices(measures or ["standard"], "--measures", MEASURES)
    if averaged:
        chosen.append("averaged")
    with progress.display() as shown:
        stores = measure_sharpness(
            run,
            options.whole_numbers(seeds, "--seeds") if seeds else None,
            splits=options.choices(split or ["novel"], "--split", options.SPLITS),
            measures=chosen,
            checkpoint=checkpoint,
            tasks=tasks,
            rho=rho,
            adaptive_rho=adaptive_rho,
            linf_rho=linf_rho,
            perturb=perturb,
            steps=steps,
            query=query,
            directions=directions,
            probes=probes,
            task_seed=task_seed,
            precision=precision,
            actors=actors,
            threads=threads,
            address=address,
            on_start=options.say_stores,
            on_progress=progress.sharpness(shown),
            on_stop=lambda: options.say_stop("tasks"),
        )
    say_sharpness(stores, chosen)


def say_sharpness(stores: list[SharpnessStore], measures: list[Measure]) -> None:
    """A line per store and measure on stdout, then one over the seeds of each split and measure."""
    from raymaml.sharpness.read import mean_loss, over_seeds, summaries

    groups: dict[tuple[str, str], list[Summary]] = {}
    for store in stores:
        spec = store.spec
        for found in summaries(store, measures):
            groups.setdefault((spec.split, found.measure), []).append(found)
            typer.echo(
                f"seed {spec.seed}, {spec.checkpoint} checkpoint, {spec.split}: {named(found)} "
                f"{found.mean:.4f} ± {found.ci95:.4f} (95 % interval, {found.tasks} tasks, {spec.steps} steps), "
                f"loss {mean_loss(store):.3f}"
            )
    for (split, _), seeds in groups.items():
        if len(seeds) > 1:
            mean, interval, spread = over_seeds(seeds)
            typer.echo(
                f"{len(seeds)} seeds, {stores[0].spec.checkpoint} checkpoint, {split}: {named(seeds[0])} {mean:.4f}, "
                f"mean of the intervals {interval:.4f}, standard deviation over seeds {spread:.4f}"
            )


def named(found: Summary) -> str:
    """What was measured, for a person."""
    if found.rho is None:
        return f"Hessian {found.measure}"
    return f"{found.measure} sharpness (rho {found.rho:g})"
