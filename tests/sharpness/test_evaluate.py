import dataclasses
import math

import numpy as np
import pytest
import reference
import torch

from raymaml import backends, learners, models
from raymaml.errors import MismatchError, SpecError
from raymaml.params import cast, from_vector
from raymaml.sharpness.evaluate import Measurement, Problem, SharpnessEvaluator, sharpness_evaluator
from raymaml.tasks import TaskSampler

RHO = 0.05


def problem_of_loss(adapt, loss, key):
    """A problem whose losses and gradients are those of one differentiable function."""

    def gradient(weights):
        leaves = {name: value.detach().requires_grad_() for name, value in weights.items()}
        value = loss(leaves)
        return value.item(), dict(zip(leaves, torch.autograd.grad(value, list(leaves.values())), strict=True))

    return Problem(adapt, lambda start: loss(adapt(start)).item(), gradient, loss, key)


@pytest.fixture(scope="module")
def weights(spec):
    return models.initial_params(models.build(spec.model), 1)


@pytest.fixture(scope="module")
def evaluator(sharp_spec, weights, images):
    return sharpness_evaluator(sharp_spec, weights, images)


@pytest.fixture(scope="module")
def tasks(sharp_spec, images):
    sampler = TaskSampler(images, "novel", sharp_spec.task, seed=0, dtype=torch.float64)
    return [sampler.task(i) for i in range(3)]


def by_hand(params, gradient, task, spec, *, skip_one_axis=True):
    """Loss at the weights a step of length rho along the gradient, with plain loops over named tensors."""
    length = math.sqrt(sum(float((g**2).sum()) for g in gradient.values()))
    moved = {}
    for name, value in params.items():
        moved[name] = value.clone()
        if not skip_one_axis or ("bias" not in name and "norm" not in name):
            moved[name] += RHO * gradient[name] / length
    return reference.query_loss(moved, task, spec.learner.inner_lr, spec.steps)


@pytest.mark.parametrize("perturb", ["weights", "all"])
def test_the_sharpness_of_a_task_equals_the_one_by_hand(sharp_spec, weights, images, tasks, perturb):
    spec = dataclasses.replace(sharp_spec, perturb=perturb)
    found = sharpness_evaluator(spec, weights, images).part(range(3), ["standard"])
    params, lr = cast(weights, torch.float64), spec.learner.inner_lr
    for i, task in enumerate(tasks):
        gradient = reference.meta_gradient(params, task, lr, spec.steps, order=1)
        before = reference.query_loss(params, task, lr, spec.steps)
        after = by_hand(params, gradient, task, spec, skip_one_axis=perturb == "weights")
        assert found["loss0"][i] == pytest.approx(before, rel=1e-9)
        assert found["loss_standard"][i] == pytest.approx(after, rel=1e-9)
        assert found["sharpness_standard"][i] == pytest.approx(after - before, rel=1e-6)
        length = math.sqrt(sum(float((g**2).sum()) for g in gradient.values()))
        assert found["gradient_norm"][i] == pytest.approx(length, rel=1e-9)


def test_the_loss_is_that_of_an_evaluation_exactly(evaluator, sharp_spec, weights, tasks):
    model = models.build(sharp_spec.model)
    learner = learners.build(sharp_spec.learner, backends.preferred(model, "cpu"))
    plain = cast(weights, torch.float64)
    expected = [learner.evaluate(model, plain, task, sharp_spec.steps)[0] for task in tasks]
    assert evaluator.part(range(3), ["standard"])["loss0"].tolist() == expected


def brute_force_gradient(params, tasks, lr, steps):
    """One graph of the mean loss of all tasks, differentiated at once: what the thesis calls impossible."""
    start = {name: value.clone().requires_grad_() for name, value in params.items()}
    losses = [
        reference.cross_entropy(reference.conv_net(reference.adapt(start, task, lr, steps), task.query_x), task.query_y)
        for task in tasks
    ]
    grads = torch.autograd.grad(sum(losses) / len(losses), list(start.values()))
    return dict(zip(start, grads, strict=True))


def test_the_sharpness_of_the_mean_loss_equals_the_one_of_a_single_graph(sharp_spec, weights, images, tasks):
    spec = dataclasses.replace(sharp_spec, tasks=3)
    evaluator = sharpness_evaluator(spec, weights, images)
    params, lr = cast(weights, torch.float64), spec.learner.inner_lr
    gradient = brute_force_gradient(params, tasks, lr, spec.steps)

    first, rest = (evaluator.part(r, ["gradient"]) for r in (range(1), range(1, 3)))
    mean = (first["gradient_sum"] + rest["gradient_sum"]) / 3
    for name, value in from_vector(torch.from_numpy(mean), params).items():
        torch.testing.assert_close(value, gradient[name], rtol=1e-7, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}")

    loss0 = np.concatenate([first["loss0"], rest["loss0"]])
    found = evaluator.averaged(range(3), lambda: mean, loss0)
    after = [by_hand(params, gradient, task, spec) for task in tasks]
    before = [reference.query_loss(params, task, lr, spec.steps) for task in tasks]
    np.testing.assert_allclose(found["loss_averaged"], after, rtol=1e-9)
    assert found["sharpness_averaged"].mean() == pytest.approx(np.mean(after) - np.mean(before), rel=1e-6)


def test_the_mean_loss_is_less_sharp_than_the_tasks_are_on_average(sharp_spec, weights, images):
    # Each task's own step raises it most; one step for all cannot (to first order).
    evaluator = sharpness_evaluator(dataclasses.replace(sharp_spec, rho=1e-3), weights, images)
    found = evaluator.part(range(13), ["standard", "gradient"])
    together = evaluator.averaged(range(13), lambda: found["gradient_sum"] / 13, found["loss0"])
    assert 0 < together["sharpness_averaged"].mean() < found["sharpness_standard"].mean()


EVERYTHING = ["standard", "adaptive", "linf", "average", "hessian", "gradient"]


@pytest.fixture(scope="module", params=["float32", "float64"])
def whole(request, sharp_spec, weights, images):
    """A specification, and two tasks measured together in every way."""
    spec = dataclasses.replace(sharp_spec, precision=request.param)
    return spec, sharpness_evaluator(spec, weights, images).part(range(2), EVERYTHING)


@pytest.mark.parametrize("measures", [["standard"], ["adaptive", "linf", "average"], ["hessian", "gradient"]])
def test_a_value_does_not_depend_on_its_part_or_on_other_measures(whole, weights, images, measures):
    spec, expected = whole
    found = sharpness_evaluator(spec, weights, images).part(range(1, 2), measures)
    for name, row in found.items():
        if name != "gradient_sum":
            assert row == expected[name][1:], name


def test_random_directions_differ_between_tasks_and_have_the_given_length(sharp_spec, evaluator):
    seen = []
    for number in (0, 1):
        at = Measurement(sharp_spec, evaluator.centre, evaluator.problem(number))
        for eps in at._perturbations("average"):
            assert math.sqrt(sum(float(v.square().sum()) for v in eps.values())) == pytest.approx(RHO, rel=1e-9)
            assert not any(v.any() for v in eps.values() if v.dim() == 1)
            seen.append(eps["head.weight"][0, 0].item())
    assert len(set(seen)) == 4


def test_the_average_is_the_mean_over_the_directions(sharp_spec, evaluator):
    at = Measurement(sharp_spec, evaluator.centre, evaluator.problem(0))
    losses = [
        at.problem.adapted_loss({n: v + eps[n] for n, v in evaluator.centre.items()})
        for eps in at._perturbations("average")
    ]
    assert at.numbers("average")["loss_average"] == pytest.approx(sum(losses) / 2, rel=1e-12)
    assert losses[0] != losses[1]


def test_other_images_than_the_runs_are_refused(sharp_spec, weights, images):
    with pytest.raises(MismatchError, match="patterns has other images here"):
        sharpness_evaluator(sharp_spec, weights, dataclasses.replace(images, mean=(0.5,)))


def test_tasks_that_the_data_cannot_supply_are_refused(sharp_spec, weights, images):
    spec = dataclasses.replace(sharp_spec, task=dataclasses.replace(sharp_spec.task, query=30))
    with pytest.raises(SpecError, match="too few for 1 support and 30 query images"):
        sharpness_evaluator(spec, weights, images)


def test_a_diverged_task_is_kept_as_it_is(sharp_spec, weights, images):
    huge = dataclasses.replace(sharp_spec, learner=dataclasses.replace(sharp_spec.learner, inner_lr=1e200))
    found = sharpness_evaluator(huge, weights, images).part(range(2), ["standard", "adaptive", "linf", "hessian"])
    assert not np.isfinite(found["loss0"]).any()
    assert all(np.isnan(found[n]).all() for n in ("sharpness_standard", "eigenvalue", "trace"))


# --- closed forms: the loss of a task is w A w / 2 + b w, and the inner loop is gradient descent on |w|^2 / 2


LR, STEPS, SHRUNK = 0.1, 3, 0.9**3
A = torch.tensor([[4.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, -2.0]], dtype=torch.float64)
B = torch.tensor([0.3, -0.2, 0.7], dtype=torch.float64)
W = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)  # two axes: not a bias


def quadratic(number=0):
    def adapt(start):
        fast = {"w": start["w"].detach()}
        for _ in range(STEPS):
            fast = {"w": fast["w"] - LR * fast["w"]}
        return fast

    def loss(weights):
        w = weights["w"].flatten()
        return w @ A @ w / 2 + (number + 1) * (B @ w)

    return problem_of_loss(adapt, loss, ("quadratic", number))


@pytest.fixture
def closed(sharp_spec):
    spec = dataclasses.replace(sharp_spec, tasks=2, rho=0.3, adaptive_rho=0.4, linf_rho=0.2, directions=1, probes=3)
    return SharpnessEvaluator(spec, {"w": W}, quadratic)


def rise(eps, number=0):
    """loss(0.9^3 (w + eps)) - loss(0.9^3 w) of the quadratic, in numpy."""
    a, b, w = A.numpy(), (number + 1) * B.numpy(), W.flatten().numpy()
    after, before = (v @ a @ v / 2 + b @ v for v in (SHRUNK * (w + eps), SHRUNK * w))
    return after - before


def gradient(number=0):
    return A.numpy() @ (SHRUNK * W.flatten().numpy()) + (number + 1) * B.numpy()


def test_a_quadratic_gives_its_closed_forms(closed):
    found = closed.part(range(2), ["standard", "adaptive", "linf", "hessian"])
    w = W.flatten().numpy()
    for t in (0, 1):
        g = gradient(t)
        expected = {
            "standard": rise(0.3 * g / np.linalg.norm(g), t),
            "adaptive": rise(0.4 * w**2 * g / np.linalg.norm(abs(w) * g), t),
            "linf": rise(0.2 * np.sign(g), t),
        }
        for measure, value in expected.items():
            assert found[f"sharpness_{measure}"][t] == pytest.approx(value, rel=1e-10), measure
        assert found["gradient_norm"][t] == pytest.approx(np.linalg.norm(g), rel=1e-12)
    np.testing.assert_allclose(found["eigenvalue"], np.linalg.eigvalsh(A.numpy())[-1], rtol=1e-9)


def test_the_averaged_sharpness_of_a_quadratic_is_that_of_its_mean(closed):
    sums = closed.part(range(2), ["gradient"])
    mean = sums["gradient_sum"] / 2
    np.testing.assert_allclose(mean, (gradient(0) + gradient(1)) / 2, rtol=1e-12)
    found = closed.averaged(range(2), lambda: mean, sums["loss0"])
    eps = 0.3 * mean / np.linalg.norm(mean)
    np.testing.assert_allclose(found["sharpness_averaged"], [rise(eps, 0), rise(eps, 1)], rtol=1e-10)


def test_many_probes_find_the_trace(closed):
    spec = dataclasses.replace(closed.spec, probes=400)
    found = Measurement(spec, {"w": W}, quadratic()).numbers("hessian")["trace"]
    # v A v = trace + 2 (A01 v0 v1 + A12 v1 v2): variance 4 (1 + 1/4) = 5 per probe.
    assert found == pytest.approx(5.0, abs=4 * math.sqrt(5 / 400))
    assert found != 5.0


def test_signs_find_the_trace_of_a_diagonal_at_once(closed):
    diagonal = torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64)
    problem = problem_of_loss(dict, lambda w: (diagonal * w["w"].flatten() ** 2).sum() / 2, ("diagonal",))
    found = Measurement(closed.spec, {"w": W}, problem).numbers("hessian")
    assert found["trace"] == pytest.approx(7.0, rel=1e-12)
    assert found["eigenvalue"] == pytest.approx(4.0, rel=1e-9)


def test_the_hessian_is_taken_at_the_adapted_weights(closed):
    problem = problem_of_loss(quadratic().adapt, lambda w: (w["w"] ** 3).sum() / 6, ("cubic",))
    found = Measurement(closed.spec, {"w": W}, problem).numbers("hessian")
    assert found["eigenvalue"] == pytest.approx(SHRUNK * 1.0, rel=1e-9)
    assert found["trace"] == pytest.approx(SHRUNK * (1.0 - 2.0 + 0.5), rel=1e-9)


# --- scale invariance (Kwon et al. 2021)


def scaled(weights, factor):
    """Conv filters and their biases, which batch norm makes irrelevant but for its floor of 1e-5."""
    changed = dict(weights)
    for name in ("blocks.1.conv.weight", "blocks.1.conv.bias"):
        changed[name] = weights[name] * factor
    return changed


def test_the_adaptive_measure_alone_does_not_see_the_scale_of_filters(sharp_spec, weights, images):
    spec = dataclasses.replace(sharp_spec, steps=0, tasks=2, adaptive_rho=0.1)
    names = ["standard", "adaptive"]
    plain, large = (sharpness_evaluator(spec, w, images).part(range(2), names) for w in (weights, scaled(weights, 8.0)))
    np.testing.assert_allclose(large["loss0"], plain["loss0"], rtol=1e-3)
    np.testing.assert_allclose(large["sharpness_adaptive"], plain["sharpness_adaptive"], rtol=2e-3)
    assert (abs(large["sharpness_standard"] / plain["sharpness_standard"] - 1) > 0.02).all()


@pytest.mark.parametrize("factor", [4.0, 0.125])
def test_the_adaptive_measure_of_a_product_is_invariant_exactly(closed, factor):
    # loss(u v) is the same at (c u, v / c).
    def loss(w):
        return (w["u"].flatten() @ w["v"].flatten() - 1).square()

    u, v = W, torch.tensor([[0.5, 0.25, -1.0]], dtype=torch.float64)
    problem = problem_of_loss(dict, loss, ("product",))
    found = [
        Measurement(closed.spec, {"u": c * u, "v": v / c}, problem).numbers("adaptive")["sharpness_adaptive"]
        for c in (1.0, factor)
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-12)
    standard = [
        Measurement(closed.spec, {"u": c * u, "v": v / c}, problem).numbers("standard")["sharpness_standard"]
        for c in (1.0, factor)
    ]
    assert standard[0] != pytest.approx(standard[1], rel=1e-2)
