"""Data sets by name: `load("glyphs")` gives an ImageSet in memory, other names one that was prepared."""

from __future__ import annotations

import functools

from raymaml.data.imageset import SPLITS, ImageSet
from raymaml.errors import MissingError, SpecError

__all__ = ["NAMES", "SPLITS", "ImageSet", "load"]

NAMES = ("glyphs", "omniglot", "cub", "miniimagenet", "cifarfs")


def load(name: str) -> ImageSet:
    """The data set of that name; glyphs are rendered at first use and cached, others must be prepared.

    Raises:
        MissingError: there is no data set of that name, or it is not prepared on this machine.
        DataError: its prepared files are damaged.
    """
    if name == "glyphs":
        return _glyphs()
    from raymaml.data import catalogue, prepared

    try:
        record = prepared.read_record(name)
    except SpecError:  # no name of a file, hence of no set
        record = None
    if record is not None:
        return prepared.load(name)
    command = catalogue.how_to(name)
    if command is not None:
        raise MissingError(f"{name} is not prepared here: run `{command}` first")
    there = ", ".join(dict.fromkeys([*NAMES, *prepared.names()]))
    raise MissingError(
        f"no data set {name!r}; there are: {there}; "
        "for your own pictures run `raymaml data prepare folder --root DIR --name NAME` first"
    )


@functools.cache
def _glyphs() -> ImageSet:
    from raymaml.data.glyphs import load_glyphs

    return load_glyphs()
