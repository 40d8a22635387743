"""From a picture of any size to the pixels of a prepared image."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def resized_and_cropped(picture: Image.Image, size: int, mode: str = "RGB") -> Pixels:
    """Resize to int(1.15 size) squared whatever the shape, then crop the centre: (channel, size, size).

    The transform without augmentation of Chen et al. (2019, data/datamgr.py).
    """
    side = int(1.15 * size)
    start = round((side - size) / 2)
    fitted = picture.convert(mode).resize((side, side), Image.Resampling.BILINEAR)
    return channels_first(fitted.crop((start, start, start + size, start + size)))


def unless_that_size(picture: Image.Image, size: int) -> Pixels:
    """A picture of size x size as it is, any other as `resized_and_cropped` has it: (3, size, size).

    For sets that are published at the size they are used at, such as miniImageNet in pickles of 84 pixels.
    """
    if picture.size == (size, size):
        return channels_first(picture.convert("RGB"))
    return resized_and_cropped(picture, size)


def channels_first(picture: Image.Image) -> Pixels:
    """The pixels of a picture in RGB or L: (channel, height, width)."""
    pixels = np.asarray(picture, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))
