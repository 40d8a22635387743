"""Cross-sections: lines, bands and their scale."""

import math

import numpy as np
import pytest

from raymaml.errors import SpecError
from raymaml.figures.sections import Line, Section, sections

PLACES = np.linspace(-1, 1, 5)


def line(label="seed 5", scale=1.0, half=0.1):
    middle = scale * (0.5 + PLACES**2)
    return Line(label, middle, middle - half, middle + half)


def section(*lines):
    return Section("along α, at β = 0", "α (first direction)", PLACES, lines)


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def curves(axes):
    return [drawn for drawn in axes.lines if len(drawn.get_xdata()) == len(PLACES)]


def test_each_seed_is_a_line_in_its_band():
    figure = sections([section(line(), line("seed 6", 2.0))] * 2, title="t", quantity="loss", band="95 %")
    for axes in figure.axes:
        one, other = curves(axes)
        np.testing.assert_array_equal(one.get_xydata(), np.stack([PLACES, 0.5 + PLACES**2], axis=1))
        np.testing.assert_array_equal(other.get_ydata(), 1 + 2 * PLACES**2)
        bands = [band.get_paths()[0].vertices for band in axes.collections]
        assert bands[0][:, 1].max() == pytest.approx(1.6)
        assert bands[1][:, 1].min() == pytest.approx(0.9)
        assert one.get_color() != other.get_color()
    assert legend(figure) == ["seed 5", "seed 6", "95 %"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", ""]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()


def test_a_gap_stays_and_a_wide_range_is_logarithmic():
    high = Line("seed 5", np.array([1e4, 1.0, math.nan, 0.5, 0.0]), *np.full((2, 5), math.nan))
    figure = sections([section(high)], title="t", quantity="loss")
    [axes] = figure.axes
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "loss (log scale)"
    np.testing.assert_array_equal(curves(axes)[0].get_ydata(), [1e4, 1.0, math.nan, 0.5, 0.01])
    assert legend(figure) == ["seed 5"]


def test_more_seeds_than_colours_have_other_dashes():
    figure = sections([section(*(line(f"seed {k}", 1 + k) for k in range(9)))], title="t", quantity="loss")
    looks = {(c.get_color(), c.get_linestyle()) for c in curves(figure.axes[0])}
    assert len(looks) == 9


def test_nothing_overlaps_or_is_cut():
    drawn = section(line(), line("seed 6, directions 12", 100.0))
    figure = sections([drawn, drawn], title="A title", quantity="query loss", band="lowest to highest")
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes] + [figure.legends[0].get_window_extent()]
    for i, one in enumerate(boxes):
        assert 0 <= one.x0 < one.x1 <= figure.bbox.x1
        assert 0 <= one.y0 < one.y1 <= figure.bbox.y1
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])
    with pytest.raises(SpecError, match="no cross-section"):
        sections([], title="t", quantity="loss")
