"""Data sets by name: `load("glyphs")` gives an ImageSet in memory."""

from __future__ import annotations

import functools

from raymaml.data.imageset import SPLITS, ImageSet
from raymaml.errors import MissingError

__all__ = ["NAMES", "SPLITS", "ImageSet", "load"]

NAMES = ("glyphs",)


@functools.cache
def load(name: str) -> ImageSet:
    """The data set of that name; glyphs are rendered at first use and cached.

    Raises:
        MissingError: there is no data set of that name.
    """
    if name != "glyphs":
        raise MissingError(f"no data set {name!r}; there are: {', '.join(NAMES)}")
    from raymaml.data.glyphs import load_glyphs

    return load_glyphs()
