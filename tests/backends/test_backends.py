"""Every back end against the slow reference, in float64."""

import math

import pytest
import reference
import torch
from torch.nn import functional as F

from raymaml import backends, models
from raymaml.backends.base import accuracies, losses, stacked, unstacked
from raymaml.errors import SpecError
from raymaml.learners.inner import Images, adapt_and_score, follow
from raymaml.params import cast
from raymaml.specs import ModelSpec
from raymaml.tasks import Task

CPU = torch.device("cpu")
EVERYWHERE = ["plain", "fused", "grouped", "vmap"]
NETS = {
    "conv4": ModelSpec("conv4", 1, 28, 5),
    "conv6": ModelSpec("conv6", 3, 37, 5),  # 37: odd sides at each pooling, 18 and 9
}


def weights_of(spec, seed):
    """Random weights with scales of both signs, so that a turned filter would show."""
    drawn = cast(models.initial_params(models.build(spec), seed), torch.float64)
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(value.shape, generator=generator, dtype=value.dtype) if value.dim() == 1 else value
        for name, value in drawn.items()
    }


def pictures(spec, tasks, images, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (tasks, images, spec.channels, spec.image_size, spec.image_size)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def close(found, expected, tolerance=1e-9):
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("name", EVERYWHERE)
def test_logits_are_those_of_the_reference(name, net):
    spec = NETS[net]
    several, x = [weights_of(spec, seed) for seed in (1, 2, 3)], pictures(spec, 3, 10)
    found = backends.build(name).logits(models.build(spec), stacked(several), x)
    close(found, torch.stack([reference.conv_net(w, images) for w, images in zip(several, x, strict=True)]))
    assert not found.requires_grad


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("name", EVERYWHERE)
def test_gradients_are_those_of_the_reference(name, net):
    spec = NETS[net]
    several, x, y = [weights_of(spec, seed) for seed in (1, 2)], pictures(spec, 2, 10), torch.arange(5).repeat(2)
    logits, grads = backends.build(name).gradient(models.build(spec), stacked(several), x, y)
    assert list(grads) == list(several[0])
    for t, weights in enumerate(several):
        own = {n: v.clone().requires_grad_() for n, v in weights.items()}
        expected = reference.conv_net(own, x[t])
        close(logits[t], expected.detach())
        slopes = torch.autograd.grad(reference.cross_entropy(expected, y), list(own.values()))
        for (n, slope), found in zip(zip(own, slopes, strict=True), unstacked(grads, t).values(), strict=True):
            close(found, slope), n


@pytest.mark.parametrize("name", EVERYWHERE)
def test_adapting_and_scoring_equals_three_plain_loops(name):
    spec, lr = NETS["conv4"], 0.1
    several = [weights_of(spec, seed) for seed in (1, 2)]
    images = Images(pictures(spec, 2, 5), pictures(spec, 2, 15, seed=1))
    backend, model = backends.build(name), models.build(spec)
    found = adapt_and_score(backend, model, 5, lr, (0, 2, 3), (1, 3), stacked(several), images)
    assert [tuple(values.shape) for values in found] == [(2, 3, 2), (2, 3, 2), (2, 3)]
    y = torch.arange(5)
    for t, weights in enumerate(several):
        for k, steps in enumerate((0, 2, 3)):
            for q, each in enumerate((1, 3)):
                query = images.query[t].view(5, 3, *images.query.shape[2:])[:, :each].flatten(0, 1)
                task = Task(images.support[t], y, query, y.repeat_interleave(each))
                assert found.loss[t, k, q].item() == pytest.approx(
                    reference.query_loss(weights, task, lr, steps), rel=1e-8
                )
            expected = reference.support_loss(weights, task, lr, steps)
            assert found.support_loss[t, k].item() == pytest.approx(expected, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize("name", ["fused", "grouped", "vmap"])
def test_a_resnet_flows_as_it_is_defined(name):
    spec = ModelSpec("resnet10", 3, 224, 5)
    model, weights, x = models.build(spec), weights_of(spec, 1), pictures(spec, 1, 2)
    expected_logits, expected = backends.build("plain").gradient(model, stacked([weights]), x, torch.tensor([0, 1]))
    backend = backends.build(name)
    logits, grads = backend.gradient(model, stacked([weights]), x, torch.tensor([0, 1]))
    close(logits, expected_logits, 1e-8)
    close(backend.logits(model, stacked([weights]), x), expected_logits, 1e-8)
    for n in weights:  # two images share their statistics: slopes up to 1e3, of which 1e-8 is rounding
        close(grads[n], expected[n], 1e-6)


@pytest.mark.parametrize(("backbone", "size"), [("conv4", 28), ("conv6", 37), ("resnet10", 224)])
def test_fused_features_under_running_statistics_are_the_networks(backbone, size):
    spec = ModelSpec(backbone, 3, size, 7, norm="running")
    model, weights = models.build(spec), weights_of(spec, 1)
    weights = {n: v.abs() + 0.1 if n.endswith("running_var") else v for n, v in weights.items()}
    x = pictures(spec, 1, 3)[0]
    close(backends.build("fused").features(model, weights, x), models.features(model, weights, x))


def test_images_in_groups_have_the_moments_of_all(monkeypatch):
    spec = NETS["conv6"]
    weights, x = weights_of(spec, 1), pictures(spec, 1, 7)
    expected = reference.conv_net(weights, x[0])
    for size in (1, 37 * 37 * 64 * 8 * 3):  # one image at a time; three, three and one
        monkeypatch.setattr("raymaml.models.fused.CACHE_BYTES", size)
        close(backends.build("fused").logits(models.build(spec), stacked([weights]), x)[0], expected)


def test_moments_far_from_zero_keep_their_digits():
    # E[x^2] - E[x]^2 would lose all of float32 here: the mean is 1e4 deviations away.
    from raymaml.models.fused import _joined, _moments

    generator = torch.Generator().manual_seed(0)
    y = 1e4 + torch.randn(6, 2, 8, 8, generator=generator, dtype=torch.float64)
    parts = [(*_moments(part.float()), len(part)) for part in (y[:4], y[4:])]
    mean, var = _joined(parts)
    exact = y.float().double()
    close(mean.double(), exact.mean((0, 2, 3)), 1e-6)
    close(var.double(), exact.var((0, 2, 3), correction=0), 1e-3)


@pytest.mark.parametrize("name", EVERYWHERE)
def test_nan_weights_give_nan_losses_and_no_right_answer(name):
    spec = NETS["conv4"]
    weights = {n: v * math.nan for n, v in weights_of(spec, 1).items()}
    backend, model, x, y = backends.build(name), models.build(spec), pictures(spec, 1, 5), torch.arange(5)
    for logits in (backend.logits(model, stacked([weights]), x), backend.gradient(model, stacked([weights]), x, y)[0]):
        assert losses(logits, y).isnan().all()
        assert accuracies(logits, y).tolist() == [0.0]


def test_a_value_overflowing_in_the_fused_layers_is_nan():
    spec = NETS["conv4"]
    # The first variance is infinite: without care the layer would be zeros, and the loss finite.
    weights = {n: v * 1e200 if n == "blocks.0.conv.weight" else v for n, v in weights_of(spec, 1).items()}
    logits = backends.build("fused").logits(models.build(spec), stacked([weights]), pictures(spec, 1, 5))
    assert logits.isnan().all()


def test_adapting_leaves_the_start_as_it_was():
    spec = NETS["conv4"]
    for name in EVERYWHERE:
        weights = weights_of(spec, 1)
        before = {n: v.clone() for n, v in weights.items()}
        [adapted] = follow(
            backends.build(name), models.build(spec), stacked([weights]), pictures(spec, 1, 5), 5, 0.1, [2]
        )
        assert all(torch.equal(weights[n], before[n]) for n in weights)
        assert not any(v.requires_grad for v in adapted.values())
        assert not torch.equal(adapted["head.weight"][0], weights["head.weight"])


def test_what_runs_where():
    conv = models.build(NETS["conv4"])
    running = models.build(ModelSpec("conv4", 1, 28, 5, norm="running"))
    cuda = torch.device("cuda")
    assert [b.name for b in backends.able(conv, CPU)] == ["fused", "grouped", "plain", "vmap"]
    assert [b.name for b in backends.able(running, CPU)] == ["fused", "plain"]
    assert [b.name for b in backends.able(conv, cuda)] == ["graph", "grouped", "plain", "vmap"]
    assert backends.preferred(conv, "cpu").backend.name == "fused"
    assert backends.preferred(conv, "cuda").backend.name == "plain"
    with pytest.raises(SpecError, match="must be one of graph, fused, grouped, plain, vmap, got 'fast'"):
        backends.build("fast")


def test_losses_and_accuracies_of_a_stack():
    logits = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[0.0, 3.0], [1.0, math.nan]]], dtype=torch.float64)
    y = torch.tensor([0, 1])
    close(losses(logits[:1], y)[0], F.cross_entropy(logits[0], y))
    assert losses(logits, y)[1].isnan()
    assert accuracies(logits, y).tolist() == [1.0, 0.0]
