"""How convex a surface is on its grid."""

from __future__ import annotations

import numpy as np

from raymaml.analysis import Float64s, Floats
from raymaml.errors import SpecError


def convex_share(surfaces: Floats) -> Float64s:
    """Share (0..1) of the inner grid points at which a surface is convex to the eye of its grid.

    There the matrix of second differences over alpha and beta has no negative eigenvalue: a convex function has share
    1, a saddle share 0. The thesis judges convexity by eye (section 4.3.2); this is what the eye looks for, cell by
    cell. Grids with other spacings give other shares, so only surfaces of one grid compare.

    Args:
        surfaces: (..., alpha, beta) values. A point with a value that is not finite, or next to one, is not convex.

    Returns:
        (...) shares.

    Raises:
        SpecError: the grid is smaller than 3 x 3, so that it has no inner point.
    """
    if surfaces.ndim < 2 or min(surfaces.shape[-2:]) < 3:
        raise SpecError(f"convexity needs a grid of at least 3 x 3 points, got {surfaces.shape[-2:]}")
    z = np.where(np.isfinite(surfaces), surfaces, np.nan).astype(np.float64)
    centre = z[..., 1:-1, 1:-1]
    aa = z[..., 2:, 1:-1] - 2 * centre + z[..., :-2, 1:-1]
    bb = z[..., 1:-1, 2:] - 2 * centre + z[..., 1:-1, :-2]
    ab = (z[..., 2:, 2:] - z[..., 2:, :-2] - z[..., :-2, 2:] + z[..., :-2, :-2]) / 4
    # The smaller eigenvalue, from trace and determinant; rounding of the values must not turn a plane into a saddle.
    smaller = (aa + bb) / 2 - np.hypot((aa - bb) / 2, ab)
    scale = np.nanmax(np.abs(np.where(np.isfinite(z), z, 0.0)), axis=(-2, -1), keepdims=True)
    share: Float64s = (smaller >= -1e-6 * scale).mean(axis=(-2, -1))
    return share
