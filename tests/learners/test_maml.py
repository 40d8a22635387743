import pytest
import reference
import torch

from raymaml import learners, models
from raymaml.params import cast
from raymaml.specs import MamlSpec, ModelSpec, TaskSpec
from raymaml.tasks import TaskSampler


@pytest.fixture(scope="module")
def model():
    return models.build(ModelSpec("conv4", 1, 16, 5))


@pytest.fixture(scope="module")
def params(model):
    return cast(models.initial_params(model, 1), torch.float64)


@pytest.fixture(scope="module")
def task(images):
    return TaskSampler(images, "base", TaskSpec(5, 1, 3), seed=0, dtype=torch.float64).task(0)


def learner(order=1, steps=5, lr=0.05):
    return learners.build(MamlSpec(inner_lr=lr, inner_steps=steps, order=order))


def assert_close(found, expected):
    assert list(found) == list(expected)
    for name in expected:
        torch.testing.assert_close(
            found[name], expected[name], rtol=1e-7, atol=1e-10, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("steps", [0, 1, 5])
def test_the_meta_gradient_equals_the_one_by_hand(model, params, task, order, steps):
    found = learner(order, steps).task_gradients(model, params, [task])[0]
    assert_close(found.grads, reference.meta_gradient(params, task, 0.05, steps, order))
    assert found.loss == pytest.approx(reference.query_loss(params, task, 0.05, steps), rel=1e-9)
    assert found.accuracy == learner().evaluate(model, params, task, steps)[1]


def test_the_two_orders_differ(model, params, task):
    first, second = (learner(order).task_gradients(model, params, [task])[0].grads for order in (1, 2))
    assert not torch.allclose(first["head.weight"], second["head.weight"], rtol=1e-3)


def test_second_order_is_the_slope_of_the_adapted_loss(model, params, task):
    # Finite differences share no derivative with autograd.
    generator = torch.Generator().manual_seed(0)
    direction = {n: torch.randn(v.shape, generator=generator, dtype=v.dtype) for n, v in params.items()}
    grads = learner(order=2, steps=2).task_gradients(model, params, [task])[0].grads
    slope = sum((grads[n] * direction[n]).sum().item() for n in params)
    h = 1e-7
    ahead, behind = (
        learner(steps=2).evaluate(model, {n: params[n] + s * h * direction[n] for n in params}, task, 2)[0]
        for s in (1, -1)
    )
    assert (ahead - behind) / (2 * h) == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("steps", [0, 1, 10])
def test_adaptation_equals_the_one_by_hand(model, params, task, steps):
    start = {n: v.clone().requires_grad_() for n, v in params.items()}
    expected = {n: v.detach() for n, v in reference.adapt(start, task, 0.05, steps).items()}
    assert_close(learner().adapt(model, params, task, steps), expected)


def test_adapted_weights_carry_no_graph_and_the_start_is_untouched(model, params, task):
    before = {n: v.clone() for n, v in params.items()}
    adapted = learner().adapt(model, params, task, 3)
    assert not any(v.requires_grad for v in adapted.values())
    assert all(torch.equal(params[n], before[n]) for n in params)
    assert not any(v.requires_grad for v in params.values())


def test_batch_norm_affine_and_biases_adapt(model, params, task):
    adapted = learner().adapt(model, params, task, 1)
    for name in ("blocks.0.norm.weight", "blocks.3.norm.bias", "head.bias", "head.weight"):
        assert not torch.equal(adapted[name], params[name])


def test_a_trace_follows_one_adaptation(model, params, images, monkeypatch):
    seen = {True: 0, False: 0}  # images passed forward, with and without a gradient
    run = models._run

    def count(model, params, x, **how):
        seen[torch.is_grad_enabled()] += len(x)
        return run(model, params, x, **how)

    sampler = TaskSampler(images, "base", TaskSpec(5, 1, 3), seed=0, dtype=torch.float64)
    with monkeypatch.context() as patched:
        patched.setattr(models, "_run", count)
        found = learner().tracer(model, sampler, [0, 2, 3], [1, 3])([params], [1])[0]
    assert seen == {True: 3 * 5, False: 3 * (5 * 1 + 5 * 3 + 5)}  # three steps; both query sets and the support set
    for k, steps in enumerate((0, 2, 3)):
        for q, query in enumerate((1, 3)):
            alone = TaskSampler(images, "base", TaskSpec(5, 1, query), seed=0, dtype=torch.float64)
            assert (found.loss[k][q], found.accuracy[k][q]) == learner().scorer(model, params, alone, steps)([1])[0]
        expected = reference.support_loss(params, sampler.task(1), 0.05, steps)
        assert found.support_loss[k] == pytest.approx(expected, rel=1e-8)


def test_accuracy_counts_right_answers_and_no_nans(model, params, task):
    loss, accuracy = learner().evaluate(model, params, task, 10)
    adapted = reference.adapt({n: v.clone().requires_grad_() for n, v in params.items()}, task, 0.05, 10)
    right = (reference.conv_net(adapted, task.query_x).argmax(1) == task.query_y).double().mean().item()
    assert accuracy == right
    assert loss == pytest.approx(reference.query_loss(params, task, 0.05, 10), rel=1e-8)
    broken = {n: v * float("nan") for n, v in params.items()}
    assert learner().evaluate(model, broken, task, 1)[1] == 0.0
