"""Batch normalisation as the thesis's MAML uses it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPS = 1e-5


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
