"""The loss that transfer learning's training descends, on fixed batches of images (thesis figure 9; recipe 5.4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from raymaml import models, streams
from raymaml.data.imageset import ImageSet
from raymaml.errors import SpecError
from raymaml.learners.base import Batch, Trace, Tracer, score_logits
from raymaml.learners.transfer import base_images
from raymaml.params import Params
from raymaml.specs import PretrainingSpec
from raymaml.tasks import KEPT_BYTES, TaskSampler


@dataclass(frozen=True)
class Pretraining:
    """Cross-entropy over all base classes, under the head of the training: nothing adapts.

    Batch k holds the images k * batch to (k + 1) * batch of one order of the base images, drawn for (data set, seed);
    they are not augmented. Labels are those of the training.
    """

    spec: PretrainingSpec
    kept: dict[int, Batch] = field(default_factory=dict, init=False, compare=False, repr=False)

    def tracer(self, model: nn.Module, sampler: TaskSampler, steps: Sequence[int], queries: Sequence[int]) -> Tracer:
        """Loss (nats) and accuracy (0..1) of the batches of the sampler's data set and seed, by number.

        The support loss is the loss. `steps` and `queries` are one each, see `specs.NO_TASKS`.
        """

        def trace_batch(params: Params, number: int) -> Trace:
            x, y = self.batch(sampler, number)
            loss, accuracy = score_logits(self._logits(model, params, x), y)
            return Trace([[loss]], [[accuracy]], [loss])

        return lambda starts, numbers: list(map(trace_batch, starts, numbers))

    @torch.no_grad()
    def _logits(self, model: nn.Module, params: Mapping[str, Tensor], x: Tensor) -> Tensor:
        if self.spec.norm == "running":
            return models.apply(model, params, x)
        trained = set(models.trained_names(model))
        # A training pass moves running statistics in place, and it uses none: it gets copies.
        own = {name: value if name in trained else value.clone() for name, value in params.items()}
        return models.apply(model, own, x, training=True)

    def batch(self, sampler: TaskSampler, number: int) -> Batch:
        """Normalised images (batch, channel, height, width) and labels of batch `number`; kept up to KEPT_BYTES."""
        if number in self.kept:
            return self.kept[number]
        rows, labels = base_images(sampler.images)
        order = streams.permutation(len(rows), "training loss", sampler.images.name, sampler.seed)
        chosen = order[number * self.spec.batch : (number + 1) * self.spec.batch]
        x = sampler.pixels.normalised(rows[chosen])
        made = x, torch.from_numpy(labels[chosen]).to(x.device)
        if x.nbytes * (len(self.kept) + 1) <= KEPT_BYTES:
            self.kept[number] = made
        return made


def check_supply(images: ImageSet, count: int) -> None:
    """Refuse more images than the base split has.

    Raises:
        SpecError: there are fewer.
    """
    there = len(base_images(images)[0])
    if count > there:
        raise SpecError(f"the base split of {images.name} has {there} images, fewer than {count}; lower --images")
