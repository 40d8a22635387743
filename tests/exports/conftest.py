import numpy as np
import pytest

from raymaml.exports.means import Means, mean_of


def values(offset):
    """(task, alpha, beta) of 2 tasks on 3 alphas x 2 betas; no axis can be taken for another."""
    task, alpha, beta = np.indices((2, 3, 2))
    return offset + task + 10.0 * alpha + 100 * beta


@pytest.fixture
def means() -> Means:
    """Cell (2, 0) diverged, cell (1, 1) has one task left to compute; the means are offset + 0.5 + 10 a + 100 b."""
    done = np.ones((2, 3, 2), np.bool_)
    done[1, 1, 1] = False
    loss, accuracy, support = values(1), values(2) / 1000, values(3)
    loss[0, 2, 0], loss[0, 0, 1] = np.nan, np.inf
    return Means(
        np.array([-1.0, 0.0, 2.0]),
        np.array([-0.5, 0.25]),
        loss=mean_of(loss, done),
        accuracy=mean_of(accuracy, done),
        support_loss=mean_of(support, done),
        tasks_done=done.sum(axis=0),
        tasks=2,
        step=5,
        query=15,
    )
