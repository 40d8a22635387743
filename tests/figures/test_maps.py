"""Colour maps: what is drawn where, on which scale."""

import math

import numpy as np
import pytest
from matplotlib.collections import PolyCollection

from raymaml.errors import SpecError
from raymaml.figures.grid import checked_grid
from raymaml.figures.maps import Map, maps
from raymaml.figures.solid import height_of

AXIS = np.linspace(-1, 1, 5)


def grid(values, done=None):
    return checked_grid(np.asarray(values, dtype=float), AXIS, AXIS, done)


def slope():
    """Rises along alpha, whatever beta."""
    return np.tile(np.arange(5.0)[:, None], (1, 5))


def panels(figure):
    """The maps, without their colour bars."""
    return [axes for axes in figure.axes if axes.get_xlabel() == "α"]


def bars(figure):
    return [axes for axes in figure.axes if axes.get_xlabel() != "α"]


def filled(axes):
    [found] = [c for c in axes.collections if type(c).__name__.endswith("ContourSet")]
    return found


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_alpha_is_across_and_each_map_has_its_own_bar_and_scale():
    figure = maps([[Map(grid(slope()), "mean", "loss"), Map(grid(2 * slope()), "error", "nats")]], title="t")
    left, right = panels(figure)
    contours = filled(left)
    low = contours.get_paths()[0].vertices
    assert low[:, 0].max() < 0  # the lowest band is at the left
    assert low[:, 1].max() == 1  # over all beta
    assert [bar.get_ylabel() for bar in bars(figure)] == ["loss", "nats"]
    assert (contours.levels[0], contours.levels[-1], filled(right).levels[-1]) == (0, 4, 8)
    assert legend(figure) == ["centre (0, 0)"]


def test_maps_that_compare_share_a_scale():
    grids = grid(slope()), grid(2 * slope())
    height = height_of(*grids)
    figure = maps([[Map(one, "", "loss", height) for one in grids]], title="t")
    one, other = (filled(axes).levels for axes in panels(figure))
    np.testing.assert_array_equal(one, other)
    assert other[-1] == 8


def test_differences_are_centred_at_zero():
    figure = maps([[Map(grid(slope() - 1), "", "loss", centred=True)]], title="t")
    levels = filled(panels(figure)[0]).levels
    np.testing.assert_allclose(levels, -levels[::-1], atol=1e-12)
    assert levels[-1] >= 3
    assert filled(panels(figure)[0]).extend == "neither"


def test_one_wall_does_not_take_the_colour_from_all_other_differences():
    values = slope() - 2
    values[4, 4] = 1e6
    figure = maps([[Map(grid(values), "", "loss", centred=True)]], title="t")
    drawn = filled(panels(figure)[0])
    assert drawn.levels[-1] < 10
    assert drawn.extend == "both"
    assert bars(figure)[0].get_ylabel() == "loss (up to ±1e6)"


def test_a_wide_range_is_drawn_in_powers_of_ten():
    figure = maps([[Map(grid(10.0 ** slope()), "", "loss")]], title="t")
    assert bars(figure)[0].get_ylabel() == "loss (log scale)"
    assert filled(panels(figure)[0]).levels[-1] == 4


def test_cells_without_a_value_are_hatched_and_named():
    values, done = slope(), np.ones((5, 5), bool)
    values[0, 0], done[4, 4] = math.nan, False
    figure = maps([[Map(grid(values, done), "", "loss")]], title="t")
    hatches = {c.get_hatch() for c in panels(figure)[0].collections if isinstance(c, PolyCollection)}
    assert hatches == {"//////", "...."}
    assert legend(figure) == ["diverged", "not computed yet", "centre (0, 0)"]


def test_dots_lie_on_their_grid_points():
    dotted = np.zeros((5, 5), bool)
    dotted[3, 1] = True
    figure = maps([[Map(grid(slope()), "", "loss", dotted=dotted, dots="dots: none")]], title="t")
    [dots] = [line for line in panels(figure)[0].lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(dots.get_xydata(), [[0.5, -0.5]])
    assert legend(figure)[0] == "dots: none"
    none = maps([[Map(grid(slope()), "", "loss", dotted=~dotted & False, dots="dots: none")]], title="t")
    assert legend(none) == ["centre (0, 0)"]


def test_what_cannot_be_coloured_says_so():
    nothing = np.full((5, 5), math.nan)
    figure = maps([[Map(grid(nothing), "", "loss"), Map(grid(np.zeros((5, 5))), "", "nats", centred=True)]], title="t")
    texts = [text.get_text() for axes in panels(figure) for text in axes.texts]
    assert texts == ["no finite loss", "constant to 6 digits: 0"]
    assert bars(figure) == []
    with pytest.raises(SpecError, match="no surface to draw"):
        maps([], title="t")


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_nothing_overlaps_or_is_cut(count):
    rows = [[Map(grid(1e3 * slope() + 1), "a heading that is rather long for a map", "query loss")] * min(count, 3)]
    rows += [rows[0][:1]] * (count == 4)
    figure = maps(rows, title="A title\nof two lines")
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in panels(figure)]
    boxes += [figure.legends[0].get_window_extent(), figure._suptitle.get_window_extent()]
    boxes += [text.get_window_extent() for text in figure.texts if text.get_text() and text is not figure._suptitle]
    for i, one in enumerate(boxes):
        assert 0 <= one.x0 < one.x1 <= figure.bbox.x1
        assert 0 <= one.y0 < one.y1 <= figure.bbox.y1
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])
    for k, (axes, bar) in enumerate(zip(panels(figure), bars(figure), strict=True)):
        box = bar.get_tightbbox()
        assert axes.bbox.x1 < box.x0 < box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(other) for other in [*boxes[:k], *boxes[k + 1 :]])
