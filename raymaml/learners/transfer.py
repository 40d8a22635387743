"""Transfer learning: classify the base classes, then fit a linear head to each task (thesis section 2.3.1)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from raymaml import models, streams
from raymaml.backends import PLAIN, Backend, Execution
from raymaml.backends.base import HEAD_BIAS, HEAD_WEIGHT
from raymaml.data.imageset import ImageSet
from raymaml.learners.base import Batch, Gradient, Scorer, Trace, Tracer, accuracy_of, score_logits, trace
from raymaml.params import Params
from raymaml.pixels import PixelSource
from raymaml.specs import TransferSpec
from raymaml.streams import Key
from raymaml.tasks import Task, TaskSampler

FEATURE_BATCH = 64  # images; fixed, so that features do not depend on which tasks are asked for


@dataclass(frozen=True)
class Transfer:
    """A frozen backbone under a linear head that SGD fits to the support set (recipe 3.2)."""

    spec: TransferSpec
    execution: Execution = PLAIN

    def adapt(self, model: nn.Module, params: Mapping[str, Tensor], task: Task, steps: int) -> Params:
        """The weights with the head of the task, (way, feature), after `steps` head updates."""
        return next(self.trajectory(model, params, task, [steps]))

    def trajectory(
        self, model: nn.Module, params: Mapping[str, Tensor], task: Task, steps: Sequence[int]
    ) -> Iterator[Params]:
        """The weights with the head of the task, (way, feature), after each of the ascending numbers of updates."""
        support = self.execution.backend.features(model, params, task.support_x)
        for weight, bias in self.heads(support, task.support_y, steps, *task.key):
            yield {**{k: v.detach() for k, v in params.items()}, HEAD_WEIGHT: weight, HEAD_BIAS: bias}

    def evaluate(self, model: nn.Module, params: Mapping[str, Tensor], task: Task, steps: int) -> tuple[float, float]:
        """Mean cross-entropy (nats) and accuracy (0..1) of the query set after `steps` head updates."""
        extract = partial(self.execution.backend.features, model, params)
        support, query = (extract(x) for x in (task.support_x, task.query_x))
        return self._score(support, task.support_y, query, task.query_y, steps, *task.key)

    def scorer(self, model: nn.Module, params: Mapping[str, Tensor], sampler: TaskSampler, steps: int) -> Scorer:
        """Evaluates tasks on features that are extracted once, class by class."""
        bank = self._bank(model, params, sampler)

        def score_task(number: int) -> tuple[float, float]:
            support, query = bank.task(sampler, number)
            return self._score(*support, *query, steps, *sampler.key(number))

        return lambda numbers: [score_task(number) for number in numbers]

    def tracer(self, model: nn.Module, sampler: TaskSampler, steps: Sequence[int], queries: Sequence[int]) -> Tracer:
        """Follows tasks on features that are extracted once for weights, each along one fit of a head."""
        banks: list[FeatureBank] = []  # of the last weights

        def trace_task(start: Params, number: int) -> Trace:
            if not banks or banks[0].params is not start:
                banks[:] = [self._bank(model, start, sampler)]
            support, query = banks[0].task(sampler, number)
            heads = self.heads(*support, steps, *sampler.key(number))
            fitted = (partial(F.linear, weight=weight, bias=bias) for weight, bias in heads)
            return trace(fitted, support, query, sampler.spec.way, queries)

        return lambda starts, numbers: list(map(trace_task, starts, numbers))

    def _bank(self, model: nn.Module, params: Mapping[str, Tensor], sampler: TaskSampler) -> FeatureBank:
        return FeatureBank(self.execution.backend, model, params, sampler.images, sampler.pixels)

    def _score(
        self, support: Tensor, y: Tensor, query: Tensor, query_y: Tensor, steps: int, *key: Key
    ) -> tuple[float, float]:
        weight, bias = self.fit_head(support, y, steps, *key)
        return score_logits(F.linear(query, weight, bias), query_y)

    def fit_head(self, x: Tensor, y: Tensor, steps: int, *key: Key) -> tuple[Tensor, Tensor]:
        """Fit a fresh linear head to features x (image, feature) of the classes y: weight and bias."""
        return next(self.heads(x, y, [steps], *key))

    def heads(self, x: Tensor, y: Tensor, steps: Sequence[int], *key: Key) -> Iterator[tuple[Tensor, Tensor]]:
        """As `fit_head`, the head after each of the ascending numbers of updates.

        It starts as torch's linear layers do, uniform within 1 / sqrt(feature). Mini-batches go through the
        support set in a new order each time; both are drawn for `key`, the task.
        """
        weight, bias = _fresh_head(int(y.max()) + 1, x, *key)
        optimiser = torch.optim.SGD(
            [weight, bias],
            lr=self.spec.head_lr,
            momentum=self.spec.head_momentum,
            dampening=self.spec.head_dampening,
            weight_decay=self.spec.head_weight_decay,
        )
        for start, stop in itertools.pairwise([0, *steps]):
            for step in range(start, stop):
                rows = torch.from_numpy(self._batch(len(x), step, *key)).to(x.device)
                logits = F.linear(x[rows], weight, bias)
                weight.grad, bias.grad = torch.autograd.grad(F.cross_entropy(logits, y[rows]), (weight, bias))
                optimiser.step()
            yield weight.detach().clone(), bias.detach().clone()  # the optimiser goes on in place

    def _batch(self, count: int, step: int, *key: Key) -> npt.NDArray[np.int64]:
        epoch, part = divmod(step, math.ceil(count / self.spec.head_batch))
        order = streams.permutation(count, "head batches", *key, epoch)
        return order[part * self.spec.head_batch : (part + 1) * self.spec.head_batch]


def _fresh_head(way: int, x: Tensor, *key: Key) -> tuple[Tensor, Tensor]:
    count = x.shape[1]
    values = (2 * streams.uniforms(way * (count + 1), "head", *key) - 1) / math.sqrt(count)
    drawn = torch.from_numpy(values).to(x)
    return drawn[: way * count].view(way, count).requires_grad_(), drawn[way * count :].clone().requires_grad_()


@dataclass
class FeatureBank:
    """Features of whole classes, extracted when they are first asked for."""

    backend: Backend
    model: nn.Module
    params: Mapping[str, Tensor]
    images: ImageSet
    pixels: PixelSource
    found: dict[int, Tensor] = field(default_factory=dict, init=False)  # class -> (image of the class, feature)

    def task(self, sampler: TaskSampler, number: int) -> tuple[Batch, Batch]:
        """The support and the query set of a task, as features."""
        where = sampler.indices(number)
        support, query = (
            (self.rows(where.classes, rows), sampler.labels(rows.shape[1])) for rows in (where.support, where.query)
        )
        return support, query

    def rows(self, classes: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> Tensor:
        """Features of image rows (class, image), as (class * image, feature)."""
        parts = [self._class(int(c))[self._places(int(c), r)] for c, r in zip(classes, rows, strict=True)]
        return torch.cat(parts)

    def _places(self, class_index: int, rows: npt.NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.searchsorted(self.images.rows_of_class[class_index], rows))

    def _class(self, class_index: int) -> Tensor:
        if class_index not in self.found:
            rows = self.images.rows_of_class[class_index]
            batches = [rows[i : i + FEATURE_BATCH] for i in range(0, len(rows), FEATURE_BATCH)]
            self.found[class_index] = torch.cat(
                [self.backend.features(self.model, self.params, self.pixels.normalised(batch)) for batch in batches]
            )
        return self.found[class_index]


def base_images(images: ImageSet) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows of the base images, class by class, and their labels 0, 1, ... in the order of the base classes."""
    classes = [images.rows_of_class[c] for c in images.splits["base"]]
    return np.concatenate(classes), np.repeat(np.arange(len(classes)), [len(rows) for rows in classes])


@dataclass
class PretrainingObjective:
    """Cross-entropy over all base classes on mini-batches of `spec.batch` images (recipe 3.1).

    Batch k of epoch e is a part of an order drawn for (data set, seed, e), so the update count is all the state.
    The last batch of an epoch may be smaller.
    """

    spec: TransferSpec
    model: nn.Module
    pixels: PixelSource
    images: ImageSet
    seed: int
    pieces: int = field(default=1, init=False)  # a batch is normalised as a whole: workers cannot share it
    mean: bool = field(default=True, init=False)
    order: tuple[int, npt.NDArray[np.int64]] | None = field(default=None, init=False)  # of the current epoch

    def __post_init__(self) -> None:
        """List the base images with their labels."""
        self.rows, self.labels = base_images(self.images)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Normalised images (batch, channel, height, width) and labels of update number `step`."""
        epoch, part = divmod(step, math.ceil(len(self.rows) / self.spec.batch))
        if self.order is None or self.order[0] != epoch:
            key = ("epoch", self.images.name, self.seed, epoch)
            self.order = (epoch, streams.permutation(len(self.rows), *key))
        chosen = self.order[1][part * self.spec.batch : (part + 1) * self.spec.batch]
        x = self.pixels.normalised(self.rows[chosen], "step", self.seed, step)
        return x, torch.from_numpy(self.labels[chosen]).to(x.device)

    def gradients(self, params: Params, step: int, pieces: Sequence[int]) -> list[Gradient]:
        """The gradient of one batch, the only piece; the running statistics among `params` take its own in."""
        x, y = self.batch(step)
        leaves = {name: params[name].detach().requires_grad_() for name in models.trained_names(self.model)}
        logits = models.apply(self.model, {**params, **leaves}, x, training=True)
        loss = F.cross_entropy(logits, y)
        grads = torch.autograd.grad(loss, list(leaves.values()))
        return [Gradient(dict(zip(leaves, grads, strict=True)), loss.item(), accuracy_of(logits.detach(), y))]
