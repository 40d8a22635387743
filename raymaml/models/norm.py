"""Batch normalisation as the thesis's MAML and as its transfer learning use it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPS = 1e-5
MOMENTUM = 0.1  # of running statistics: the weight of the newest batch


class BatchStatNorm2d(nn.Module):
    """Normalises with the statistics of the batch at hand, in training and in test alike.

    There are no running statistics, so prediction is transductive: the query images of a task are
    normalised together (recipe 1.5). Weight and bias are parameters that the inner loop adapts.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (batch, channel, height, width) per channel over batch, height and width."""
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=EPS)


class RunningStatNorm2d(nn.Module):
    """Normalises with the batch's statistics in training and with their running averages afterwards.

    What torch calls BatchNorm2d, for transfer learning (recipe 1.5). The averages are buffers, part of the weights
    that `models.apply` is given; a training pass updates those tensors in place.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.running_mean: Tensor
        self.running_var: Tensor
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (batch, channel, height, width) per channel."""
        statistics = self.running_mean, self.running_var
        return F.batch_norm(x, *statistics, self.weight, self.bias, self.training, MOMENTUM, EPS)


NORMS: dict[str, type[nn.Module]] = {"batch": BatchStatNorm2d, "running": RunningStatNorm2d}
