"""How activations lie in memory."""

from __future__ import annotations

import torch
from torch import Tensor


def channels_last(x: Tensor) -> Tensor:
    """The same values (batch, channel, height, width) with channels innermost in memory, also where there is one.

    With one channel both formats lie alike in memory; torch then goes by the strides, and takes NCHW unless told.
    """
    x = x.contiguous(memory_format=torch.channels_last)
    _, c, h, w = x.shape
    return x.as_strided(x.shape, (h * w * c, 1, w * c, c)) if c == 1 else x


def for_device(x: Tensor) -> Tensor:
    """As the device likes it: on the CPU max pooling in NCHW is scalar code, 1.6 times slower over an evaluation."""
    return channels_last(x) if x.device.type == "cpu" else x
