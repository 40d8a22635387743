"""Data sets by name: `load("glyphs")` gives an ImageSet in memory, other names one that was prepared."""

from __future__ import annotations

import functools

from raymaml.data.imageset import SPLITS, ImageSet
from raymaml.errors import MissingError, SpecError

__all__ = ["NAMES", "SPLITS", "ImageSet", "load"]

NAMES = ("glyphs", "omniglot")


def load(name: str) -> ImageSet:
    """The data set of that name; glyphs are rendered at first use and cached, others must be prepared.

    Raises:
        MissingError: there is no data set of that name, or it is not prepared on this machine.
        DataError: its prepared files are damaged.
    """
    if name == "glyphs":
        return _glyphs()
    from raymaml.data import prepared

    try:
        known = name in NAMES or prepared.read_record(name) is not None
    except SpecError:  # no name of a file, hence of no set
        known = False
    if not known:
        raise MissingError(
            f"no data set {name!r}; there are: {', '.join(NAMES)}; "
            "for your own pictures run `raymaml data prepare folder --root DIR --name NAME` first"
        )
    return prepared.load(name)


@functools.cache
def _glyphs() -> ImageSet:
    from raymaml.data.glyphs import load_glyphs

    return load_glyphs()
