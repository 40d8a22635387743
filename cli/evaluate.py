"""`raymaml evaluate`."""

from __future__ import annotations

from statistics import mean, stdev
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import options, progress

if TYPE_CHECKING:
    from raymaml.landscape.store import SurfaceStore
    from raymaml.specs import Score


def evaluate(
    run: options.Run = None,
    seeds: options.FinishedSeeds = None,
    split: options.Splits = None,
    checkpoint: Annotated[
        list[str] | None, typer.Option(help="best, last, or both. Default: best.", show_default=False)
    ] = None,
    tasks: Annotated[int, typer.Option(min=2, help="Tasks of each split; each one's value is kept.")] = 1_000,
    query: Annotated[int, typer.Option(min=1, help="Query images per class.")] = 15,
    steps: Annotated[
        int | None,
        typer.Option(
            min=0, help="Inner steps, or head updates. Default: those of the run's own test.", show_default=False
        ),
    ] = None,
    task_seed: Annotated[int, typer.Option(help="Seed of the tasks.")] = 0,
    precision: Annotated[
        Literal["float32", "float64"] | None, typer.Option(help="Of all arithmetic. Default: the run's.")
    ] = None,
    actors: options.Actors = None,
    threads: options.Threads = None,
    address: options.Address = None,
) -> None:
    """Score checkpoints on many tasks, on Ray actors, each task's loss and accuracy into Zarr.

    Run the same command again after an interruption: it continues where it stopped.
    """
    from raymaml.verbs.evaluate import evaluate as compute

    with progress.display() as shown:
        stores = compute(
            run,
            options.whole_numbers(seeds, "--seeds") if seeds else None,
            splits=options.choices(split or ["novel"], "--split", options.SPLITS),
            checkpoints=options.choices(checkpoint or ["best"], "--checkpoint", options.CHECKPOINTS),
            tasks=tasks,
            query=query,
            steps=steps,
            task_seed=task_seed,
            precision=precision,
            actors=actors,
            threads=threads,
            address=address,
            on_start=options.say_stores,
            on_progress=progress.surface(shown, "evaluation"),
            on_stop=lambda: options.say_stop("blocks"),
        )
    say_scores(stores)


def say_scores(stores: list[SurfaceStore]) -> None:
    """A line per store on stdout, then one over the seeds of each split and checkpoint."""
    from raymaml.landscape.scores import score

    groups: dict[tuple[str, str], list[Score]] = {}
    for store in stores:
        found, spec = score(store), store.spec
        groups.setdefault((spec.split, spec.checkpoint), []).append(found)
        typer.echo(f"seed {spec.seed}, {spec.checkpoint} checkpoint, {spec.split}: {_line(found, spec.steps[-1])}")
    for (split, checkpoint), scores in groups.items():
        if len(scores) > 1:
            accuracies = [100 * s.accuracy for s in scores]
            typer.echo(
                f"{len(scores)} seeds, {checkpoint} checkpoint, {split}: accuracy {mean(accuracies):.2f} %, "
                f"standard deviation over seeds {stdev(accuracies):.2f}, "
                f"mean of the intervals {mean(100 * s.accuracy_ci95 for s in scores):.2f}"
            )


def _line(score: Score, steps: int) -> str:
    loss = "not finite" if score.loss is None else f"{score.loss:.3f}"
    return (
        f"accuracy {100 * score.accuracy:.2f} ± {100 * score.accuracy_ci95:.2f} % "
        f"(95 % interval, {score.tasks} tasks, {steps} steps), loss {loss}"
    )
