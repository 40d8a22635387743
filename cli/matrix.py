"""`raymaml matrix`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from . import options, progress

if TYPE_CHECKING:
    from raymaml.presets import Method
    from raymaml.specs import Backbone
    from raymaml.verbs.matrix import Matrix

METHODS: tuple[Method, ...] = ("maml", "transfer")
BACKBONES: tuple[Backbone, ...] = ("conv4", "conv6", "resnet10", "resnet18")
AUGMENT = {"both": (False, True), "off": (False,), "on": (True,)}


def matrix(
    data: Annotated[list[str] | None, typer.Option(help="Data sets. Default: glyphs.", show_default=False)] = None,
    methods: Annotated[
        list[str] | None, typer.Option(help="maml, transfer. Default: both.", show_default=False)
    ] = None,
    backbones: Annotated[
        list[str] | None,
        typer.Option(help="Of conv4, conv6, resnet10, resnet18. Default: conv4 conv6.", show_default=False),
    ] = None,
    augment: Annotated[
        Literal["both", "off", "on"], typer.Option(help="Augmentation of the training images.")
    ] = "both",
    seeds: Annotated[list[str] | None, typer.Option(help="Of every run. Default: 5 6 7.", show_default=False)] = None,
    preset: Annotated[
        Literal["demo", "quick", "thesis"] | None,
        typer.Option(help="Values to start from. Default: quick for glyphs, thesis otherwise.", show_default=False),
    ] = None,
    compat: Annotated[
        Literal["text", "code"] | None,
        typer.Option(
            help="Take the values of the thesis's text or of its code where they disagree.", show_default=False
        ),
    ] = None,
    updates: Annotated[int | None, typer.Option(help="Outer steps of MAML.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the base images of transfer learning.")] = None,
    val_tasks: Annotated[int | None, typer.Option(help="Validation tasks.")] = None,
    test_tasks: Annotated[int | None, typer.Option(help="Novel tasks for the test at the end of training.")] = None,
    test_steps: Annotated[int | None, typer.Option(help="Inner steps, or head updates, in tests.")] = None,
    monitor_tasks: Annotated[
        int | None, typer.Option(help="Base and novel tasks at each look during training.")
    ] = None,
    split: Annotated[
        list[str] | None, typer.Option(help="Splits to evaluate on. Default: base novel.", show_default=False)
    ] = None,
    checkpoint: Annotated[
        list[str] | None, typer.Option(help="Checkpoints to evaluate. Default: best last.", show_default=False)
    ] = None,
    tasks: Annotated[int, typer.Option(min=2, help="Tasks of each evaluation.")] = 1_000,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the runs. Default: $RAYMAML_HOME or artifacts/runs.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and what it costs; do nothing.")] = False,
    threads: options.Threads = None,
    workers_per_seed: Annotated[int, typer.Option(help="Workers sharing each meta-batch of MAML.")] = 1,
    address: options.Address = None,
) -> None:
    """Train and evaluate any part of the matrix: methods x backbones x augmentation x data sets x seeds.

    Run the same command again after an interruption: what is finished is not done again.
    """
    from raymaml.verbs import matrix as verbs

    planned = verbs.plan(
        data or ["glyphs"],
        options.choices(methods or list(METHODS), "--methods", METHODS),
        options.choices(backbones or ["conv4", "conv6"], "--backbones", BACKBONES),
        AUGMENT[augment],
        options.whole_numbers(seeds or ["5", "6", "7"], "--seeds"),
        preset=preset,
        compat=compat,
        splits=options.choices(split or ["base", "novel"], "--split", options.SPLITS),
        checkpoints=options.choices(checkpoint or ["best", "last"], "--checkpoint", options.CHECKPOINTS),
        tasks=tasks,
        home=out,
        updates=updates,
        epochs=epochs,
        val_tasks=val_tasks,
        test_tasks=test_tasks,
        test_steps=test_steps,
        monitor_tasks=monitor_tasks,
        threads=threads,
    )
    if dry_run:
        _say_plan(planned, address)
        return
    for cell in planned.cells:
        options.say(f"run {cell.run.path}, seeds left: {' '.join(map(str, cell.unfinished)) or 'none'}")
    with progress.display() as shown:
        scores = verbs.run(
            planned,
            address=address,
            workers_per_seed=workers_per_seed,
            on_training=progress.matrix(
                shown, [(cell.run.path, cell.seeds, cell.unfinished) for cell in planned.cells]
            ),
            on_evaluation=progress.surface(shown, "evaluation"),
            on_stop=lambda: options.say("stopping: finishing the blocks in flight"),
        )
    for (path, seed), score in scores.items():
        typer.echo(
            f"{path.name}, seed {seed}: novel accuracy {100 * score.accuracy:.2f} ± {100 * score.accuracy_ci95:.2f} % "
            f"(95 % interval, {score.tasks} tasks)"
        )
    typer.echo("see: raymaml table 2, raymaml figure 3, raymaml figure 19")


def _say_plan(planned: Matrix, address: str | None) -> None:
    from raymaml.verbs.estimate import estimate

    found = estimate(planned, address=address)
    typer.echo(f"{'run':50} {'seeds left':>10} {'task evaluations':>17} {'batches':>9} {'hours':>9}")
    for cell, cost, hours in found.rows:
        typer.echo(f"{cell.run.path.name:50} {len(cell.unfinished):10} {cost.tasks:17,} {cost.batches:9,} {hours:9.2f}")
    total = found.total
    typer.echo(f"{'all':50} {'':10} {total.tasks:17,} {total.batches:9,} {found.hours:9.2f}")
    typer.echo(
        f"hours of one {found.device}, from {found.measured_seconds:.0f} s of timing each backbone, forward and back; "
        f"with the evaluation ({planned.tasks} tasks of {', '.join(planned.splits)}, "
        f"{' and '.join(planned.checkpoints)} checkpoints); the true figure may be half or twice as much"
    )
