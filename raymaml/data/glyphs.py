"""The embedded data set: characters of many scripts, 20 drawings of each, made without a download."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np

from raymaml.data.cache import Arrays, cache_folder, cached_arrays
from raymaml.data.imageset import SPLITS, ImageSet

IMAGES_PER_CLASS = 20  # as Omniglot


def load_glyphs(cache_dir: Path | None = None) -> ImageSet:
    """Load the `glyphs` set: over 1,000 classes × 20 images, uint8 (image, 1, 28, 28), white on black.

    Built on first use (about 20 s) and kept in `cache_dir`, else in $RAYMAML_CACHE, else in the
    user's cache folder; without a folder to write to it is built in memory each time.  The same
    bytes for the same renderer version, fonts and libraries.  Classes that look alike are in one split.
    Raises MissingError where the fonts of matplotlib are not installed.
    """
    # Pillow and SciPy take 0.3 s to import: not for a command that only names the data set.
    from raymaml.data.glyph_render import renderer_key

    return _image_set(cached_arrays(cache_folder(cache_dir), "glyphs", renderer_key(), build_arrays))


def build_arrays() -> Arrays:
    """Choose the classes and draw all images, without a cache.

    images: uint8 (class × 20, 1, 28, 28), class by class; codes: code point of each class;
    split_of: index of each class's split in SPLITS; families: look-alike family of each class.
    """
    from raymaml.data.glyph_classes import choose_classes
    from raymaml.data.glyph_render import draw_class

    choice = choose_classes()
    drawn = [draw_class(c, f, IMAGES_PER_CLASS) for c, f in zip(choice.codes, choice.faces, strict=True)]
    split_of = np.zeros(len(choice.codes), dtype=np.int64)
    for number, split in enumerate(SPLITS):
        split_of[list(choice.splits[split])] = number
    return {
        "images": np.concatenate(drawn)[:, None],
        "codes": np.array(choice.codes, dtype=np.int64),
        "split_of": split_of,
        "families": np.array(choice.families, dtype=np.int64),
    }


def class_name(code: int) -> str:
    """Name the class of a character, as "U+0416 CYRILLIC CAPITAL LETTER ZHE"."""
    return f"U+{code:04X} {unicodedata.name(chr(code))}"


def _image_set(arrays: Arrays) -> ImageSet:
    codes, split_of = arrays["codes"], arrays["split_of"]
    return ImageSet(
        name="glyphs",
        images=arrays["images"],
        labels=np.repeat(np.arange(len(codes), dtype=np.int64), IMAGES_PER_CLASS),
        class_names=tuple(class_name(int(code)) for code in codes),
        splits={name: tuple(np.flatnonzero(split_of == n).tolist()) for n, name in enumerate(SPLITS)},
        mean=(0.0,),
        std=(1.0,),
    )
