import warnings

import numpy as np

from raymaml.exports.means import mean_of


def test_the_error_is_that_of_the_mean_over_tasks(means):
    assert means.loss.mean[1, 0] == 11.5
    assert means.loss.error[1, 0] == np.std([11, 12], ddof=1) / np.sqrt(2)


def test_a_cell_is_computed_when_all_its_tasks_are(means):
    assert means.computed.tolist() == [[True, True], [True, False], [True, True]]
    assert np.isnan(means.loss.mean[1, 1])
    assert np.isnan(means.accuracy.error[1, 1])


def test_a_diverged_task_makes_its_cell_diverge(means):
    assert np.isnan(means.loss.mean[2, 0])
    assert means.loss.mean[0, 1] == np.inf
    assert np.isfinite(means.accuracy.mean[2, 0])


def test_one_task_has_no_error():
    with warnings.catch_warnings(action="error"):  # NumPy warns of it
        mean = mean_of(np.ones((1, 3, 2), np.float32), np.ones((1, 3, 2), np.bool_))
    assert (mean.mean == 1).all()
    assert np.isnan(mean.error).all()
