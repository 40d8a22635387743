"""The thesis's way to evaluate and to train, written afresh from what the recipe says of it (2.1, 2.2, 5.1, 5.2).

One process with all cores as torch threads; one grid point, one task, one inner step after the other; activations in
NCHW; inner gradients with `create_graph=True`, then detached; the buffers of batch norm made anew at each call. Nothing
is slower than its description. Left out, in its favour: the published code decodes its images again at each point,
while here they are normalised tensors in memory, and it builds its loaders and reads its directions again as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from raymaml.params import Params, add_scaled
from raymaml.specs import MamlSpec, ModelSpec
from raymaml.tasks import Task

Weights = Mapping[str, Tensor]
CONV_DEPTH = {"conv4": 4, "conv6": 6}
POOLED = 4  # blocks of Conv4 and Conv6
RESNET_BLOCKS = {"resnet10": 1, "resnet18": 2}  # per stage, of four


def query_losses(
    model: ModelSpec,
    learner: MamlSpec,
    centre: Params,
    directions: tuple[Params, Params],
    points: Sequence[tuple[float, float]],
    tasks: Sequence[Task],
    steps: int,
) -> list[list[float]]:
    """Query loss (nats) of each task at each point (alpha, beta), adapted `steps` times: rows are points."""
    rows = []
    for alpha, beta in points:
        weights = _leaves(add_scaled(centre, (alpha, directions[0]), (beta, directions[1])))
        rows.append([_query_loss(model, weights, task, learner.inner_lr, steps).item() for task in tasks])
    return rows


class PublishedTraining:
    """First-order MAML: the query losses of an update's tasks are summed, then one backward pass and Adam."""

    def __init__(self, model: ModelSpec, learner: MamlSpec, weights: Params, outer_lr: float) -> None:
        self.model, self.learner = model, learner
        self.weights = _leaves(weights)
        self.optimiser = torch.optim.Adam(list(self.weights.values()), lr=outer_lr)

    def update(self, tasks: Sequence[Task]) -> float:
        """One outer step; gives the sum of the query losses (nats) that it descended."""
        inner = self.learner.inner_lr, self.learner.inner_steps
        losses = [_query_loss(self.model, self.weights, task, *inner) for task in tasks]
        total = torch.stack(losses).sum()
        self.optimiser.zero_grad()
        total.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return total.item()


def _query_loss(model: ModelSpec, weights: Weights, task: Task, lr: float, steps: int) -> Tensor:
    fast = dict(weights)
    for _ in range(steps):
        loss = F.cross_entropy(_logits(model, fast, task.support_x), task.support_y)
        grads = torch.autograd.grad(loss, list(fast.values()), create_graph=True)
        fast = {name: value - lr * grad.detach() for (name, value), grad in zip(fast.items(), grads, strict=True)}
    return F.cross_entropy(_logits(model, fast, task.query_x), task.query_y)


def _leaves(weights: Weights) -> Params:
    return {name: value.detach().clone().requires_grad_() for name, value in weights.items()}


def _logits(model: ModelSpec, weights: Weights, x: Tensor) -> Tensor:
    body = _conv_net if model.backbone in CONV_DEPTH else _resnet
    return F.linear(body(model, weights, x).flatten(1), weights["head.weight"], weights["head.bias"])


def _norm(weights: Weights, name: str, x: Tensor) -> Tensor:
    mean, variance = torch.zeros(x.shape[1], dtype=x.dtype), torch.ones(x.shape[1], dtype=x.dtype)
    affine = weights[f"{name}.weight"], weights[f"{name}.bias"]
    return F.batch_norm(x, mean, variance, *affine, training=True, momentum=1)


def _conv_net(model: ModelSpec, weights: Weights, x: Tensor) -> Tensor:
    for i in range(CONV_DEPTH[model.backbone]):
        name = f"blocks.{i}"
        x = F.conv2d(x, weights[f"{name}.conv.weight"], weights[f"{name}.conv.bias"], padding=1)
        x = F.relu(_norm(weights, f"{name}.norm", x))
        x = F.max_pool2d(x, 2) if i < POOLED else x
    return x


def _resnet(model: ModelSpec, weights: Weights, x: Tensor) -> Tensor:
    x = F.relu(_norm(weights, "norm", F.conv2d(x, weights["stem.weight"], stride=2, padding=3)))
    x = F.max_pool2d(x, 3, stride=2, padding=1)
    per_stage = RESNET_BLOCKS[model.backbone]
    for i in range(4 * per_stage):
        x = _basic_block(weights, f"stages.{i}", x, stride=2 if i >= per_stage and i % per_stage == 0 else 1)
    return F.avg_pool2d(x, 7)


def _basic_block(weights: Weights, name: str, x: Tensor, stride: int) -> Tensor:
    y = F.conv2d(x, weights[f"{name}.conv1.weight"], stride=stride, padding=1)
    y = F.conv2d(F.relu(_norm(weights, f"{name}.norm1", y)), weights[f"{name}.conv2.weight"], padding=1)
    if f"{name}.shortcut.0.weight" in weights:
        x = _norm(weights, f"{name}.shortcut.1", F.conv2d(x, weights[f"{name}.shortcut.0.weight"], stride=stride))
    return F.relu(_norm(weights, f"{name}.norm2", y) + x)
