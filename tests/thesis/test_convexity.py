"""Second differences of surfaces whose shape is known."""

import numpy as np
import pytest

from raymaml.convexity import convex_share
from raymaml.errors import SpecError

A, B = np.meshgrid(np.linspace(-1, 1, 7), np.linspace(-1, 1, 5), indexing="ij")


@pytest.mark.parametrize(
    ("surface", "share"),
    [
        (A**2 + 3 * B**2, 1.0),
        (A**2 + B**2 + 1.9 * A * B, 1.0),  # 2 is the limit, whatever the spacing of either axis
        (A**2 + B**2 + 2.1 * A * B, 0.0),
        (2 * A - B + 5, 1.0),  # a plane, up to rounding
        (A**2 - B**2, 0.0),
        (A**2 + B**2 + 5 * A * B, 0.0),  # convex along both axes, and a saddle between them
        (-(A**2), 0.0),
        (A**3, 3 / 5),  # alpha = -2/3 ... 2/3: convex from 0 on
    ],
)
def test_known_surfaces_have_their_share(surface, share):
    assert convex_share(surface) == pytest.approx(share)
    assert convex_share(surface.T) == pytest.approx(share)


def test_each_surface_of_a_stack_has_its_own_share():
    stack = np.stack([A**2 + B**2, A**2 - B**2])[:, None]
    assert convex_share(stack).tolist() == [[1.0], [0.0]]


def test_a_diverged_point_and_its_neighbours_are_not_convex():
    surface = A**2 + B**2
    surface[3, 2] = np.nan
    assert convex_share(surface) == pytest.approx(6 / 15)  # of 5 x 3 inner points, 3 x 3 see it
    surface[3, 2] = np.inf
    assert convex_share(surface) == pytest.approx(6 / 15)


def test_float32_of_a_large_plane_is_no_saddle():
    assert convex_share((1e3 + 7 * A + 3 * B).astype(np.float32)) == 1.0


def test_a_grid_without_inner_points_is_refused():
    with pytest.raises(SpecError, match="3 x 3"):
        convex_share(np.zeros((2, 5)))
