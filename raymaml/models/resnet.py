"""ResNet10 and ResNet18 for 224-pixel images (He et al. 2016, as in Chen et al. 2019)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from raymaml.models.layers import ComputeLayer, Layer, Pool
from raymaml.models.memory import for_device

WIDTHS = (64, 128, 256, 512)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, which is a 1x1 convolution where the width changes."""

    def __init__(self, channels: int, width: int, stride: int, norm: type[nn.Module]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.norm1 = norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = norm(width)
        self.shortcut = nn.Identity() if channels == width else _projection(channels, width, stride, norm)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channel, h, w) to (batch, width, h / stride, w / stride)."""
        y = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x))

    def flow(self, x: Tensor, layer: ComputeLayer, name: str) -> Tensor:
        """As `forward`, by any way to compute a layer; `name` is the block's own."""
        stride = self.conv1.stride[0]
        y = layer(x, f"{name}.conv1", f"{name}.norm1", Layer(stride))
        y = layer(y, f"{name}.conv2", f"{name}.norm2", Layer(relu=False))
        if not isinstance(self.shortcut, nn.Identity):
            x = layer(x, f"{name}.shortcut.0", f"{name}.shortcut.1", Layer(stride, padding=0, relu=False))
        return F.relu(y + x)


def _projection(channels: int, width: int, stride: int, norm: type[nn.Module]) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, width, 1, stride=stride, bias=False), norm(width))


class ResNet(nn.Module):
    """Stem, four stages of `blocks_per_stage` basic blocks, 7x7 average pooling and a linear head."""

    def __init__(self, blocks_per_stage: int, channels: int, outputs: int, norm: type[nn.Module]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.norm = norm(WIDTHS[0])
        self.stages = nn.Sequential(*_blocks(blocks_per_stage, norm))
        self.head = nn.Linear(WIDTHS[-1], outputs)

    def forward(self, x: Tensor, *, features: bool = False) -> Tensor:
        """Logits (batch, outputs) of images (batch, channel, 224, 224), or what the head is given."""
        x = F.max_pool2d(F.relu(self.norm(self.stem(for_device(x)))), 3, stride=2, padding=1)
        found: Tensor = F.avg_pool2d(self.stages(x), 7).flatten(1)
        return found if features else self.head(found)

    def flow(self, x: Tensor, layer: ComputeLayer) -> Tensor:
        """What `forward` flattens: a map (batch, 512, 1, 1), by any way to compute a layer."""
        x = layer(x, "stem", "norm", Layer(stride=2, padding=3, pool=Pool(3, 2, 1)))
        for i, block in enumerate(self.stages):
            assert isinstance(block, BasicBlock)
            x = block.flow(x, layer, f"stages.{i}")
        return F.avg_pool2d(x, 7)


def _blocks(per_stage: int, norm: type[nn.Module]) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    channels = WIDTHS[0]
    for stage, width in enumerate(WIDTHS):
        for i in range(per_stage):
            blocks.append(BasicBlock(channels, width, stride=2 if stage > 0 and i == 0 else 1, norm=norm))
            channels = width
    return blocks
