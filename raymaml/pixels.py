"""Images of a set as normalised floating-point tensors, augmented for training where asked."""

from __future__ import annotations

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
        pixels = self._augmented(flat, key) if self.augment else torch.from_numpy(self.images.images[flat])
        values = pixels.to(device=self.device, dtype=self.dtype)
        mean, std = (
            torch.tensor(v, dtype=self.dtype, device=self.device).view(1, -1, 1, 1)
            for v in (self.images.mean, self.images.std)
        )
        return (values / 255 - mean) / std

    def _augmented(self, rows: npt.NDArray[np.int64], key: tuple[Key, ...]) -> Tensor:
        return torch.stack(
            [
                self.augmentation(torch.from_numpy(self.images.original(int(row))), self.images.name, *key, int(row))
                for row in rows
            ]
        )
