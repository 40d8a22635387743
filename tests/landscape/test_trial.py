import dataclasses

import pytest
import torch

from raymaml import backends, models
from raymaml.errors import SpecError
from raymaml.landscape import trial
from raymaml.specs import NO_TASKS, GridSpec, PretrainingSpec, TransferSpec

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(spec):
    return models.initial_params(models.build(spec.model), 1)


def tried(surface_spec, monkeypatch, seconds):
    monkeypatch.setattr(trial, "_seconds", lambda execution, *_: seconds[execution.backend.name])
    return trial.run(surface_spec, None, None, CPU)


def test_a_trial_times_every_back_end_that_can(surface_spec, weights, images):
    found = trial.run(surface_spec, weights, images, CPU)
    assert list(found.seconds) == ["fused", "grouped", "plain", "vmap"]
    assert all(seconds > 0 for seconds in found.seconds.values())
    record = found.record()
    assert record["trial_seconds"] == found.seconds
    assert backends.recorded(record) == found.execution


def test_a_race_that_is_nearly_even_goes_to_the_usual_choice(surface_spec, monkeypatch):
    even = {"fused": 1.0, "grouped": 0.85, "plain": 1.5, "vmap": 2.0}
    assert tried(surface_spec, monkeypatch, even).execution == backends.Execution(backends.build("fused"))
    clear = {**even, "grouped": 0.8}
    assert tried(surface_spec, monkeypatch, clear).execution == backends.Execution(backends.build("grouped"), 4)


def test_only_large_surfaces_of_adapted_losses_are_worth_a_trial(surface_spec):
    assert not trial.needed(surface_spec)  # 3 tasks at 6 points
    large = dataclasses.replace(surface_spec, tasks=20, grid=GridSpec(5, 2))
    assert trial.needed(large)
    running = dataclasses.replace(surface_spec.model, norm=TransferSpec.norm)
    batches = dataclasses.replace(large, **NO_TASKS, learner=PretrainingSpec(), model=running)
    assert not trial.needed(batches)


def test_a_back_end_by_name(surface_spec):
    assert trial.untried(surface_spec, CPU).backend.name == "fused"
    assert trial.untried(surface_spec, CPU, "plain") == backends.PLAIN
    assert trial.untried(surface_spec, CPU, "vmap") == backends.Execution(backends.build("vmap"), 4)
    with pytest.raises(SpecError, match="graph does not compute this model on cpu; choose one of fused, grouped"):
        trial.untried(surface_spec, CPU, "graph")


def test_as_many_tasks_at_once_as_memory_holds():
    assert trial.most_at_once(3, 5, 100, 1000) == 39  # 1 + 2 T within 80 of 100
    assert trial.most_at_once(3, 5, 100, 25) == 25
    assert trial.most_at_once(90, 150, 10, 25) == 1
    assert trial.most_at_once(5, 5, 100, 25) == 25


def test_stores_of_before_are_plain():
    assert backends.recorded(None) == backends.PLAIN
    assert backends.recorded({"backend": "fused", "at_once": 1, "tf32": False}).backend.name == "fused"
