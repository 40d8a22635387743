"""A backbone as a flow of layers, so that a way to compute a layer is written once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Pool:
    """Max pooling: side, stride and padding of the window."""

    side: int = 2
    stride: int = 2
    padding: int = 0


@dataclass(frozen=True)
class Layer:
    """Convolution, batch normalisation, ReLU and max pooling, but for the weights."""

    stride: int = 1
    padding: int = 1
    pool: Pool | None = None
    relu: bool = True


# Images or a map (batch, channel, height, width), names of the convolution and of the normalisation -> a map.
ComputeLayer = Callable[[Tensor, str, str, Layer], Tensor]
