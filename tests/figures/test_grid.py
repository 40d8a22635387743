import numpy as np
import pytest

from raymaml.errors import SpecError
from raymaml.figures.contours import contour
from raymaml.figures.views3d import surface_3d

DEGENERATE = {
    "2 x 2": np.array([[1.0, 2.0], [2.0, 3.0]]),
    "3 x 2": np.array([[1.0, 2.0], [2.0, 3.0], [1.0, 1.0]]),
    "constant": np.full((5, 5), 1.609),
    "constant zero": np.zeros((5, 5)),
    "all NaN": np.full((5, 5), np.nan),
    "all inf": np.full((5, 5), np.inf),
    "one value": np.pad([[0.7]], 2, constant_values=np.nan),
    "huge range": np.logspace(-1, 6, 25).reshape(5, 5),
    "float32 to its end": np.logspace(-3, 38, 25, dtype=np.float32).reshape(5, 5),
    "zero to huge": np.append(0.0, np.logspace(-1, 6, 24)).reshape(5, 5),
    "negative to huge": np.append(-5.0, np.logspace(-1, 6, 24)).reshape(5, 5),
    "some inf": np.where(np.eye(5) > 0, np.inf, 1 + np.arange(25.0).reshape(5, 5)),
    "integers": np.arange(25).reshape(5, 5),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("draw", [contour, surface_3d])
@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("part", ["all", "some", "none"])
def test_degenerate_surfaces_are_drawn_without_a_warning(draw, name, part):
    surface = DEGENERATE[name]
    done = np.full(surface.shape, part == "all")
    done[:2, :2] |= part == "some"
    alphas, betas = (np.linspace(-1, 1, n) for n in surface.shape)
    figure = draw(surface, alphas=alphas, betas=betas, title="t", done=done)
    figure.draw_without_rendering()


def test_an_empty_figure_says_why():
    nothing, done = np.full((3, 3), np.nan), np.zeros((3, 3), bool)
    grid = {"alphas": [-1, 0, 1], "betas": [-1, 0, 1], "title": "t"}
    assert [t.get_text() for t in contour(nothing, **grid).axes[0].texts] == ["no finite query loss"]
    texts = contour(nothing, **grid, done=done).axes[0].texts
    assert [t.get_text() for t in texts] == ["no finite query loss yet"]
    assert [t.get_text() for t in surface_3d(nothing, **grid).axes[0].texts] == ["no finite query loss"]
    constant = contour(np.ones((3, 3)), **grid).axes[0].texts
    assert [t.get_text() for t in constant] == ["constant to 6 digits: 1"]


@pytest.mark.parametrize("draw", [contour, surface_3d])
def test_a_grid_that_cannot_be_drawn_is_refused(draw):
    with pytest.raises(SpecError, match="at least 2 × 2 grid points, not 1 × 5"):
        draw(np.zeros((1, 5)), alphas=[0], betas=np.arange(5), title="t")
    with pytest.raises(SpecError, match="3 alphas × 2 betas"):
        draw(np.zeros((2, 3)), alphas=[0, 1, 2], betas=[0, 1], title="t")
    with pytest.raises(SpecError, match="ascending"):
        draw(np.zeros((2, 2)), alphas=[1, 0], betas=[0, 1], title="t")
    with pytest.raises(SpecError, match="done must have the shape"):
        draw(np.zeros((2, 2)), alphas=[0, 1], betas=[0, 1], title="t", done=np.ones((2, 3), bool))
