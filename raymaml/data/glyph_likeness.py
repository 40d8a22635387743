"""How alike two characters are drawn, measured so that every machine finds the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from raymaml.data.glyph_render import GLYPH, Bytes, Floats

Levels = npt.NDArray[np.float32]

CANVAS = GLYPH + 4  # side of the drawings that are compared: the character and room for the blur
# Degrees, shear, height and width factors under which a drawing is still the same one, and what is
# taken off its correlation: squeezing brings any two narrow drawings nearer to each other.
_FORMS = (
    (0.0, 0.0, 1.0, 1.0, 0.0),
    (8.0, 0.0, 1.0, 1.0, 0.0),
    (-8.0, 0.0, 1.0, 1.0, 0.0),
    (0.0, 0.15, 1.0, 1.0, 0.0),
    (0.0, -0.15, 1.0, 1.0, 0.0),
    (0.0, 0.0, 1.0, 0.8, 0.03),
    (0.0, 0.0, 0.8, 1.0, 0.03),
)


def similarity(left: Bytes, right: Bytes) -> Floats:
    """Correlate each left drawing with seven forms of each right one; the greatest: (left, right).

    Drawings are (n, 24, 24), blurred by one pixel, so that a stroke half a pixel aside still counts.
    """
    flat = _levels(left.astype(np.float64))
    found = np.full((len(left), len(right)), -1.0)
    for degrees, shear, height, width, penalty in _FORMS:
        bent = _bent(right, degrees, shear, height, width)
        np.maximum(found, _correlation(flat, _levels(bent)) - penalty, out=found)
    return found


def overlap(drawings: Bytes) -> Floats:
    """Measure the shared ink over the joint ink of each pair of drawings: (n, n), 1 for the same.

    The greatest over shifts by one pixel: an accent moves the crop of the letter that carries it.
    """
    ink = (drawings >= 128).astype(np.float32)
    flat, area = ink.reshape(len(ink), -1), ink.sum(axis=(1, 2), dtype=np.float64)
    shared = np.zeros((len(ink), len(ink)), dtype=np.float32)
    for shift in np.ndindex(3, 3):
        moved = np.roll(ink, np.array(shift) - 1, axis=(1, 2))  # two blank pixels all around: none wraps
        np.maximum(shared, flat @ moved.reshape(len(ink), -1).T, out=shared)
    return np.asarray(shared / (area[:, None] + area[None, :] - shared))


def _bent(drawings: Bytes, degrees: float, shear: float, height: float, width: float) -> Floats:
    angle, centre = np.deg2rad(degrees), (CANVAS - 1) / 2
    matrix = np.eye(3)
    matrix[1:, 1:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle) + shear, np.cos(angle)]]
    matrix[1:, 1:] /= [[height], [width]]
    middle = np.array([0.0, centre, centre])
    out = ndimage.affine_transform(drawings.astype(np.float64), matrix, offset=middle - matrix @ middle, order=1)
    return np.asarray(out)


def _levels(drawings: Floats) -> Levels:
    """Blur drawings and quantise them to 0 to 127, one row each.

    127² × 576 pixels is below 2^24: float32 products of the rows are exact in any order of summation,
    so no BLAS can move a pair across a threshold.
    """
    soft = ndimage.gaussian_filter(drawings, (0, 1.0, 1.0))
    peak = np.maximum(soft.max(axis=(1, 2), keepdims=True), 1e-9)
    return np.asarray(np.rint(soft * (127 / peak)).reshape(len(soft), -1), dtype=np.float32)


def _correlation(a: Levels, b: Levels) -> Floats:
    """Correlate (Pearson) each row of `a` with each row of `b`, from exact sums."""
    pixels, products = a.shape[1], (a @ b.T).astype(np.float64)
    sums = [x.sum(axis=1, dtype=np.float64) for x in (a, b)]
    squares = [np.square(x).sum(axis=1, dtype=np.float64) for x in (a, b)]
    spread = [np.sqrt(pixels * q - s * s) for q, s in zip(squares, sums, strict=True)]
    return np.asarray((pixels * products - np.outer(*sums)) / np.outer(*spread))
