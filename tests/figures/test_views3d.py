import numpy as np
import pytest
from figures.samples import AXIS, TITLE, bowl

from raymaml.errors import SpecError
from raymaml.figures.views3d import surface_3d


def heights(figure):
    """(x, y, z) of all corners of the surface."""
    collection = figure.axes[0].collections[0]
    if hasattr(collection, "_vec"):  # matplotlib < 3.10
        return np.asarray(collection._vec)[:3].T
    seen = ~np.broadcast_to(collection._invalid_vertices, collection._faces.shape[:2])
    return collection._faces[seen]


def test_3d_heights_are_at_their_grid_points():
    surface = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]])
    figure = surface_3d(surface, alphas=[-1, 0, 1], betas=[-0.5, 0.5], title="t")
    assert (1.0, 0.5, 9.0) in {tuple(corner) for corner in heights(figure)}
    assert (-1.0, 0.5, 2.0) in {tuple(corner) for corner in heights(figure)}


def test_3d_labels_colour_bar_and_limits():
    figure = surface_3d(bowl(), alphas=AXIS, betas=AXIS, title=TITLE, quantity="loss")
    axes, bar = figure.axes
    assert axes.get_xlabel() == "α (first direction)"
    assert axes.get_ylabel() == "β (second direction)"
    assert axes.get_zlabel() == bar.get_ylabel() == "loss"
    np.testing.assert_allclose(axes.get_zlim(), (bowl().min(), bowl().max()))
    assert figure.get_suptitle() == TITLE


def test_3d_z_limits_cut_and_say_so():
    surface = np.array([[0.0, 1.0], [2.0, 9.0]])
    figure = surface_3d(surface, alphas=[-1, 1], betas=[-1, 1], title="t", z_limits=(0.5, 4))
    assert figure.axes[0].get_zlim() == (0.5, 4)
    assert heights(figure)[:, 2].min() == 0.5
    assert heights(figure)[:, 2].max() == 4
    assert figure.get_suptitle() == "t\n25.0 % below 0.5, drawn at 0.5 · 25.0 % above 4, drawn at 4"


def test_3d_missing_cells_are_holes_and_noted():
    surface, done = bowl(), np.ones((11, 11), bool)
    done[9:], surface[5, 5] = False, np.nan
    figure = surface_3d(surface, alphas=AXIS, betas=AXIS, title="t", done=done)
    assert figure.get_suptitle() == "t\n81 % computed · 1.0 % diverged (holes)"
    corners = heights(figure)
    assert np.isfinite(corners).all()
    assert corners[:, 0].max() == pytest.approx(AXIS[8])
    assert not (np.abs(corners[:, :2]) < 1e-9).all(axis=1).any()


def test_3d_draws_every_point_of_a_large_grid():
    axis = np.linspace(-1, 1, 61)  # over matplotlib's 50 samples
    figure = surface_3d(bowl(61), alphas=axis, betas=axis, title="t")
    assert len(figure.axes[0].collections[0].get_array()) == 60 * 60


def test_3d_wide_range_has_a_log_axis():
    surface = np.logspace(-1, 6, 121).reshape(11, 11)
    figure = surface_3d(surface, alphas=AXIS, betas=AXIS, title="t")
    assert figure.axes[0].get_zlabel() == figure.axes[1].get_ylabel() == "query loss (log scale)"
    np.testing.assert_allclose(figure.axes[0].get_zlim(), (-1, 6))


@pytest.mark.parametrize("title", ["t", TITLE])
def test_nothing_on_a_3d_figure_overlaps_or_is_cut(title):
    figure = surface_3d(1000 * bowl(), alphas=AXIS, betas=AXIS, title=title)
    figure.draw_without_rendering()
    axes, bar = figure.axes
    parts = [axis.get_tightbbox(figure._get_renderer()) for axis in (axes.xaxis, axes.yaxis, axes.zaxis)]
    boxes = [figure._suptitle.get_window_extent(), bar.get_tightbbox()]
    assert not boxes[0].overlaps(boxes[1])
    for one in [*boxes, *parts]:
        assert 0 <= one.x0 < one.x1 <= figure.bbox.x1
        assert 0 <= one.y0 < one.y1 <= figure.bbox.y1
    assert not any(part.overlaps(box) for part in parts for box in boxes)


def test_3d_bad_limits_are_refused():
    with pytest.raises(SpecError, match="z_limits must be finite"):
        surface_3d(bowl(), alphas=AXIS, betas=AXIS, title="t", z_limits=(2, 1))
