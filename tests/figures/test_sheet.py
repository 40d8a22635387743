"""Sheets of surfaces: what is drawn in which panel, on which scale, and that nothing overlaps."""

import dataclasses

import numpy as np
import pytest
from figures.samples import AXIS, TITLE, bowl
from figures.test_views3d import heights
from matplotlib.colors import to_hex
from matplotlib.contour import QuadContourSet

from raymaml.analysis import areas, sublevel_share
from raymaml.errors import SpecError
from raymaml.figures.flat_panels import BLUE, GREEN, RED, YELLOW, flats
from raymaml.figures.grid import checked_grid
from raymaml.figures.sheet import Panel, Row
from raymaml.figures.solid_panels import solids


def grid(surface, done=None):
    return checked_grid(surface, AXIS, AXIS, done)


def solid_axes(figure):
    return [axes for axes in figure.axes if hasattr(axes, "get_zlim")]


def two_rows():
    return [
        Row("base\n0 steps", [Panel(grid(bowl()), "Conv4"), Panel(grid(2 * bowl()), "Conv6")]),
        Row("novel\n5 steps", [Panel(grid(3 * bowl())), Panel(None)]),
    ]


@pytest.mark.parametrize(("scale", "highest"), [("own", [1, 2, 3]), ("row", [2, 2, 3]), ("all", [3, 3, 3])])
def test_heights_and_colours_share_the_scale_that_is_asked_for(scale, highest):
    figure = solids(two_rows(), title="t", scale=scale)
    top = bowl().max()
    for axes, factor in zip(solid_axes(figure), highest, strict=True):
        assert axes.get_zlim()[1] == pytest.approx(factor * top)
        assert axes.collections[0].get_clim()[1] == pytest.approx(factor * top)
    assert len(figure.axes) - 3 == {"own": 0, "row": 2, "all": 1}[scale]  # colour bars


def test_every_surface_is_in_its_own_panel():
    figure = solids(two_rows(), title="t")
    tops = []
    for axes in solid_axes(figure):
        figure_of_one = type("One", (), {"axes": [axes]})
        tops.append(heights(figure_of_one)[:, 2].max())
    np.testing.assert_allclose(tops, bowl().max() * np.array([1, 2, 3]))
    texts = {text.get_text() for text in figure.texts}
    assert {"Conv4", "Conv6", "base\n0 steps", "novel\n5 steps"} <= texts


def test_diverged_and_missing_cells_are_noted_over_their_panel():
    surface, done = bowl(), np.ones((11, 11), bool)
    surface[0, 0], done[10] = np.nan, False
    figure = solids([Row("", [Panel(grid(surface, done), "Conv4")])], title="t")
    assert "90 % computed\n0.9 % diverged (holes)" in {text.get_text() for text in figure.texts}


def test_a_wide_range_is_logarithmic_on_the_shared_scale():
    wide = np.logspace(-1, 6, 121).reshape(11, 11)
    figure = solids([Row("", [Panel(grid(bowl())), Panel(grid(wide))])], title="t", scale="row")
    assert all(axes.get_zlim() == pytest.approx((-1, 6)) for axes in solid_axes(figure))
    assert figure.axes[-1].get_ylabel() == "query loss (log scale)"
    own = solids([Row("", [Panel(grid(bowl())), Panel(grid(wide))])], title="t")
    assert solid_axes(own)[0].get_zlim()[1] == pytest.approx(bowl().max())


def test_a_panel_without_a_finite_value_says_so():
    nothing = grid(np.full((11, 11), np.nan))
    for make in (solids, flats):
        figure = make([Row("", [Panel(nothing), Panel(grid(bowl()))])], title="t")
        texts = [text.get_text() for axes in figure.axes for text in axes.texts]
        assert "no finite query loss" in texts


def test_a_sheet_without_a_panel_is_refused():
    with pytest.raises(SpecError, match="no surface to draw"):
        solids([], title="t")


THRESHOLDS, COLOURS = [0.41, 0.61, 0.81, 1.01], [RED, YELLOW, BLUE, GREEN]


def filled(surface, thresholds=THRESHOLDS):
    values = np.stack([surface - 0.1, surface, surface + 0.1])
    found = areas(values, np.ones(values.shape, bool), thresholds)
    return Panel(grid(values.mean(axis=0)), "Conv4", found, COLOURS[: len(found)])


def test_areas_have_their_colours_and_are_listed_with_their_intervals():
    figure = flats([Row("", [filled(bowl()), filled(bowl() + 0.1)])], title="t")
    for axes, surface in zip(figure.axes, (bowl(), bowl() + 0.1), strict=True):
        (area_set,) = [c for c in axes.collections if getattr(c, "filled", False)]
        assert [to_hex(colour) for colour in area_set.get_facecolor()][: len(COLOURS)] == [
            colour.lower() for colour in COLOURS
        ]
        np.testing.assert_allclose(area_set.levels[1:5], THRESHOLDS)
        lines = [text.get_text() for text in axes.get_legend().get_texts()]
        for line, threshold in zip(lines, THRESHOLDS, strict=True):
            assert line.startswith(f"≤ {threshold:g}: {100 * sublevel_share(surface, threshold):.1f} % (")
    assert "and at the thresholds of the areas" in figure.get_suptitle()


def test_a_wide_area_carries_its_threshold_inside_itself_and_a_narrow_one_does_not():
    figure = flats([Row("", [filled(bowl(), [0.81, 0.8101])])], title="t")
    (axes,) = figure.axes
    labels = {text.get_text(): text.get_position() for text in axes.texts}
    assert list(labels) == ["≤ 0.81"]  # the other is a hairline
    alpha, beta = labels["≤ 0.81"]
    value = bowl()[np.abs(AXIS - alpha).argmin(), np.abs(AXIS - beta).argmin()]
    assert value <= 0.81


def test_a_label_keeps_off_the_frame_where_little_is_computed():
    done = np.zeros((11, 11), bool)
    done[:2] = True
    panel = dataclasses.replace(filled(bowl(), [2.0]), grid=grid(bowl(), done))
    (axes,) = flats([Row("", [panel])], title="t").axes
    assert [text for text in axes.texts if text.get_position()[1] in (AXIS[0], AXIS[-1])] == []
    assert [text.get_position()[0] for text in axes.texts] == [pytest.approx(AXIS[1])]


def test_panels_without_areas_share_the_spacing_of_their_labelled_lines():
    figure = flats([Row("", [Panel(grid(bowl())), Panel(grid(10 * bowl()))])], title="t")
    assert figure.get_suptitle() == "t\nlines every 0.6"  # ten times the bowl has over 40 levels of 0.2
    for axes in figure.axes:
        lines = next(c for c in axes.collections if isinstance(c, QuadContourSet) and not c.filled)
        np.testing.assert_allclose(np.diff(lines.levels), 0.6)
    assert flats([Row("", [Panel(grid(bowl()))])], title="t").get_suptitle() == "t\nlines every 0.2"


@pytest.mark.parametrize("columns", [1, 2, 4])
@pytest.mark.parametrize("title", ["t", TITLE])
def test_nothing_on_a_sheet_of_contours_overlaps_or_is_cut(columns, title):
    # The whole grid lies below 9.99: the widest line that a list of areas can have.
    rows = [Row("no augmentation\nConv4", [filled(bowl(), [0.41, 0.61, 0.81, 9.99])] * columns)] * 2
    figure = flats(rows, title=title)
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    boxes += [text.get_window_extent() for text in figure.texts if text.get_text()]  # the title is one
    for i, one in enumerate(boxes):
        assert -0.5 <= one.x0 < one.x1 <= figure.bbox.x1 + 0.5
        assert -0.5 <= one.y0 < one.y1 <= figure.bbox.y1 + 0.5
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])


@pytest.mark.parametrize("scale", ["own", "row"])
@pytest.mark.parametrize("columns", [1, 4])
def test_nothing_on_a_sheet_of_3d_views_overlaps_or_is_cut(columns, scale):
    surface = 1000 * bowl()
    surface[0, 0] = np.nan
    rows = [Row("base, 0 steps\nquery loss", [Panel(grid(surface), "ResNet18")] * columns)] * 2
    figure = solids(rows, title=TITLE, scale=scale)
    figure.draw_without_rendering()
    renderer = figure._get_renderer()
    texts = [text for text in figure.texts if text.get_text()]  # the title is one
    bars = [axes.get_tightbbox() for axes in figure.axes if not hasattr(axes, "get_zlim")]
    boxes = [*(text.get_window_extent() for text in texts), *bars]
    for axes in solid_axes(figure):
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            box = axis.get_tightbbox(renderer)
            assert not any(box.overlaps(other) for other in boxes)
            assert 0 <= box.x0 < box.x1 <= figure.bbox.x1
            assert 0 <= box.y0 < box.y1 <= figure.bbox.y1
    for i, one in enumerate(boxes):
        assert 0 <= one.x0 < one.x1 <= figure.bbox.x1
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])
