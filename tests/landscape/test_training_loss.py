"""The pre-training loss of transfer learning on the plane (thesis figure 9)."""

import dataclasses

import numpy as np
import pytest
import reference
import torch
from torch.nn import functional as F

from raymaml import models, streams
from raymaml.checkpoints import Checkpoint
from raymaml.errors import SpecError
from raymaml.landscape.evaluate import evaluator_of
from raymaml.landscape.plan import Block
from raymaml.landscape.request import default_store, training_loss_spec
from raymaml.landscape.values import Values
from raymaml.params import cast
from raymaml.pixels import PixelSource
from raymaml.presets import train_spec
from raymaml.runs import SeedDir
from raymaml.specs import GridSpec, SurfaceSpec, TaskSpec, differences

BASE = (7, 2, 20, 0, 13)  # in another order than the classes of the set
NORMS = ["batch", "running"]
GRID = GridSpec(3, 5)


@pytest.fixture(scope="module")
def shuffled(images):
    """Base classes whose labels in the set are not those of the training: 5 of 20 images."""
    rest = [c for c in range(24) if c not in BASE]
    return dataclasses.replace(images, splits={"base": BASE, "val": tuple(rest[:9]), "novel": tuple(rest[9:])})


@pytest.fixture(scope="module")
def checkpoint(shuffled):
    """Weights whose running statistics are not those of any batch."""
    spec = train_spec(shuffled, "demo", method="transfer", updates=1, val_tasks=2, test_tasks=2)
    params = models.initial_params(models.build(spec.model), 1)
    generator = torch.Generator().manual_seed(0)
    for name, value in params.items():
        if "running" in name:
            params[name] = value + torch.rand(value.shape, generator=generator)
    return Checkpoint(spec, seed=5, step=1, params=params, weights_digest="x")


def spec_of(checkpoint, **options):
    return training_loss_spec(
        checkpoint, **{"images": 90, "batch": 30, "grid": GRID, "precision": "float64", **options}
    )


def evaluated(spec, checkpoint, images):
    evaluator = evaluator_of(spec, checkpoint.params, images)
    return evaluator, evaluator.evaluate(Block((0, spec.tasks), (0, spec.grid.alphas), (0, spec.grid.betas)))


def batches_by_hand(images, seed=0):
    """Images and labels of the batches of 30, as the documentation says it."""
    rows = [row for c in BASE for row in range(480) if images.labels[row] == c]
    order = streams.permutation(100, "training loss", "patterns", seed)
    for number in range(3):
        chosen = [rows[place] for place in order[number * 30 : number * 30 + 30]]
        labels = torch.tensor([BASE.index(images.labels[row]) for row in chosen])
        yield PixelSource(images, torch.float64).normalised(np.array(chosen)), labels


def logits_by_hand(norm, params, x):
    if norm == "batch":
        return reference.conv_net(params, x)
    return reference.conv_features(params, x) @ params["head.weight"].T + params["head.bias"]


@pytest.mark.parametrize("norm", NORMS)
def test_a_non_square_surface_equals_three_plain_loops(checkpoint, shuffled, norm):
    evaluator, found = evaluated(spec_of(checkpoint, norm=norm), checkpoint, shuffled)
    assert found.loss.shape == found.accuracy.shape == (3, 1, 1, 3, 5)
    for t, (x, y) in enumerate(batches_by_hand(shuffled)):
        for i, a in enumerate([-1, 0, 1]):
            for j, b in enumerate([-1, -0.5, 0, 0.5, 1]):
                logits = logits_by_hand(norm, reference.perturbed(evaluator.centre, evaluator.directions, a, b), x)
                loss = reference.cross_entropy(logits, y).item()
                assert found.loss[t, 0, 0, i, j] == pytest.approx(loss, rel=1e-8)
                assert found.accuracy[t, 0, 0, i, j] == pytest.approx((logits.argmax(1) == y).double().mean().item())
    assert np.array_equal(found.support_loss[:, 0], found.loss[:, 0, 0])


@pytest.mark.parametrize("norm", NORMS)
def test_the_centre_is_the_plain_loss_exactly(checkpoint, shuffled, norm):
    _, found = evaluated(spec_of(checkpoint, norm=norm), checkpoint, shuffled)
    model = models.build(dataclasses.replace(checkpoint.spec.model, norm=norm))
    names = {name for name, _ in (*model.named_parameters(), *model.named_buffers())}
    plain = {name: value for name, value in cast(checkpoint.params, torch.float64).items() if name in names}
    for t, (x, y) in enumerate(batches_by_hand(shuffled)):
        assert found.loss[t, 0, 0, 1, 2] == F.cross_entropy(models.apply(model, plain, x), y).item()


def test_the_modes_of_batch_norm_differ(checkpoint, shuffled):
    one, other = (evaluated(spec_of(checkpoint, norm=norm), checkpoint, shuffled)[1] for norm in NORMS)
    assert not np.isclose(one.loss, other.loss).any()


@pytest.mark.parametrize("norm", NORMS)
def test_the_head_is_perturbed_and_statistics_are_not(checkpoint, shuffled, norm):
    evaluator, found = evaluated(spec_of(checkpoint, norm=norm), checkpoint, shuffled)
    _, head = evaluated(spec_of(checkpoint, norm=norm, part="head"), checkpoint, shuffled)
    assert all(direction["head.weight"].any() for direction in evaluator.directions)
    assert np.array_equal(head.loss[..., 1, 2], found.loss[..., 1, 2])
    assert (head.loss[..., 0, 0] != head.loss[..., 1, 2]).all()
    assert (head.loss[..., 0, 0] != found.loss[..., 0, 0]).all()
    for name, value in cast(checkpoint.params, torch.float64).items():
        assert torch.equal(evaluator.centre[name], value), name  # after all those batches
        if "running" in name:
            assert not any(direction[name].any() for direction in evaluator.directions)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_value_does_not_depend_on_its_block(checkpoint, shuffled, norm, precision):
    spec = spec_of(checkpoint, norm=norm, precision=precision)
    evaluator, expected = evaluated(spec, checkpoint, shuffled)
    assert expected.loss.dtype == precision
    cells = Values(*(np.full_like(values, np.nan) for values in expected))
    blocks = [Block((t, t + 1), (i, i + 1), (j, j + 1)) for t in range(3) for i in range(3) for j in range(5)]
    for block in reversed(blocks):
        task, *point = block.slices
        for array, values in zip(cells, evaluator.evaluate(block), strict=True):
            array[task, ..., *point] = values
    for array, values in zip(cells, expected, strict=True):
        assert np.array_equal(array, values)


def test_another_seed_takes_other_images(checkpoint, shuffled):
    _, found = evaluated(spec_of(checkpoint, task_seed=4, grid=GridSpec(1, 1)), checkpoint, shuffled)
    for t, (x, y) in enumerate(batches_by_hand(shuffled, seed=4)):
        params = cast(checkpoint.params, torch.float64)
        assert found.loss[t, 0, 0, 0, 0] == pytest.approx(
            reference.cross_entropy(reference.conv_net(params, x), y).item()
        )


def test_images_that_the_base_split_lacks_are_refused(checkpoint, shuffled):
    evaluated(spec_of(checkpoint, images=100, batch=50, grid=GridSpec(1, 1)), checkpoint, shuffled)
    with pytest.raises(SpecError, match="base split of patterns has 100 images, fewer than 150; lower --images"):
        evaluator_of(spec_of(checkpoint, images=150, batch=50), checkpoint.params, shuffled)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"images": 100}, r"--images must be a multiple of --batch \(30\), got 100"),
        ({"images": 0}, r"--images must be a multiple of --batch \(30\), got 0"),
        ({"images": 3, "batch": 1}, "batch must be at least 2, got 1"),
        ({"norm": "layer"}, "norm must be one of batch, running, got 'layer'"),
    ],
)
def test_batches_that_cannot_be_are_refused(checkpoint, options, expected):
    with pytest.raises(SpecError, match=expected):
        spec_of(checkpoint, **options)


@pytest.mark.parametrize(
    "change",
    [
        {"split": "novel"}, {"task": TaskSpec(5, 1, 1)}, {"first_task": 1}, {"fresh_tasks": True}, {"steps": (0, 1)},
        {"around": "adapted"}, {"queries": (1, 2), "task": TaskSpec(2, 1, 2)},
    ],
    ids=str,
)  # fmt: skip
def test_what_belongs_to_tasks_is_refused(checkpoint, change):
    with pytest.raises(SpecError, match=f"pre-training loss has no tasks: ({'|'.join(change)}) must be"):
        dataclasses.replace(spec_of(checkpoint), **change)


def test_the_loss_of_another_method_is_refused(checkpoint, spec):
    with pytest.raises(SpecError, match="the pre-training loss is that of transfer learning"):
        spec_of(dataclasses.replace(checkpoint, spec=spec))


def test_the_specification_survives_json(checkpoint):
    spec = spec_of(checkpoint, norm="running")
    assert SurfaceSpec.from_dict(spec.to_dict()) == spec
    assert differences(spec_of(checkpoint), spec) == "learner.norm is batch, asked for running"


def test_the_name_of_the_store_says_what_it_holds(checkpoint, tmp_path):
    def name(**options):
        spec = training_loss_spec(checkpoint, **options)
        return default_store(SeedDir(tmp_path), spec).name.removesuffix(f"-{spec.digest[:8]}.zarr")

    assert name() == "training-51x51-1000images"
    running = {"images": 384, "batch": 128, "norm": "running", "part": "head", "grid": GRID}
    assert name(**running) == "training-3x5-384images-running-head"
