"""The published way and ours are timed on the same numbers."""

import numpy as np
import pytest
import torch

from raymaml.bench import work
from raymaml.bench.setting import Setting

SETTINGS = [
    Setting("conv4", 28, "float64", steps=3),
    Setting("conv4", 84, "float64", steps=2, query=2),
    Setting("conv6", 28, "float64", steps=2, query=2),
    Setting("resnet10", 224, "float64", steps=1, query=1),
    Setting("resnet18", 224, "float64", steps=1, query=1),
]


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.key)
def test_both_ways_evaluate_to_the_same_losses(setting):
    tasks, points = (1, 1) if setting.image_size == 224 else (2, 2)
    published = work.published_surface(setting, tasks, points)()
    ours = work.our_surface(setting, tasks, points)()
    assert ours.loss.shape == (tasks, 1, 1, 1, points)
    np.testing.assert_allclose(np.array(published).T, ours.loss[:, 0, 0, 0, :], rtol=1e-9)


def test_both_ways_train_to_the_same_weights():
    setting = Setting("conv4", 28, "float64")
    published, ours = work.published_training(setting, 2)(), work.our_training(setting, 2)()
    start = setting.weights
    assert ours.step == 2
    for name, weights in published.weights.items():
        assert not torch.equal(weights, start[name].double()), name
        torch.testing.assert_close(weights.detach(), ours.params[name].detach(), rtol=1e-6, atol=1e-9)
