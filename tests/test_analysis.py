import math

import numpy as np
import pytest

from raymaml.analysis import areas, mean_over_tasks, sublevel_share
from raymaml.errors import SpecError

NAN, INF = math.nan, math.inf


def test_mean_is_the_plain_mean_where_all_is_done():
    values = np.array([[[1.0, 2.0, 3.0]], [[3.0, 6.0, 5.0]]])
    np.testing.assert_array_equal(mean_over_tasks(values, np.ones((2, 1, 3), bool)), [[2.0, 4.0, 4.0]])


def test_mean_is_nan_for_a_diverged_or_a_missing_task_and_inf_for_an_infinite_loss():
    values = np.array([[[1.0, NAN, 1.0, INF, INF]], [[1.0, 2.0, 2.0, 2.0, -INF]]])
    done = np.ones((2, 1, 5), bool)
    done[1, 0, 2] = False
    np.testing.assert_array_equal(mean_over_tasks(values, done), [[1.0, NAN, NAN, INF, NAN]])


def test_mean_sums_float32_in_float64():
    values = np.full((3, 1, 1), 3e38, np.float32)  # the sum overflows float32
    mean = mean_over_tasks(values, np.ones((3, 1, 1), bool))
    assert mean.dtype == np.float64
    assert mean[0, 0] == pytest.approx(3e38, rel=1e-6)


@pytest.mark.parametrize(("values", "done"), [((2, 3), (2, 3)), ((1, 2, 3), (2, 3)), ((0, 2, 3), (0, 2, 3))])
def test_mean_refuses_other_shapes(values, done):
    with pytest.raises(SpecError, match="one shape"):
        mean_over_tasks(np.zeros(values), np.ones(done, bool))


def test_share_against_a_hand_count():
    surface = np.array([[0.2, 0.5], [0.5, 0.9], [NAN, INF]])
    assert sublevel_share(surface, 0.5) == 3 / 6  # the threshold itself counts, NaN and inf do not
    assert sublevel_share(surface, 0.1) == 0.0
    assert sublevel_share(surface, 1e9) == 4 / 6
    assert sublevel_share(np.array([[-INF, 1.0]]), 2.0) == 1 / 2


def test_share_is_over_the_done_cells_only():
    surface = np.array([[0.2, 0.5], [0.5, 0.9], [NAN, INF]])
    done = np.array([[True, False], [True, True], [True, False]])
    assert sublevel_share(surface, 0.5, done=done) == 2 / 4
    assert math.isnan(sublevel_share(surface, 0.5, done=np.zeros((3, 2), bool)))
    with pytest.raises(SpecError, match="shape of the surface"):
        sublevel_share(surface, 0.5, done=np.ones((2, 3), bool))


def test_share_compares_in_the_precision_of_the_surface():
    assert sublevel_share(np.full((2, 2), 0.81, np.float32), np.float64(0.81)) == 1.0


def by_resampling(values, threshold):
    """The interval by drawing tasks one by one, with other random numbers than the package's."""
    rng, shares = np.random.default_rng(1), []
    for _ in range(4_000):
        drawn = values[rng.integers(0, len(values), len(values))]
        shares.append(np.mean(drawn.mean(axis=0) <= threshold))
    return np.percentile(shares, (2.5, 97.5))


def test_areas_are_those_of_the_mean_with_the_interval_of_resampled_tasks():
    rng = np.random.default_rng(0)
    values = np.abs(np.linspace(-1, 1, 400)).reshape(20, 20) + rng.normal(0, 0.3, (9, 1, 1))
    found = areas(values, np.ones(values.shape, bool), [0.3, 0.6])
    for area, threshold in zip(found, (0.3, 0.6), strict=True):
        assert (area.threshold, area.share) == (threshold, sublevel_share(values.mean(axis=0), threshold))
        assert (area.low, area.high) == pytest.approx(by_resampling(values, threshold), abs=0.03)
        assert area.low < area.share < area.high
    assert areas(values, np.ones(values.shape, bool), [0.3, 0.6]) == found  # the draws are keyed


def test_equal_tasks_leave_no_interval_and_one_task_has_none():
    values = np.tile(np.linspace(0, 1, 16).reshape(1, 4, 4), (5, 1, 1))
    (area,) = areas(values, np.ones(values.shape, bool), [0.5])
    assert (area.share, area.low, area.high) == (0.5, 0.5, 0.5)
    (alone,) = areas(values[:1], np.ones((1, 4, 4), bool), [0.5])
    assert alone.share == 0.5
    assert math.isnan(alone.low)
    assert math.isnan(alone.high)


def test_a_diverged_task_is_above_where_it_is_drawn_and_nowhere_else():
    values = np.zeros((4, 2, 2))
    values[0, 0, 0], values[1, 0, 0] = NAN, INF
    (area,) = areas(values, np.ones(values.shape, bool), [0.5])
    assert area.share == 0.75
    # The cell counts when neither task is drawn, which happens in 1 of 16 draws: more than 2.5 %.
    assert (area.low, area.high) == (0.75, 1.0)


def test_areas_are_over_the_points_that_are_done():
    values, done = np.zeros((3, 2, 2)), np.ones((3, 2, 2), bool)
    values[:, 0, 0], done[2, 1] = 9.0, False
    (area,) = areas(values, done, [0.5])
    assert (area.share, area.low, area.high) == (0.5, 0.5, 0.5)
    (none,) = areas(values, np.zeros((3, 2, 2), bool), [0.5])
    assert math.isnan(none.share)
    assert math.isnan(none.low)
