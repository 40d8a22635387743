"""Named training recipes, each a TrainSpec but for the data set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from raymaml.data.imageset import ImageSet
from raymaml.specs import Backbone, LearnerSpec, ModelSpec, TaskSpec, TrainSpec

Preset = Literal["demo", "quick", "thesis"]

# The thesis's numbers (its table 5; recipe 2.1 and 2.2). Where its text and its code disagree, training
# follows the code, which is what was run: 16 training queries (text: 15), summed task losses (text: mean).
THESIS: dict[str, Any] = {
    "learner": LearnerSpec(inner_lr=0.01, inner_steps=5),
    "query": 16,
    "updates": 60_000,
    "validate_every": 25,
    "val_tasks": 100,
    "test_tasks": 1_000,
}
# Same learner, sized for minutes on a laptop.
QUICK: dict[str, Any] = {
    "learner": LearnerSpec(inner_lr=0.1, inner_steps=5),
    "query": 5,
    "updates": 1_000,
    "validate_every": 100,
    "val_tasks": 100,
    "test_tasks": 600,
}
DEMO: dict[str, Any] = {**QUICK, "updates": 150, "validate_every": 50, "val_tasks": 40, "test_tasks": 100}
PRESETS: dict[str, dict[str, Any]] = {"demo": DEMO, "quick": QUICK, "thesis": THESIS}


def default_for(data: str) -> Preset:
    """`quick` for the embedded glyphs, `thesis` for real data sets."""
    return "quick" if data == "glyphs" else "thesis"


def train_spec(
    images: ImageSet,
    preset: Preset,
    *,
    backbone: Backbone = "conv4",
    way: int = 5,
    shot: int = 1,
    **changes: Any,
) -> TrainSpec:
    """The specification of a run.

    Args:
        images: what to train on; its digest becomes part of the specification.
        preset: the values that `changes` starts from.
        backbone: of the model.
        way: classes per task.
        shot: support images per class.
        changes: fields of TrainSpec, or `inner_lr`, `inner_steps`, `order`, `query`; None keeps the preset's.

    Raises:
        SpecError: a value is out of range.
    """
    values = {**PRESETS[preset], **{k: v for k, v in changes.items() if v is not None}}
    learner: LearnerSpec = values.pop("learner")
    inner = {k: values.pop(k) for k in ("inner_lr", "inner_steps", "order") if k in values}
    return TrainSpec(
        data=images.name,
        data_digest=images.digest,
        task=TaskSpec(way, shot, values.pop("query")),
        model=_model_spec(images, backbone, way),
        learner=replace(learner, **inner),
        **values,
    )


def _model_spec(images: ImageSet, backbone: Backbone, way: int) -> ModelSpec:
    channels, height = images.images.shape[1], images.images.shape[2]
    return ModelSpec(backbone, channels, height, way)
