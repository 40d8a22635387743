import dataclasses

import numpy as np
import pytest
import reference
import torch

from raymaml import backends, learners, models, streams
from raymaml.backends.base import losses, stacked
from raymaml.backends.looped import Fused
from raymaml.errors import MismatchError, RaymamlError
from raymaml.landscape.directions import Draws, filter_normalised
from raymaml.landscape.evaluate import Evaluator, evaluator_of
from raymaml.landscape.plan import Block, plan_of
from raymaml.landscape.values import Values
from raymaml.params import cast, digest
from raymaml.specs import GridSpec, TaskSpec, TransferSpec
from raymaml.tasks import TaskSampler


@pytest.fixture(scope="module")
def weights(spec):
    return models.initial_params(models.build(spec.model), 1)


def whole(spec, weights, images):
    return evaluator_of(spec, weights, images).evaluate(everything(spec))


def everything(spec):
    return Block((0, spec.tasks), (0, spec.grid.alphas), (0, spec.grid.betas))


def tasks_of(spec, images, indices):
    sampler = TaskSampler(images, spec.split, spec.task, seed=spec.task_seed, dtype=torch.float64)
    return [sampler.task(i) for i in indices]


def test_a_non_square_surface_equals_three_plain_loops(surface_spec, weights, images):
    evaluator = evaluator_of(surface_spec, weights, images)
    found = evaluator.evaluate(everything(surface_spec))
    given = (
        evaluator.centre,
        evaluator.directions,
        [-0.5, 0.25, 1.0],
        [-0.5, 1.0],
        tasks_of(surface_spec, images, range(3)),
        surface_spec.learner.inner_lr,
        2,
    )
    np.testing.assert_allclose(found.loss[:, 0, 0], reference.surface(*given), rtol=1e-8)
    expected = reference.surface(*given, loss=reference.support_loss)
    np.testing.assert_allclose(found.support_loss[:, 0], expected, rtol=1e-7)
    assert found.loss.shape == found.accuracy.shape == (3, 1, 1, 3, 2)
    assert found.support_loss.shape == (3, 1, 3, 2)


def test_around_the_adapted_weights_it_equals_three_plain_loops(surface_spec, weights, images):
    spec = dataclasses.replace(surface_spec, around="adapted", steps=(0, 2))
    evaluator = evaluator_of(spec, weights, images)
    found = evaluator.evaluate(everything(spec))
    draws = [
        {
            name: torch.from_numpy(streams.normals(value.numel(), "direction", 0, axis, name))
            for name, value in evaluator.centre.items()
        }
        for axis in ("alpha", "beta")
    ]
    for k, steps in enumerate((0, 2)):
        given = (
            evaluator.centre,
            draws,
            evaluator.alphas,
            evaluator.betas,
            tasks_of(spec, images, range(3)),
            spec.learner.inner_lr,
            steps,
        )
        np.testing.assert_allclose(found.loss[:, k, 0], reference.surface_around_adapted(*given), rtol=1e-8)
        expected = reference.surface_around_adapted(*given, loss=reference.support_loss)
        np.testing.assert_allclose(found.support_loss[:, k], expected, rtol=1e-7)


@pytest.mark.parametrize("around", ["initial", "adapted"])
def test_steps_and_queries_are_the_surfaces_of_their_own_to_the_bit(surface_spec, weights, images, around):
    spec = dataclasses.replace(
        surface_spec, steps=(0, 1, 3), queries=(1, 2, 4), task=TaskSpec(5, 1, 4), around=around, tasks=2
    )
    wide = whole(spec, weights, images)
    for k, steps in enumerate(spec.steps):
        for q, query in enumerate(spec.queries):
            alone = dataclasses.replace(spec, steps=(steps,), queries=(query,), task=TaskSpec(5, 1, query))
            found = whole(alone, weights, images)
            assert np.array_equal(wide.loss[:, k, q], found.loss[:, 0, 0])
            assert np.array_equal(wide.accuracy[:, k, q], found.accuracy[:, 0, 0])
            assert np.array_equal(wide.support_loss[:, k], found.support_loss[:, 0])
    values = wide.loss.reshape(2, 9, -1)
    assert all(not np.array_equal(values[:, a], values[:, b]) for a in range(9) for b in range(a))


def test_tasks_may_start_at_any_number(surface_spec, weights, images):
    three = whole(surface_spec, weights, images)
    third = whole(dataclasses.replace(surface_spec, tasks=1, first_task=2), weights, images)
    assert np.array_equal(third.loss, three.loss[2:])
    assert np.array_equal(third.support_loss, three.support_loss[2:])


def test_the_centre_is_the_plain_meta_loss_exactly(surface_spec, weights, images):
    spec = dataclasses.replace(surface_spec, grid=GridSpec(3, 5), steps=(0, 1, 4))
    found = whole(spec, weights, images)
    model = models.build(spec.model)
    learner = learners.build(spec.learner, backends.preferred(model, "cpu"))
    plain = cast(weights, torch.float64)
    for t, task in enumerate(tasks_of(spec, images, range(3))):
        for k, steps in enumerate(spec.steps):
            query = found.loss[t, k, 0, 1, 2], found.accuracy[t, k, 0, 1, 2]
            assert query == learner.evaluate(model, plain, task, steps)
            adapted = learner.adapt(model, plain, task, steps)
            expected = learner.execution.backend.logits(model, stacked([adapted]), task.support_x[None])
            assert found.support_loss[t, k, 1, 2] == losses(expected, task.support_y).item()


@pytest.mark.parametrize("method", ["maml", "transfer"])
def test_the_centre_is_the_same_in_either_order(surface_spec, weights, images, method):
    spec = dataclasses.replace(surface_spec, grid=GridSpec(3, 3), steps=(0, 1, 3))
    if method == "transfer":
        learner, model = TransferSpec(), dataclasses.replace(spec.model, norm="running", outputs=12)
        spec = dataclasses.replace(spec, learner=learner, model=model)
        weights = models.initial_params(models.build(model), 1)
    initial, adapted = (whole(dataclasses.replace(spec, around=a), weights, images) for a in ("initial", "adapted"))
    # Features of transfer learning are extracted class by class, and here task by task: not the same to the bit.
    same = np.testing.assert_array_equal if method == "maml" else np.testing.assert_allclose
    for one, other in zip(initial, adapted, strict=True):
        same(one[..., 1, 1], other[..., 1, 1])
        assert not np.allclose(one[..., 0, :], other[..., 0, :])


def test_only_the_asked_part_is_perturbed(surface_spec, weights, images):
    spec = dataclasses.replace(surface_spec, grid=GridSpec(3, 3), steps=(0,))
    all_, head, feature = (
        whole(dataclasses.replace(spec, part=part), weights, images).loss[:, 0, 0]
        for part in ("all", "head", "feature")
    )
    evaluator = evaluator_of(dataclasses.replace(spec, part="head"), weights, images)
    assert [n for n, v in evaluator.directions[0].items() if v.any()] == ["head.weight"]
    assert np.array_equal(all_[:, 1, 1], head[:, 1, 1])
    assert np.array_equal(all_[:, 1, 1], feature[:, 1, 1])
    assert len({float(part[0, 0, 0]) for part in (all_, head, feature)}) == 3


def test_a_range_may_start_at_zero(surface_spec, weights, images):
    ahead = whole(dataclasses.replace(surface_spec, grid=GridSpec(2, 2, 0.0, 1.0)), weights, images)
    around = whole(dataclasses.replace(surface_spec, grid=GridSpec(3, 3, -1.0, 1.0)), weights, images)
    assert np.array_equal(ahead.loss, around.loss[..., 1:, 1:])


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("change", [{}, {"around": "adapted"}, {"around": "adapted", "fresh_tasks": True}], ids=str)
def test_a_value_does_not_depend_on_its_block(surface_spec, weights, images, precision, change):
    spec = dataclasses.replace(surface_spec, precision=precision, steps=(0, 2), **change)
    expected = whole(spec, weights, images)
    evaluator = evaluator_of(spec, weights, images)
    blocks = [Block((t, t + 1), (i, i + 1), (j, j + 1)) for t in range(3) for i in range(3) for j in range(2)]
    cells = Values(*(np.full_like(values, np.nan) for values in expected))
    for block in reversed(blocks):
        task, *point = block.slices
        for array, values in zip(cells, evaluator.evaluate(block), strict=True):
            array[task, ..., *point] = values
    for array, values in zip(cells, expected, strict=True):
        assert np.array_equal(array, values)
        assert values.dtype == precision


@pytest.mark.parametrize("change", [{"direction_seed": 1}, {"orthogonal": True}], ids=str)
def test_directions_are_the_ones_asked_for(surface_spec, weights, images, change):
    spec = dataclasses.replace(surface_spec, **change)
    evaluator = evaluator_of(spec, weights, images)
    expected = filter_normalised(evaluator.centre, seed=spec.direction_seed, orthogonal=spec.orthogonal)
    assert evaluator.direction_digest == digest(*expected)
    assert evaluator.direction_digest != evaluator_of(surface_spec, weights, images).direction_digest


def test_directions_have_the_norms_of_the_centre(surface_spec, weights, images):
    evaluator = evaluator_of(surface_spec, weights, images)
    for direction in evaluator.directions:
        found, expected = (reference.filter_norms(d["head.weight"]) for d in (direction, weights))
        assert found == pytest.approx(expected, rel=1e-6)


def test_the_same_tasks_are_used_at_every_point(surface_spec, weights, images, monkeypatch):
    made, make = [], TaskSampler._make
    monkeypatch.setattr(TaskSampler, "_make", lambda sampler, index: made.append(index) or make(sampler, index))
    whole(surface_spec, weights, images)
    assert made == [0, 1, 2]  # kept, not made again at each point


def test_fresh_tasks_differ_at_every_point_and_are_numbered_by_it(surface_spec, weights, images):
    spec = dataclasses.replace(surface_spec, fresh_tasks=True)
    evaluator = evaluator_of(spec, weights, images)
    numbers = [(i * 2 + j) * 3 + t for i in range(3) for j in range(2) for t in range(3)]
    assert sorted(numbers) == list(range(18))
    assert [evaluator.number(t, i, j) for i in range(3) for j in range(2) for t in range(3)] == numbers


@pytest.mark.parametrize("around", ["initial", "adapted"])
def test_swapping_the_directions_transposes_the_surface(surface_spec, weights, images, around):
    class Swapped(Draws):
        def around(self, centre):
            return super().around(centre)[::-1]

    spec = dataclasses.replace(surface_spec, around=around)
    evaluator = evaluator_of(spec, weights, images)
    swapped = dataclasses.replace(evaluator, draws=Swapped(0), alphas=evaluator.betas, betas=evaluator.alphas)
    found = evaluator.evaluate(everything(spec))
    turned = swapped.evaluate(Block((0, 3), (0, 2), (0, 3)))
    # Not bit-equal: (c + a d1) + b d2 and (c + b d2) + a d1 round differently.
    np.testing.assert_allclose(turned.loss.swapaxes(-1, -2), found.loss, rtol=1e-9)
    np.testing.assert_allclose(turned.support_loss.swapaxes(-1, -2), found.support_loss, rtol=1e-8)


def test_scaling_a_normalised_filter_and_its_direction_changes_nothing(surface_spec, weights, images):
    # What filter normalisation is for (Li et al. 2018, section 4): batch norm undoes the scale. The scaled
    # filter has a smaller gradient step relative to its size, so this holds before adaptation.
    spec = dataclasses.replace(surface_spec, steps=(0,))
    scaled = dict(weights)
    for name in ("blocks.1.conv.weight", "blocks.1.conv.bias"):
        scaled[name] = weights[name].clone()
        scaled[name][3] *= 8.0  # a power of two: exact in float32
    # The floor of 1e-5 in batch norm is all that sees the scale.
    for one, other in zip(whole(spec, scaled, images), whole(spec, weights, images), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3)


def test_a_diverged_cell_is_kept_as_it_is(surface_spec, weights, images):
    spec = dataclasses.replace(surface_spec, grid=GridSpec(3, 1, -1e200, 1e200))
    loss, accuracy, support_loss = (values[:, 0] for values in whole(spec, weights, images))
    for values in (loss[:, 0], support_loss):
        assert not np.isfinite(values[:, [0, 2]]).any()
        assert np.isfinite(values[:, 1]).all()
    assert (accuracy[:, 0, [0, 2]] <= 1).all()


@dataclasses.dataclass(frozen=True)
class Quadratic:
    """A learner whose loss is w A w / 2 for every task: k steps multiply w by (1 - lr A)^k."""

    curvature: torch.Tensor
    lr: float

    def loss(self, params, steps):
        w = params["w"].flatten()
        for _ in range(steps):
            w = w - self.lr * self.curvature * w
        return (w * self.curvature * w).sum().item() / 2

    def trace(self, starts, numbers):
        found = [[self.loss(params, k) for k in (0, 3)] for params in starts]
        return [learners.Trace([[loss] for loss in losses], [[0.0]] * len(losses), losses) for losses in found]


class FixedDirections:
    def __init__(self, *directions):
        self.directions = directions

    def around(self, centre):
        return self.directions


def test_a_quadratic_gives_its_closed_form():
    generator = torch.Generator().manual_seed(0)
    centre, d1, d2 = ({"w": torch.randn(2, 3, dtype=torch.float64, generator=generator)} for _ in range(3))
    curvature = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=torch.float64)
    evaluator = Evaluator(
        Quadratic(curvature, 0.1).trace,
        None,
        centre,
        FixedDirections(d1, d2),
        [-1.0, 0.0, 2.0],
        [0.5, 1.5],
        lambda t, i, j: t,
        (0, 3),
        (1,),
        "float64",
        backends.PLAIN,
    )
    found = evaluator.evaluate(Block((0, 1), (0, 3), (0, 2)))
    c, x, y = (v["w"].flatten().numpy() for v in (centre, d1, d2))
    for k, steps in enumerate((0, 3)):
        m = (curvature * (1 - 0.1 * curvature) ** (2 * steps)).numpy() / 2
        closed = [[float(m @ (c + a * x + b * y) ** 2) for b in (0.5, 1.5)] for a in (-1.0, 0.0, 2.0)]
        np.testing.assert_allclose(found.loss[0, k, 0], closed, rtol=1e-12)
        np.testing.assert_allclose(found.support_loss[0, k], closed, rtol=1e-12)


def test_other_images_than_the_runs_are_refused(surface_spec, weights, images):
    changed = dataclasses.replace(images, mean=(0.5,))
    with pytest.raises(MismatchError, match="patterns has other images here"):
        evaluator_of(surface_spec, weights, changed)


def test_blocks_of_the_plan_together_are_the_surface(surface_spec, weights, images):
    evaluator = evaluator_of(surface_spec, weights, images)
    loss = evaluator.evaluate(everything(surface_spec)).loss
    found = np.empty_like(loss)
    for block in plan_of(3, 3, 2).blocks():
        task, *point = block.slices
        found[task, ..., *point] = evaluator.evaluate(block).loss
    assert np.array_equal(found, loss)


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("maml", {"around": "adapted", "steps": (0, 2)}),
        ("maml", {"steps": (0,)}),
        ("transfer", {"around": "adapted", "steps": (0, 2)}),
    ],
    ids=str,
)
def test_a_head_perturbed_alone_has_its_features_computed_once(
    surface_spec, weights, images, monkeypatch, change, method
):
    spec = dataclasses.replace(surface_spec, task=TaskSpec(5, 1, 2), queries=(1, 2))
    if method == "transfer":
        running = dataclasses.replace(spec.model, norm="running", outputs=12)
        spec = dataclasses.replace(spec, learner=TransferSpec(), model=running)
        weights = models.initial_params(models.build(running), 1)
    spec = dataclasses.replace(spec, part="head", **change)
    model = models.build(spec.model)
    seen, run = [], Fused.features
    monkeypatch.setattr(Fused, "features", lambda *given: seen.append(len(given[-1])) or run(*given))
    evaluator = evaluator_of(spec, weights, images)
    blocks = [Block((0, 3), (i, i + 1), (0, 2)) for i in range(3)]
    found = [evaluator.evaluate(block).loss for block in blocks]
    once = 3 * len(spec.steps) * [5, 5, 10]  # support set, one and two query images per class, of three tasks
    fitted = 3 * [5] if method == "transfer" else []  # what the heads are fitted to
    assert sorted(seen) == sorted(once + fitted)
    # And the losses are those of the whole network under the perturbed head.
    for t, task in enumerate(tasks_of(spec, images, range(3))):
        learner = learners.build(spec.learner)
        for k, state in enumerate(learner.trajectory(model, cast(weights, torch.float64), task, spec.steps)):
            first, second = evaluator.draws.around(state)
            point = {n: state[n] - 0.5 * first[n] + 1.0 * second[n] for n in state}  # at alpha -0.5 and beta 1
            with torch.no_grad():
                logits = models.apply(model, point, task.query_x)[None]
            assert found[0][t, k, 1, 0, 1] == pytest.approx(losses(logits, task.query_y).item(), rel=1e-9)


@pytest.mark.parametrize("change", [{}, {"around": "adapted"}], ids=str)
def test_a_machine_that_does_not_repeat_itself_is_refused(surface_spec, weights, images, monkeypatch, change):
    evaluator = evaluator_of(dataclasses.replace(surface_spec, **change), weights, images)
    block = Block((0, 3), (0, 2), (0, 2))
    evaluator.check_repeats(block)
    count, run = [], Fused.logits

    def a_little_off(*given):
        count.append(1)
        logits = run(*given)
        return logits * (1 + 1e-9) if len(count) == 4 else logits

    monkeypatch.setattr(Fused, "logits", a_little_off)
    with pytest.raises(RaymamlError, match="computes one cell twice with different results"):
        evaluator.check_repeats(block)
    assert len(count) == 4  # query and support set of one cell, twice


def test_a_diverged_cell_repeats_itself(surface_spec, weights, images):
    spec = dataclasses.replace(surface_spec, grid=GridSpec(3, 1, -1e200, 1e200))
    evaluator_of(spec, weights, images).check_repeats(Block((0, 3), (0, 2), (0, 1)))
