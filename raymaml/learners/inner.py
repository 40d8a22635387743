"""The inner loop for a stack of tasks, by any back end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from raymaml.backends.base import Backend, accuracies, losses
from raymaml.learners.base import Trace, first_of_each
from raymaml.params import Params


class Images(NamedTuple):
    """The images of a stack of tasks, class by class."""

    support: Tensor  # (task, way * shot, channel, height, width)
    query: Tensor  # (task, way * query, channel, height, width)


class Scores(NamedTuple):
    """What several task evaluations show on their way."""

    loss: Tensor  # (task, step, query) nats, of the first so many query images of each class
    accuracy: Tensor  # (task, step, query) 0..1, float64
    support_loss: Tensor  # (task, step) nats

    def traces(self) -> list[Trace]:
        """One for each task."""
        return [Trace(*rows) for rows in zip(*(values.tolist() for values in self), strict=True)]


def follow(
    backend: Backend, model: nn.Module, weights: Params, support: Tensor, way: int, lr: float, steps: Sequence[int]
) -> Iterator[Params]:
    """The stacked weights after each of the ascending numbers of full-batch gradient steps on the support sets.

    No graph outlives a step, so memory does not grow with `steps`.
    """
    y, at = labels(support, way), 0
    for count in steps:
        weights = backend.descended(model, weights, support, y, lr, count - at)
        at = count
        yield weights


def adapt_and_score(
    backend: Backend,
    model: nn.Module,
    way: int,
    lr: float,
    steps: Sequence[int],
    queries: Sequence[int],
    weights: Params,
    images: Images,
) -> Scores:
    """Adapt a stack of weights to their tasks and score both sets after each of the numbers of steps.

    Each number of query images is a batch of its own, since batch norm sees the whole batch: the values are those
    of a task with so many query images.
    """
    parts = [first_of_each(images.query, way, count) for count in queries]
    found = []
    for state in follow(backend, model, weights, images.support, way, lr, steps):
        scored = [score_stack(backend, model, state, part, way) for part in (*parts, images.support)]
        loss, accuracy = (torch.stack([score[i] for score in scored], 1) for i in (0, 1))
        found.append(Scores(loss[:, :-1], accuracy[:, :-1], loss[:, -1]))
    return Scores(*(torch.stack(values, 1) for values in zip(*found, strict=True)))


def score_stack(backend: Backend, model: nn.Module, weights: Params, x: Tensor, way: int) -> tuple[Tensor, Tensor]:
    """Loss (task,) in nats and accuracy (task,) of images (task, way * each, ...) under a stack of weights."""
    logits, y = backend.logits(model, weights, x), labels(x, way)
    return losses(logits, y), accuracies(logits, y)


def labels(x: Tensor, way: int) -> Tensor:
    """Labels of images (task, way * each, ...) that lie class by class."""
    return torch.arange(way, device=x.device).repeat_interleave(x.shape[1] // way)
