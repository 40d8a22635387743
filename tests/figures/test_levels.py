import math

import numpy as np
import pytest

from raymaml.errors import SpecError
from raymaml.figures.levels import contour_levels, decade_levels, finer_step, level_multiple, needs_log

NAN, INF = math.nan, math.inf


def test_levels_are_those_of_the_thesis():
    levels = contour_levels(0.25, 1.3)
    np.testing.assert_array_equal(levels, [0.21, 0.41, 0.61, 0.81, 1.01, 1.21, 1.41])


@pytest.mark.parametrize(("low", "high"), [(0.25, 2.5), (0.01, 0.01), (0.3, 14.0), (0.0, 1e6), (-3.0, -1.0)])
def test_levels_cover_the_range_in_equal_steps_and_are_few(low, high):
    levels = contour_levels(low, high)
    spacing = 0.2 * level_multiple(low, high)
    assert levels[0] <= low <= high <= levels[-1]
    np.testing.assert_allclose(np.diff(levels), spacing)
    np.testing.assert_allclose((levels - 0.01) / spacing, np.round((levels - 0.01) / spacing), atol=1e-6)
    assert np.count_nonzero((levels > low) & (levels < high)) <= 40


def test_a_multiple_of_the_step_only_when_there_would_be_more_than_40():
    assert level_multiple(0.0, 8.0) == 1
    assert level_multiple(0.0, 8.1) == 2
    assert level_multiple(0.0, 16.1) == 3


@pytest.mark.parametrize("bad", [(2.0, 1.0, 0.2), (NAN, 1.0, 0.2), (0.0, INF, 0.2), (0.0, 1.0, 0.0)])
def test_levels_refuse_what_has_no_levels(bad):
    with pytest.raises(SpecError, match="contour levels need"):
        contour_levels(*bad)


@pytest.mark.parametrize(("low", "high", "step"), [(0.2, 2.5, 0.2), (1.605, 1.612, 0.002), (1.0, 1.3, 0.1)])
def test_a_finer_step_only_where_there_would_be_too_few_lines(low, high, step):
    assert finer_step(low, high) == pytest.approx(step)


def test_log_levels_only_for_a_wide_range_of_positive_values():
    assert needs_log(0.1, 1e6)
    assert needs_log(0.0, 50.0)
    assert not needs_log(0.001, 3.0)
    assert not needs_log(3.0, 12.0)
    assert not needs_log(-1.0, 1e6)


def test_decade_levels():
    np.testing.assert_allclose(decade_levels(0.3, 7.0), [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50][:9])
    assert decade_levels(0.0, 100.0)[0] == pytest.approx(0.01)
    tens = decade_levels(0.01, 1e20)
    np.testing.assert_allclose(tens[1:] / tens[:-1], 10)
    assert len(decade_levels(0.1, 3e38)) <= 40
    assert len(decade_levels(0.1, 1e300)) <= 40
    with pytest.raises(SpecError, match="logarithmic levels need"):
        decade_levels(0.0, 0.0)
