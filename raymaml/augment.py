"""Augmentation of training images: crop, three jitters in a fixed order, flip (recipe 4.4)."""

from __future__ import annotations

import hashlib
import threading

import torch
from torch import Tensor
from torchvision.transforms import v2

from raymaml.streams import Key

_LOCK = threading.Lock()  # the generator is one for all threads
JITTER = 0.4  # factors of brightness, contrast and saturation are uniform in 1 +- 0.4 (Chen et al. 2019)


class Augmentation:
    """Random crop to `size` pixels, brightness, contrast, saturation, flip: a pure function of image and key.

    torchvision draws from torch's global generator; it is seeded by the key for each image and put back, so that
    the result depends neither on the worker nor on what was drawn before.
    """

    def __init__(self, size: int) -> None:
        # One ColorJitter for each: a single one would shuffle the order, which the thesis's code keeps.
        self.transform = v2.Compose(
            [
                v2.RandomResizedCrop(size, scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3)),
                v2.ColorJitter(brightness=JITTER),
                v2.ColorJitter(contrast=JITTER),
                v2.ColorJitter(saturation=JITTER),
                v2.RandomHorizontalFlip(),
            ]
        )

    def __call__(self, image: Tensor, *key: Key) -> Tensor:
        """A variant of a uint8 image (channel, height, width): uint8 (channel, size, size)."""
        with _LOCK, torch.random.fork_rng(devices=[]):
            torch.manual_seed(int.from_bytes(hashlib.blake2b(repr(key).encode(), digest_size=7).digest(), "little"))
            found: Tensor = self.transform(image)
        return found
