import dataclasses
import math

import numpy as np
import pytest
import reference
import torch

from raymaml import learners, models, presets, streams, training
from raymaml.errors import SpecError
from raymaml.learners.transfer import PretrainingObjective
from raymaml.params import cast
from raymaml.pixels import PixelSource
from raymaml.runs import SeedDir
from raymaml.specs import TaskSpec, TransferSpec
from raymaml.tasks import TaskSampler


@pytest.fixture(scope="module")
def spec(images):
    # 12 base classes of 20 images in batches of 50: 4 whole batches and one of 40.
    return presets.train_spec(
        images, "demo", method="transfer", updates=7, validate_every=2, val_tasks=3, test_tasks=4, batch=50, query=2,
        test_query=4, precision="float64",
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(spec):
    return models.build(spec.model)


@pytest.fixture(scope="module")
def params(model):
    fresh = cast(models.initial_params(model, 1), torch.float64)
    generator = torch.Generator().manual_seed(0)
    for name, value in fresh.items():  # statistics that are not those of any batch
        if "running" in name:
            fresh[name] = value + torch.rand(value.shape, generator=generator, dtype=value.dtype)
    return fresh


@pytest.fixture(scope="module")
def sampler(images):
    return TaskSampler(images, "novel", TaskSpec(5, 3, 4), seed=2, dtype=torch.float64)


def by_hand(params, sampler, number, steps, spec):
    """Loss and accuracy of a task from the reference network and the reference SGD."""
    task, key = sampler.task(number), ("patterns", "novel", 2, number)
    support, query = (reference.conv_features(params, x) for x in (task.support_x, task.query_x))
    values = torch.from_numpy(2 * streams.uniforms(5 * (support.shape[1] + 1), "head", *key) - 1)
    values /= math.sqrt(support.shape[1])
    weight, bias = values[:-5].view(5, -1), values[-5:]
    batches = []
    for epoch in range(steps):
        order = streams.permutation(len(support), "head batches", *key, epoch)
        batches += [order[i : i + spec.head_batch] for i in range(0, len(order), spec.head_batch)]
    weight, bias = reference.fit_head(support, task.support_y, weight, bias, batches[:steps])
    logits = query @ weight.T + bias
    right = (logits.argmax(1) == task.query_y).double().mean().item()
    return reference.cross_entropy(logits, task.query_y).item(), right


@pytest.mark.parametrize("steps", [0, 1, 4, 30])
def test_scores_equal_the_ones_by_hand(model, params, sampler, spec, steps):
    learner = learners.build(spec.learner)
    score = learner.scorer(model, params, sampler, steps)
    for number in (0, 3):
        expected = by_hand(params, sampler, number, steps, spec.learner)
        assert score([number])[0] == pytest.approx(expected, rel=1e-9)
        assert learner.evaluate(model, params, sampler.task(number), steps) == pytest.approx(expected, rel=1e-9)


def test_a_score_does_not_depend_on_what_was_scored_before(model, params, sampler, spec):
    learner = learners.build(spec.learner)
    alone = learner.scorer(model, params, sampler, 5)([4])[0]
    score = learner.scorer(model, params, sampler, 5)
    assert score([2, 4, 0])[1] == alone


def test_a_trace_follows_one_fit_of_a_head(model, params, images, sampler, spec):
    learner = learners.build(spec.learner)
    found = learner.tracer(model, sampler, [0, 1, 5], [1, 4])([params], [3])[0]
    states = list(learner.trajectory(model, params, sampler.task(3), [0, 1, 5]))
    for k, steps in enumerate((0, 1, 5)):
        for q, query in enumerate((1, 4)):
            alone = TaskSampler(images, "novel", TaskSpec(5, 3, query), seed=2, dtype=torch.float64)
            assert (found.loss[k][q], found.accuracy[k][q]) == learner.scorer(model, params, alone, steps)([3])[0]
        task = sampler.task(3)
        logits = reference.conv_features(states[k], task.support_x) @ states[k]["head.weight"].T
        expected = reference.cross_entropy(logits + states[k]["head.bias"], task.support_y).item()
        assert found.support_loss[k] == pytest.approx(expected, rel=1e-9)
    assert len(set(found.support_loss)) == 3


def test_an_adapted_model_has_the_head_of_the_task_and_the_backbone_as_it_was(model, params, sampler, spec):
    task = sampler.task(0)
    adapted = learners.build(spec.learner).adapt(model, params, task, 8)
    assert adapted["head.weight"].shape == (5, params["head.weight"].shape[1])
    assert all(torch.equal(adapted[n], params[n]) for n in params if not n.startswith("head."))
    logits = reference.conv_features(adapted, task.query_x) @ adapted["head.weight"].T + adapted["head.bias"]
    expected = by_hand(params, sampler, 0, 8, spec.learner)[0]
    assert reference.cross_entropy(logits, task.query_y).item() == pytest.approx(expected, rel=1e-9)


def objective(spec, images, augment=False):
    source = PixelSource(images, torch.float64, "cpu", augment)
    return PretrainingObjective(spec.learner, models.build(spec.model), source, images, 5)


def test_an_epoch_holds_every_base_image_once_with_its_class(spec, images):
    found = objective(spec, images)
    for epoch in range(2):
        batches = [found.batch(5 * epoch + k) for k in range(5)]
        assert [len(x) for x, _ in batches] == [50, 50, 50, 50, 40]
        labels = torch.cat([y for _, y in batches])
        assert torch.equal(labels.bincount(), torch.full((12,), 20))
        pixels = torch.cat([x for x, _ in batches])
        first = TaskSampler(images, "base", TaskSpec(), seed=0, dtype=torch.float64).pixels
        expected = first.normalised(np.concatenate([images.rows_of_class[c] for c in range(12)]))
        order = sorted(range(240), key=lambda i: (labels[i].item(), pixels[i].flatten().tolist()))
        by_class = sorted(range(240), key=lambda i: (i // 20, expected[i].flatten().tolist()))
        assert torch.equal(pixels[order], expected[by_class])
    assert not torch.equal(found.batch(0)[0], found.batch(5)[0])  # a new order in each epoch


def test_a_batch_depends_on_seed_and_count_alone(spec, images):
    ahead, behind = objective(spec, images), objective(spec, images)
    ahead.batch(11)
    assert torch.equal(ahead.batch(3)[0], behind.batch(3)[0])
    other = PretrainingObjective(spec.learner, behind.model, behind.pixels, images, 6)
    assert not torch.equal(other.batch(3)[0], behind.batch(3)[0])


def test_the_gradient_and_the_running_statistics_are_the_ones_by_hand(spec, images, params):
    mine = {n: v.clone() for n, v in params.items()}
    found = objective(spec, images).gradients(mine, 1, [0])[0]
    x, y = objective(spec, images).batch(1)
    leaves = {n: v.clone().requires_grad_() for n, v in params.items() if "running" not in n}
    loss = reference.cross_entropy(reference.conv_net(leaves, x), y)
    expected = dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))
    assert found.loss == pytest.approx(loss.item(), rel=1e-10)
    for name, grad in found.grads.items():
        torch.testing.assert_close(grad, expected[name], rtol=1e-7, atol=1e-10)
    assert set(found.grads) == set(expected)
    first = torch.nn.functional.conv2d(x, params["blocks.0.conv.weight"], params["blocks.0.conv.bias"], padding=1)
    for statistic, batch in (("mean", first.mean((0, 2, 3))), ("var", first.var((0, 2, 3)))):  # the unbiased variance
        before = params[f"blocks.0.norm.running_{statistic}"]
        torch.testing.assert_close(mine[f"blocks.0.norm.running_{statistic}"], 0.9 * before + 0.1 * batch)


def test_training_learns_and_resumes_to_the_same_weights(spec, images, tmp_path, monkeypatch):
    whole, parts = SeedDir(tmp_path / "whole"), SeedDir(tmp_path / "parts")
    score = training.train(spec, images, seed=5, directory=whole)
    update = training.Trainer.update

    def crash(trainer):
        if trainer.step == 4:
            raise RuntimeError
        update(trainer)

    with monkeypatch.context() as patched:
        patched.setattr(training.Trainer, "update", crash)
        with pytest.raises(RuntimeError):
            training.train(spec, images, seed=5, directory=parts)
    assert training.train(spec, images, seed=5, directory=parts) == score
    for which in ("last", "best"):
        ours, theirs = (training.checkpoints.load(getattr(d, which)).params for d in (parts, whole))
        assert all(torch.equal(ours[n], theirs[n]) for n in theirs)
    rows = whole.read_metrics()
    assert rows[-1]["train_loss"] < rows[0]["train_loss"] - 0.3
    means = training.checkpoints.load(whole.last).params["blocks.0.norm.running_mean"]
    assert means.abs().max() > 0  # statistics are part of a checkpoint


def test_epochs_are_counted_in_updates(images):
    spec = presets.train_spec(images, "demo", method="transfer", epochs=3, batch=50, head_epochs=100)
    assert (spec.updates, spec.validate_every) == (15, 5)
    assert (spec.learner.head_updates, spec.test_steps) == (200, 200)  # 5 images in batches of 4: two per epoch
    assert spec.model.outputs == 12


def test_compat_names_every_value_in_which_text_and_code_disagree(images):
    as_code, as_text = (presets.train_spec(images, "thesis", compat=c) for c in ("code", "text"))
    assert (as_code.task.query, as_code.learner.outer_reduce, as_code.test_steps) == (16, "sum", 5)
    assert (as_text.task.query, as_text.learner.outer_reduce, as_text.test_steps) == (15, "mean", 10)
    cub = dataclasses.replace(images, name="cub-224")
    transfer = [presets.train_spec(cub, "thesis", method="transfer", compat=c) for c in ("code", "text")]
    assert [t.updates for t in transfer] == [1_000 * 2, 60_000]  # 240 images: two batches of 128 per epoch
    assert [t.test_steps for t in transfer] == [200, 10]
    assert presets.train_spec(cub, "thesis", method="transfer", compat="code", updates=9).updates == 9
    assert transfer[0].model.outputs == 200


@pytest.mark.parametrize(
    ("method", "change", "message"),
    [
        ("transfer", {"inner_lr": 0.1}, "inner_lr: not a value of method transfer"),
        ("maml", {"epochs": 3}, "epochs: not a value of method maml"),
        ("maml", {"monitor_every": 3}, "monitor_every must be 0 or a multiple of validate_every"),
    ],
)
def test_a_value_of_another_method_is_refused(images, method, change, message):
    with pytest.raises(SpecError, match=message):
        presets.train_spec(images, "demo", method=method, **change)


def test_a_model_of_the_other_methods_normalisation_is_refused(spec):
    with pytest.raises(SpecError, match="transfer needs a model with running statistics"):
        dataclasses.replace(spec, model=dataclasses.replace(spec.model, norm="batch"))


def test_a_head_that_is_too_small_is_refused(spec, images):
    small = dataclasses.replace(spec, model=dataclasses.replace(spec.model, outputs=11))
    with pytest.raises(SpecError, match="the head needs an output for each of the 12 base classes, got 11"):
        training.check(small, images)


def test_specifications_of_both_kinds_survive_json(spec, images):
    for whole in (spec, presets.train_spec(images, "demo")):
        assert type(whole).from_dict(whole.to_dict()) == whole
    values = spec.to_dict() | {"learner": {"kind": "reptile"}}
    with pytest.raises(SpecError, match="kind must be one of maml, transfer, got 'reptile'"):
        type(spec).from_dict(values)
    assert TransferSpec().validation_steps == 10
