import dataclasses

import pytest
import torch

from raymaml import cost, training
from raymaml.presets import train_spec
from raymaml.runs import SeedDir


def counted(spec, images, tmp_path, monkeypatch):
    """Passes of images through the network while a run trains: (forward, forward with a gradient)."""
    from raymaml import backends, models

    seen = {True: 0, False: 0}
    run = models._run

    def count(model, params, x, **how):
        seen[torch.is_grad_enabled()] += len(x)
        return run(model, params, x, **how)

    monkeypatch.setattr(models, "_run", count)
    monkeypatch.setattr(backends, "preferred", lambda model, device: backends.PLAIN)  # which runs the network as it is
    training.train(spec, images, seed=5, directory=SeedDir(tmp_path / "seed-5"))
    return seen[False] + 3 * seen[True]


@pytest.mark.parametrize("monitor", [0, 4])
def test_the_cost_of_maml_is_what_a_run_passes_through_the_network(spec, images, tmp_path, monkeypatch, monitor):
    spec = dataclasses.replace(spec, updates=5, monitor_every=monitor, monitor_tasks=2)
    found = cost.training_cost(spec)
    assert found.passes == counted(spec, images, tmp_path, monkeypatch)
    assert found.tasks == 5 * 4 + 3 * 3 + 3 + (2 * 2 if monitor else 0)
    assert found.batches == 0


def test_the_cost_of_transfer_learning_is_at_least_what_a_run_passes(images, tmp_path, monkeypatch):
    spec = train_spec(
        images, "demo", method="transfer", updates=6, batch=40, query=2, test_query=2, validate_every=2,
        val_tasks=10, test_tasks=10, head_epochs=1,
    )  # fmt: skip
    found = cost.training_cost(spec)
    passes = counted(spec, images, tmp_path, monkeypatch)
    assert (found.batches, found.tasks) == (6, 3 * 10 + 10)
    assert 6 * 40 * 3 < passes <= found.passes


def test_what_was_done_before_an_interruption_is_not_counted(spec):
    whole, rest, done = (cost.training_cost(spec, step) for step in (0, 2, spec.updates))
    assert whole.tasks - rest.tasks == 2 * 4 + 3  # two updates and a validation
    assert done == cost.evaluation_cost(spec, spec.test_tasks, spec.test_query, spec.test_steps)


def test_a_measurement_is_positive_and_grows_with_the_model(spec):
    device = torch.device("cpu")
    small = cost.seconds_per_pass(spec.model, device)
    large = cost.seconds_per_pass(dataclasses.replace(spec.model, image_size=84), device)
    assert 0 < small < large
