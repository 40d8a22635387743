import dataclasses

import numpy as np
import pytest
import reference
import torch

from raymaml import learners, models
from raymaml.errors import MismatchError
from raymaml.landscape.directions import filter_normalised
from raymaml.landscape.evaluate import Evaluator, evaluator_of
from raymaml.landscape.plan import Block, plan_of
from raymaml.params import cast, digest
from raymaml.specs import GridSpec
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
    loss, _ = evaluator.evaluate(everything(surface_spec))
    expected = reference.surface(
        evaluator.centre,
        evaluator.directions,
        [-0.5, 0.25, 1.0],
        [-0.5, 1.0],
        tasks_of(surface_spec, images, range(3)),
        surface_spec.learner.inner_lr,
        2,
    )
    np.testing.assert_allclose(loss, expected, rtol=1e-8)
    assert loss.shape == (3, 3, 2)


def test_the_centre_is_the_plain_meta_loss_exactly(surface_spec, weights, images):
    spec = dataclasses.replace(surface_spec, grid=GridSpec(3, 5))
    loss, accuracy = whole(spec, weights, images)
    model, learner = models.build(spec.model), learners.build(spec.learner)
    plain = cast(weights, torch.float64)
    for t, task in enumerate(tasks_of(spec, images, range(3))):
        assert (loss[t, 1, 2], accuracy[t, 1, 2]) == learner.evaluate(model, plain, task, spec.steps)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_value_does_not_depend_on_its_block(surface_spec, weights, images, precision):
    spec = dataclasses.replace(surface_spec, precision=precision)
    loss, accuracy = whole(spec, weights, images)
    cells = np.full_like(loss, np.nan), np.full_like(accuracy, np.nan)
    evaluator = evaluator_of(spec, weights, images)
    blocks = [Block((t, t + 1), (i, i + 1), (j, j + 1)) for t in range(3) for i in range(3) for j in range(2)]
    for block in reversed(blocks):
        cells[0][block.slices], cells[1][block.slices] = evaluator.evaluate(block)
    assert np.array_equal(cells[0], loss)
    assert np.array_equal(cells[1], accuracy)
    assert loss.dtype == precision


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


def test_the_same_tasks_are_used_at_every_point(surface_spec, weights, images):
    evaluator = evaluator_of(surface_spec, weights, images)
    assert evaluator.number(1, 0, 0) == evaluator.number(1, 2, 1) == 1
    assert evaluator.sampler.task(1) is evaluator.sampler.task(1)  # kept, not made again at each point


def test_fresh_tasks_differ_at_every_point_and_are_numbered_by_it(surface_spec, weights, images):
    spec = dataclasses.replace(surface_spec, fresh_tasks=True)
    evaluator = evaluator_of(spec, weights, images)
    numbers = [(i * 2 + j) * 3 + t for i in range(3) for j in range(2) for t in range(3)]
    assert sorted(numbers) == list(range(18))
    expected = tasks_of(spec, images, numbers)
    found = [evaluator.sampler.task(evaluator.number(t, i, j)) for i in range(3) for j in range(2) for t in range(3)]
    assert all(torch.equal(a.query_x, b.query_x) for a, b in zip(found, expected, strict=True))


def test_swapping_the_directions_transposes_the_surface(surface_spec, weights, images):
    evaluator = evaluator_of(surface_spec, weights, images)
    swapped = dataclasses.replace(
        evaluator,
        directions=evaluator.directions[::-1],
        alphas=evaluator.betas,
        betas=evaluator.alphas,
    )
    loss, _ = evaluator.evaluate(everything(surface_spec))
    turned, _ = swapped.evaluate(Block((0, 3), (0, 2), (0, 3)))
    # Not bit-equal: (c + a d1) + b d2 and (c + b d2) + a d1 round differently.
    np.testing.assert_allclose(turned.transpose(0, 2, 1), loss, rtol=1e-9)


def test_scaling_a_normalised_filter_and_its_direction_changes_nothing(surface_spec, weights, images):
    # What filter normalisation is for (Li et al. 2018, section 4): batch norm undoes the scale. The scaled
    # filter has a smaller gradient step relative to its size, so this holds before adaptation.
    spec = dataclasses.replace(surface_spec, steps=0)
    scaled = dict(weights)
    for name in ("blocks.1.conv.weight", "blocks.1.conv.bias"):
        scaled[name] = weights[name].clone()
        scaled[name][3] *= 8.0  # a power of two: exact in float32
    # The floor of 1e-5 in batch norm is all that sees the scale.
    np.testing.assert_allclose(whole(spec, scaled, images)[0], whole(spec, weights, images)[0], rtol=1e-3)


def test_a_diverged_cell_is_kept_as_it_is(surface_spec, weights, images):
    spec = dataclasses.replace(surface_spec, grid=GridSpec(3, 1, -1e200, 1e200))
    loss, accuracy = whole(spec, weights, images)
    assert not np.isfinite(loss[:, [0, 2]]).any()
    assert np.isfinite(loss[:, 1]).all()
    assert (accuracy[:, [0, 2]] <= 1).all()


@dataclasses.dataclass(frozen=True)
class Quadratic:
    """A learner whose loss is w A w / 2 for every task: k steps multiply w by (1 - lr A)^k."""

    curvature: torch.Tensor
    lr: float

    def evaluate(self, model, params, task, steps):
        w = params["w"].flatten()
        for _ in range(steps):
            w = w - self.lr * self.curvature * w
        return (w * self.curvature * w).sum().item() / 2, 0.0

    def scorer(self, model, params, sampler, steps):
        return lambda number: self.evaluate(model, params, number, steps)


@pytest.mark.parametrize("steps", [0, 3])
def test_a_quadratic_gives_its_closed_form(steps):
    generator = torch.Generator().manual_seed(0)
    centre, d1, d2 = ({"w": torch.randn(2, 3, dtype=torch.float64, generator=generator)} for _ in range(3))
    curvature = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], dtype=torch.float64)
    evaluator = Evaluator(
        None,
        Quadratic(curvature, 0.1),
        centre,
        (d1, d2),
        [-1.0, 0.0, 2.0],
        [0.5, 1.5],
        None,
        lambda t, i, j: t,
        steps,
        "float64",
    )
    loss, _ = evaluator.evaluate(Block((0, 1), (0, 3), (0, 2)))
    m = (curvature * (1 - 0.1 * curvature) ** (2 * steps)).numpy() / 2
    c, x, y = (v["w"].flatten().numpy() for v in (centre, d1, d2))
    closed = [[float(m @ (c + a * x + b * y) ** 2) for b in (0.5, 1.5)] for a in (-1.0, 0.0, 2.0)]
    np.testing.assert_allclose(loss[0], closed, rtol=1e-12)


def test_other_images_than_the_runs_are_refused(surface_spec, weights, images):
    changed = dataclasses.replace(images, mean=(0.5,))
    with pytest.raises(MismatchError, match="patterns has other images here"):
        evaluator_of(surface_spec, weights, changed)


def test_blocks_of_the_plan_together_are_the_surface(surface_spec, weights, images):
    evaluator = evaluator_of(surface_spec, weights, images)
    loss, _ = evaluator.evaluate(everything(surface_spec))
    found = np.empty_like(loss)
    for block in plan_of(3, 3, 2).blocks():
        found[block.slices] = evaluator.evaluate(block)[0]
    assert np.array_equal(found, loss)
