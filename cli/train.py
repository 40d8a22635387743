"""`raymaml train`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from . import options, progress

if TYPE_CHECKING:
    from raymaml.runs import RunDir
    from raymaml.specs import Score

Seeds = Annotated[
    list[str] | None,
    typer.Option(help="Seeds, as 5 6 7 or 5,6,7 or with the option repeated. Default: 5 6 7.", show_default=False),
]


def train(
    seeds: Seeds = None,
    data: Annotated[str, typer.Option(help="Data set; glyphs is embedded.")] = "glyphs",
    method: Annotated[
        Literal["maml", "transfer"],
        typer.Option(help="maml; transfer: classify the base classes, then fit a head to each task."),
    ] = "maml",
    backbone: Annotated[Literal["conv4", "conv6", "resnet10", "resnet18"], typer.Option(help="Model.")] = "conv4",
    augment: Annotated[bool, typer.Option(help="Vary the training images: crop, colour jitter, flip.")] = False,
    preset: Annotated[
        Literal["demo", "quick", "thesis"] | None,
        typer.Option(help="Values to start from. Default: quick for glyphs, thesis otherwise.", show_default=False),
    ] = None,
    way: Annotated[int, typer.Option(help="Classes per task.")] = 5,
    shot: Annotated[int, typer.Option(help="Support images per class.")] = 1,
    compat: Annotated[
        Literal["text", "code"] | None,
        typer.Option(
            help="Take the values of the thesis's text or of its code where they disagree.", show_default=False
        ),
    ] = None,
    query: Annotated[int | None, typer.Option(help="Query images per class in training.")] = None,
    updates: Annotated[int | None, typer.Option(help="Outer steps.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Transfer: passes over the base images, in place of updates.")
    ] = None,
    inner_lr: Annotated[float | None, typer.Option(help="Step size of the inner loop.")] = None,
    inner_steps: Annotated[int | None, typer.Option(help="Inner steps in training.")] = None,
    order: Annotated[int | None, typer.Option(help="1: first-order MAML; 2: through the inner loop.")] = None,
    meta_batch: Annotated[int | None, typer.Option(help="Tasks per update.")] = None,
    outer_lr: Annotated[float | None, typer.Option(help="Adam's step size.")] = None,
    outer_reduce: Annotated[
        Literal["sum", "mean"] | None,
        typer.Option(help="How task losses add up: sum (published code) or mean."),
    ] = None,
    validate_every: Annotated[int | None, typer.Option(help="Updates between validations.")] = None,
    val_tasks: Annotated[int | None, typer.Option(help="Validation tasks.")] = None,
    monitor_every: Annotated[
        int | None,
        typer.Option(help="Updates between looks at base and novel tasks, for figures 19 and 20; 0: never."),
    ] = None,
    monitor_tasks: Annotated[int | None, typer.Option(help="Tasks of each at such a look.")] = None,
    test_tasks: Annotated[int | None, typer.Option(help="Novel tasks for the final test.")] = None,
    test_steps: Annotated[
        int | None,
        typer.Option(
            help="Inner steps in the test; for transfer, head updates. Text: 10. Code: 5, or --head-epochs 100."
        ),
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Transfer: images per update.")] = None,
    outputs: Annotated[int | None, typer.Option(help="Transfer: outputs of the head in training.")] = None,
    head_epochs: Annotated[
        int | None, typer.Option(help="Transfer: passes over the support set in place of 10 head updates.")
    ] = None,
    precision: Annotated[Literal["float32", "float64"] | None, typer.Option(help="Of all arithmetic.")] = None,
    threads: options.Threads = None,
    workers_per_seed: Annotated[int, typer.Option(help="Workers sharing each meta-batch; same weights.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run. Default: one in $RAYMAML_HOME or artifacts/runs.")
    ] = None,
    address: options.Address = None,
) -> None:
    """Train MAML or transfer learning over several seeds with Ray Train, then test each on novel classes.

    Values that are not given come from the preset. Run the same command again after an interruption: it
    continues from the last checkpoint to the same weights.
    """
    from raymaml.verbs.train import train as run_training

    given = options.whole_numbers(seeds or ["5", "6", "7"], "--seeds")
    changes: dict[str, Any] = {
        "query": query,
        "updates": updates,
        "epochs": epochs,
        "inner_lr": inner_lr,
        "inner_steps": inner_steps,
        "order": order,
        "meta_batch": meta_batch,
        "outer_lr": outer_lr,
        "outer_reduce": outer_reduce,
        "validate_every": validate_every,
        "val_tasks": val_tasks,
        "monitor_every": monitor_every,
        "monitor_tasks": monitor_tasks,
        "test_tasks": test_tasks,
        "test_steps": test_steps,
        "batch": batch,
        "outputs": outputs,
        "head_epochs": head_epochs,
        "precision": precision,
        "threads": threads,
    }
    with progress.display() as shown:
        run, scores = run_training(
            given,
            data=data,
            method=method,
            backbone=backbone,
            augment=augment,
            preset=preset,
            compat=compat,
            way=way,
            shot=shot,
            out=out,
            address=address,
            workers_per_seed=workers_per_seed,
            on_start=say_start,
            on_progress=progress.training(shown),
            **changes,
        )
    say_scores(run, scores)


def say_start(run: RunDir, finished: list[int]) -> None:
    """Name the run, and the seeds that need nothing more."""
    options.say(f"run {run.path}")
    for seed in finished:
        options.say(f"seed {seed} is finished already: nothing to do")


def say_scores(run: RunDir, scores: dict[int, Score]) -> None:
    """A line per seed on stdout."""
    for seed, score in scores.items():
        loss = "diverged" if score.loss is None else f"{score.loss:.3f}"
        typer.echo(
            f"seed {seed}: novel accuracy {100 * score.accuracy:.2f} ± {100 * score.accuracy_ci95:.2f} % "
            f"(95 % interval, {score.tasks} tasks), loss {loss}, {run.seed(seed).best}"
        )
