"""Contact sheets of a data set: one image per class of a split, and one task."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from raymaml import data as data_sets
from raymaml import runs
from raymaml.data.imageset import ImageSet
from raymaml.figures import sheets
from raymaml.figures.saving import save
from raymaml.specs import Split, TaskSpec
from raymaml.tasks import TaskSampler


def show(
    data: str = "glyphs",
    *,
    split: Split = "novel",
    seed: int = 0,
    index: int = 0,
    task: TaskSpec | None = None,
    out: Path | None = None,
) -> list[Path]:
    """Draw the classes of a split, and task `index` of (split, seed).

    Args:
        data: name of the data set.
        split: base, val or novel.
        seed: of the task.
        index: of the task.
        task: its shape; 5-way 1-shot with 15 queries by default.
        out: folder of the pictures; by default `sheets` in `runs.home()`.

    Returns:
        The two PNG files.

    Raises:
        RaymamlError: the data set or the split is unknown or too small for such a task.
    """
    images = data_sets.load(data)
    folder = out or runs.home() / "sheets"
    sampler = TaskSampler(images, split, task or TaskSpec(), seed=seed)
    return [
        *_draw_split(images, split, folder / f"{data}-{split}"),
        *_draw_task(sampler, index, folder / f"{data}-{split}-task{index}"),
    ]


def _draw_split(images: ImageSet, split: Split, stem: Path) -> list[Path]:
    classes = images.splits[split]
    first = np.array([images.rows_of_class[c][0] for c in classes])
    title = f"{images.name}: {split} split, {len(classes)} classes, first image of each"
    return save(sheets.split_sheet(images.images[first], title=title), stem, ["png"])


def _draw_task(sampler: TaskSampler, index: int, stem: Path) -> list[Path]:
    images, spec, where = sampler.images, sampler.spec, sampler.indices(index)
    title = (
        f"{images.name}: task {index} of the {sampler.split} split, seed {sampler.seed} "
        f"({spec.way}-way {spec.shot}-shot, {spec.query} queries per class)"
    )
    names = [images.class_names[int(c)] for c in where.classes]
    support, query = images.images[where.support], images.images[where.query]
    return save(sheets.task_sheet(support, query, title=title, class_names=names), stem, ["png"])
