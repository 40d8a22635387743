"""Conv4 and Conv6 (Vinyals et al. 2016, Chen et al. 2019): 3x3 convolutions of 64 filters."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from raymaml.models.layers import ComputeLayer, Layer, Pool
from raymaml.models.memory import for_device

WIDTH = 64
POOLED_BLOCKS = 4  # Conv6 leaves its last two blocks un-pooled


class ConvBlock(nn.Module):
    """3x3 convolution with bias, batch normalisation, ReLU and, in the first four blocks, 2x2 max-pooling."""

    def __init__(self, channels: int, norm: type[nn.Module], *, pool: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, WIDTH, 3, padding=1)
        self.norm = norm(WIDTH)
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channel, height, width) to (batch, 64, height', width')."""
        x = F.relu(self.norm(self.conv(for_device(x))))
        return F.max_pool2d(x, 2) if self.pool else x


class ConvNet(nn.Module):
    """A stack of `depth` blocks and a linear head on the flattened map (no global pooling)."""

    sequential = True  # the flow is a chain of layers

    def __init__(self, depth: int, channels: int, image_size: int, outputs: int, norm: type[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(
            *(ConvBlock(channels if i == 0 else WIDTH, norm, pool=i < POOLED_BLOCKS) for i in range(depth))
        )
        side = image_size // 2**POOLED_BLOCKS
        self.head = nn.Linear(WIDTH * side * side, outputs)

    def forward(self, x: Tensor, *, features: bool = False) -> Tensor:
        """Logits (batch, outputs) of images (batch, channel, height, width), or what the head is given."""
        found: Tensor = self.blocks(x).flatten(1)
        return found if features else self.head(found)

    def flow(self, x: Tensor, layer: ComputeLayer) -> Tensor:
        """What `forward` flattens: a map (batch, 64, height, width), by any way to compute a layer."""
        for i in range(len(self.blocks)):
            pool = Pool() if i < POOLED_BLOCKS else None
            x = layer(x, f"blocks.{i}.conv", f"blocks.{i}.norm", Layer(pool=pool))
        return x
