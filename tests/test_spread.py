"""Standard errors, deviations over seeds and directions, and paired differences, against closed forms."""

import math

import numpy as np
import pytest

from raymaml.errors import SpecError
from raymaml.spread import decompose, paired_difference, rectangle, standard_error

NAN, INF = math.nan, math.inf


def all_of(values):
    return np.ones(values.shape, bool)


def test_the_standard_error_of_known_tasks():
    values = np.array([1.0, 2.0, 3.0, 4.0]).reshape(4, 1, 1)
    # Variance with ddof 1 is 5/3; of the mean of 4 tasks 5/12.
    assert standard_error(values, all_of(values))[0, 0] == pytest.approx(math.sqrt(5 / 12), rel=1e-15)


def test_the_standard_error_is_nan_where_a_task_diverged_or_is_missing():
    values = np.array([[[1.0, NAN, 1.0, INF]], [[3.0, 2.0, 2.0, 2.0]]])
    done = all_of(values)
    done[1, 0, 2] = False
    np.testing.assert_array_equal(standard_error(values, done), [[1.0, NAN, NAN, NAN]])


def test_one_task_has_no_standard_error_and_other_shapes_are_refused():
    one = np.ones((1, 2, 3))
    np.testing.assert_array_equal(standard_error(one, all_of(one)), np.full((2, 3), NAN))
    with pytest.raises(SpecError, match="one shape"):
        standard_error(np.ones((2, 2, 3)), all_of(one))


def test_the_standard_error_of_float32_is_taken_in_float64():
    values = np.array([16_777_216.0, 16_777_218.0], np.float32).reshape(2, 1, 1)  # their mean is no float32
    assert standard_error(values, all_of(values))[0, 0] == pytest.approx(1.0, rel=1e-12)


def test_fresh_tasks_have_the_error_that_repeating_the_experiment_shows():
    rng = np.random.default_rng(0)
    runs = rng.normal(1.0, 0.5, (400, 25, 2, 2))  # other tasks in each cell
    errors = np.mean([standard_error(run, all_of(run)) for run in runs])
    assert errors == pytest.approx(runs.mean(axis=1).std(axis=0).mean(), rel=0.05)


def test_seeds_and_directions_are_told_apart():
    seeds, directions = np.array([0.0, 3.0, 6.0]), np.array([0.0, 1.0])
    table = 10.0 + seeds[:, None] + directions  # additive: each effect is seen alone
    found = decompose(np.stack([table, 2 * table], axis=-1).reshape(3, 2, 1, 2))
    np.testing.assert_allclose(found.mean, [[13.5, 27.0]])
    np.testing.assert_allclose(found.seeds, [[3.0, 6.0]])
    np.testing.assert_allclose(found.directions, [[math.sqrt(0.5), 2 * math.sqrt(0.5)]])


def test_an_interaction_is_no_main_effect():
    table = np.array([[1.0, -1.0], [-1.0, 1.0]])
    found = decompose(table)
    assert (float(found.mean), float(found.seeds), float(found.directions)) == (0.0, 0.0, 0.0)


def test_one_seed_or_one_direction_has_no_deviation_and_nan_stays():
    found = decompose(np.array([[[1.0, NAN], [3.0, 2.0]]]))
    assert found.seeds is None
    np.testing.assert_allclose(found.directions, [math.sqrt(2), NAN])
    np.testing.assert_allclose(decompose(np.array([[[1.0, INF]], [[3.0, 2.0]]])).seeds, [math.sqrt(2), NAN])
    assert decompose(np.zeros((2, 1))).directions is None
    for shape in ((0, 1, 2), (1, 0, 2), (3,)):
        with pytest.raises(SpecError, match="a spread needs values"):
            decompose(np.zeros(shape))


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([(6, 1), (5, 0), (5, 1), (6, 0)], ([5, 6], [0, 1])),
        ([(5, 0)], ([5], [0])),
        ([(5, 0), (5, 1), (6, 0)], ([5, 6], [0])),  # as many as ([5], [0, 1]): more seeds
        ([(5, 0), (5, 1), (5, 2), (6, 0)], ([5], [0, 1, 2])),
        ([(5, 0), (5, 1), (5, 2), (6, 1), (6, 2), (7, 2)], ([5, 6], [1, 2])),
        ([(5, 0), (6, 1)], ([5], [0])),
        ([(5, 0), (5, 1), (5, 2), (6, 0), (6, 1), (6, 3)], ([5, 6], [0, 1])),  # no seed has these two alone
    ],
)
def test_the_largest_full_rectangle(pairs, expected):
    assert rectangle(pairs) == expected
    assert rectangle(reversed(pairs)) == expected


def test_no_rectangle_of_nothing():
    with pytest.raises(SpecError, match="at least one surface"):
        rectangle([])


def test_what_tasks_have_in_common_cancels_in_pairs():
    hardness = np.array([0.0, 5.0, 10.0]).reshape(3, 1, 1)
    shift = np.array([0.1, 0.2, 0.3]).reshape(3, 1, 1)
    found = paired_difference(hardness + shift, hardness, all_of(hardness))
    assert found.mean[0, 0] == pytest.approx(0.2)
    assert found.error[0, 0] == pytest.approx(0.1 / math.sqrt(3))
    assert found.higher.all()  # 0.2 > 1.96 * 0.0577, though each mean has an error of 2.9
    assert not found.lower.any()
    turned = paired_difference(hardness, hardness + shift, all_of(hardness))
    assert turned.lower.all()
    assert not turned.higher.any()


def test_a_difference_within_its_error_or_without_one_is_neither():
    values = np.array([[[1.0, 1.0, NAN, INF, 1.0]], [[-0.9, 1.0, 1.0, 1.0, 1.0]]])
    other = np.array([[[0.0, 1.0, 0.0, INF, 0.0]], [[0.0, 1.0, 0.0, 0.0, 0.0]]])
    done = all_of(values)
    done[0, 0, 4] = False
    found = paired_difference(values, other, done)
    np.testing.assert_allclose(found.mean, [[0.05, 0.0, NAN, NAN, NAN]])
    assert not (found.lower | found.higher).any()
    turned = paired_difference(other, values, done)
    assert not (turned.lower | turned.higher).any()
    one = paired_difference(values[:1], other[:1], done[:1])
    assert not (one.lower | one.higher).any()
    with pytest.raises(SpecError, match="paired values need one shape"):
        paired_difference(values, other[:1], done)
