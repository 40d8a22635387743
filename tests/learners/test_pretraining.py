import numpy as np
import pytest
import torch

from raymaml import models
from raymaml.learners import Pretraining
from raymaml.learners.base import score_logits
from raymaml.params import cast
from raymaml.presets import train_spec
from raymaml.specs import PretrainingSpec, TaskSpec
from raymaml.tasks import TaskSampler


@pytest.fixture(scope="module")
def model(images):
    return models.build(train_spec(images, "demo", method="transfer", updates=1).model)


@pytest.fixture(scope="module")
def sampler(images):
    return TaskSampler(images, "base", TaskSpec(2, 1, 1), seed=3, dtype=torch.float64)


@pytest.mark.parametrize("norm", ["batch", "running"])
def test_an_evaluation_moves_no_statistics(model, sampler, norm):
    params = cast(models.initial_params(model, 1), torch.float64)
    before = cast(params, torch.float64)
    trace = Pretraining(PretrainingSpec(batch=40, norm=norm)).tracer(model, sampler, (0,), (1,))
    [first] = trace([params], [0])
    assert trace([params, params], [1, 0])[1] == first
    assert all(torch.equal(params[name], value) for name, value in before.items())


def test_batches_are_parts_of_one_order_with_the_labels_of_the_classes(images, sampler):
    learner = Pretraining(PretrainingSpec(batch=40))
    batches = [learner.batch(sampler, number) for number in range(6)]
    drawn = torch.cat([x for x, _ in batches])
    rows = sampler.pixels.normalised(np.arange(240))  # the base split is classes 0 to 11, of 20 images each
    places = [int((rows == x).flatten(1).all(1).nonzero()) for x in drawn]
    assert sorted(places) == list(range(240))
    assert places != list(range(240))
    assert torch.cat([y for _, y in batches]).tolist() == [place // 20 for place in places]
    again = Pretraining(PretrainingSpec(batch=40)).batch(sampler, 4)
    assert torch.equal(again[0], batches[4][0])
    assert learner.batch(sampler, 4)[0] is batches[4][0]  # kept, not gathered again at each point


def test_only_so_many_batches_are_kept(sampler, monkeypatch):
    learner = Pretraining(PretrainingSpec(batch=40))
    monkeypatch.setattr("raymaml.learners.pretraining.KEPT_BYTES", 2 * 40 * 16 * 16 * 8)
    kept = [learner.batch(sampler, number)[0] is learner.batch(sampler, number)[0] for number in range(4)]
    assert kept == [True, True, False, False]


def test_running_statistics_are_used_where_they_are_asked_for(model, sampler):
    params = cast(models.initial_params(model, 1), torch.float64)
    learner = Pretraining(PretrainingSpec(batch=40, norm="running"))
    found = learner.tracer(model, sampler, (0,), (1,))([params], [2])[0]
    x, y = learner.batch(sampler, 2)
    with torch.no_grad():
        loss, accuracy = score_logits(models.apply(model, params, x), y)
    assert (found.loss, found.accuracy, found.support_loss) == ([[loss]], [[accuracy]], [loss])
