"""What surfaces show, in words, for the titles and headings of figures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from raymaml.errors import SpecError
from raymaml.figures.panels import name_of
from raymaml.specs import MamlSpec, PretrainingSpec, SurfaceSpec, TransferSpec

PARTS = {"all": "weights", "head": "weights of the head", "feature": "weights of the feature layers"}
STATISTICS = {"batch": "each batch's statistics", "running": "running statistics"}  # of batch norm
AROUND = {"initial": "perturbed before adapting", "adapted": "perturbed after adapting, at the adapted weights"}


def title_of(
    specs: Sequence[SurfaceSpec],
    *,
    steps: Iterable[int] | None = None,
    queries: Iterable[int] | None = None,
    tasks: int | None = None,
) -> str:
    """What surfaces show: data, models, seeds, splits, tasks, steps, and what was perturbed; what differs is listed.

    Args:
        specs: of the surfaces.
        steps: that are shown; by default all that were recorded.
        queries: query images per class that are shown; by default all that were scored. None of them for an empty one.
        tasks: the first so many are shown, or batches of images; by default all.

    Raises:
        SpecError: some surfaces are of the pre-training loss and some are not.
    """
    pretraining = [spec.learner for spec in specs if isinstance(spec.learner, PretrainingSpec)]
    if pretraining and len(pretraining) < len(specs):
        raise SpecError("a surface of the pre-training loss and one of a loss after adapting need figures of their own")
    if pretraining:
        return _pretraining_title(specs, pretraining, tasks)
    shown_steps = sorted({step for spec in specs for step in spec.steps} if steps is None else set(steps))
    shown_queries = sorted({query for spec in specs for query in spec.queries} if queries is None else set(queries))
    shapes = _each(f"{spec.task.way}-way {spec.task.shot}-shot" for spec in specs)
    counted = f", {_counts(shown_queries)} {plural('query', shown_queries[-1])} per class" if shown_queries else ""
    return (
        f"{_trained(specs)}, after {_counts(shown_steps)} {_each(map(_adapted, specs))}\n"
        f"{_each(spec.split for spec in specs)} split: {_each(_tasks(spec, tasks) for spec in specs)} "
        f"({shapes}{counted})\n"
        f"{_each(AROUND[spec.around] for spec in specs)}: {_perturbed(specs)}"
    )


def _pretraining_title(specs: Sequence[SurfaceSpec], learners: Sequence[PretrainingSpec], shown: int | None) -> str:
    images = [f"{(shown or spec.tasks) * of.batch:,}" for spec, of in zip(specs, learners, strict=True)]
    batches, norms = _each(of.batch for of in learners), _each(STATISTICS[of.norm] for of in learners)
    return (
        f"{_trained(specs)}\n"
        f"pre-training loss over all base classes (head of {_each(spec.model.outputs for spec in specs)} outputs), "
        f"no inner steps\nmean over {_each(images)} images of seed {_each(spec.task_seed for spec in specs)} "
        f"in batches of {batches}, batch norm with {norms}\n"
        f"perturbed: {_perturbed(specs)}"
    )


def _trained(specs: Sequence[SurfaceSpec]) -> str:
    return (
        f"{_each(map(_method, specs))} {_each(name_of(spec.model.backbone) for spec in specs)} "
        f"on {_each(spec.data for spec in specs)}, seed {_each(spec.seed for spec in specs)}, "
        f"{_each(spec.checkpoint for spec in specs)} checkpoint"
    )


def _perturbed(specs: Sequence[SurfaceSpec]) -> str:
    return (
        f"{_each(PARTS[spec.part] for spec in specs)} (not biases, batch norm), "
        f"{_each(map(_directions, specs))} directions, seed {_each(spec.direction_seed for spec in specs)}"
    )


def labels_of(specs: Sequence[SurfaceSpec], given: Sequence[str] | None) -> list[str]:
    """A heading for each surface: the given ones, or the shortest of our own that tell them apart.

    Raises:
        SpecError: not one label is given for each.
    """
    if given:
        if len(given) != len(specs):
            raise SpecError(f"--labels needs one label for each of {len(specs)}, got {len(given)}: {', '.join(given)}")
        return list(given)
    names = [name_of(spec.model.backbone) for spec in specs]
    for more in (
        lambda spec: f"{spec.split} split",
        lambda spec: spec.data,
        lambda spec: f"seed {spec.seed}",
        lambda spec: f"{spec.checkpoint} checkpoint",
        _method,
        _batches,
        lambda spec: f"run {spec.run[:8]}",
    ):
        if len(set(names)) == len(names):
            break
        words = [more(spec) for spec in specs]
        names = [f"{name}, {word}" if len(set(words)) > 1 else name for name, word in zip(names, words, strict=True)]
    return names


def plural(word: str, count: int) -> str:
    """A word as it stands after a count."""
    return word if count == 1 else {"query": "queries"}.get(word, f"{word}s")


def _each(words: Iterable[str | int]) -> str:
    return ", ".join(dict.fromkeys(map(str, words)))


def _counts(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))


def _tasks(spec: SurfaceSpec, shown: int | None) -> str:
    count = shown or spec.tasks
    if spec.fresh_tasks:
        return f"mean over {count} fresh tasks per point of seed {spec.task_seed}"
    if count == 1:
        return f"task {spec.first_task} of seed {spec.task_seed}"
    first = f" from number {spec.first_task}" if spec.first_task else ""
    return f"mean over {count} tasks{first} of seed {spec.task_seed}"


def _method(spec: SurfaceSpec) -> str:
    if isinstance(spec.learner, MamlSpec):
        return "MAML" if spec.learner.order == 1 else "second-order MAML"
    return "transfer learning"


def _adapted(spec: SurfaceSpec) -> str:
    if isinstance(spec.learner, TransferSpec):
        return f"updates of a new head (lr {spec.learner.head_lr:g})"
    assert isinstance(spec.learner, MamlSpec)  # nothing adapts for the pre-training loss: it has a title of its own
    return f"inner steps (lr {spec.learner.inner_lr:g})"


def _batches(spec: SurfaceSpec) -> str:
    """What the surfaces of the pre-training loss of one run may differ in; nothing of other surfaces."""
    if not isinstance(spec.learner, PretrainingSpec):
        return ""
    return f"{spec.tasks} batches of {spec.learner.batch}, {spec.learner.norm} statistics"


def _directions(spec: SurfaceSpec) -> str:
    return "orthogonal filter-normalised" if spec.orthogonal else "filter-normalised"
