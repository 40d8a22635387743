"""Images of a set as normalised floating-point tensors, augmented for training where asked."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raymaml.data.imageset import ImageSet
from raymaml.streams import Key

if TYPE_CHECKING:
    from raymaml.augment import Augmentation

SHARE = 0.25  # of a GPU's free memory: miniImageNet at 84 px takes 1.3 GB, CUB at 224 px 1.8 GB


@dataclass(frozen=True)
class PixelSource:
    """Gathers rows of an image set in one precision and place."""

    images: ImageSet
    dtype: torch.dtype = torch.float32
    device: torch.device | str = "cpu"
    augment: bool = False

    @cached_property
    def augmentation(self) -> Augmentation:
        """Crops from the original pictures to the size of the prepared ones."""
        from raymaml.augment import Augmentation  # torchvision takes a second to load

        return Augmentation(self.images.images.shape[-1])

    def normalised(self, rows: npt.NDArray[np.int64], *key: Key) -> Tensor:
        """Images `rows` as (image, channel, height, width): (pixel / 255 - mean) / std.

        Args:
            rows: of the image set, any shape; flattened.
            key: of the augmentation, with which each image of the set has one variant.
        """
        flat = rows.ravel()
        pixels = self._augmented(flat, key) if self.augment else self._gathered(flat)
        values = pixels.to(device=self.device, dtype=self.dtype)
        mean, std = (
            torch.tensor(v, dtype=self.dtype, device=self.device).view(1, -1, 1, 1)
            for v in (self.images.mean, self.images.std)
        )
        return (values / 255 - mean) / std

    def _gathered(self, rows: npt.NDArray[np.int64]) -> Tensor:
        if self.resident is None:
            return torch.from_numpy(self.images.images[rows])
        return self.resident[torch.from_numpy(rows).to(self.resident.device)]

    @cached_property
    def resident(self) -> Tensor | None:
        """All images as uint8 on the GPU that computes, where it has room: a task is then gathered there."""
        if not self._has_room():
            return None
        return torch.from_numpy(self.images.images[np.arange(len(self.images.images))]).to(self.device)

    def _has_room(self) -> bool:
        device = torch.device(self.device)
        if device.type != "cuda":
            return False
        free, _ = torch.cuda.mem_get_info(device)
        return math.prod(self.images.images.shape) < SHARE * free

    def _augmented(self, rows: npt.NDArray[np.int64], key: tuple[Key, ...]) -> Tensor:
        return torch.stack(
            [
                self.augmentation(torch.from_numpy(self.images.original(int(row))), self.images.name, *key, int(row))
                for row in rows
            ]
        )
