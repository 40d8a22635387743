import dataclasses

import numpy as np
import pytest
import torch

from raymaml.errors import SpecError
from raymaml.pixels import PixelSource
from raymaml.specs import TaskSpec
from raymaml.tasks import TaskSampler


def sampler(images, *, split="base", seed=5, spec=None, **options):
    return TaskSampler(images, split, spec or TaskSpec(5, 1, 15), seed=seed, **options)


def same(a, b):
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))


def test_a_task_depends_on_its_identity_alone(images):
    first = sampler(images)
    [first.indices(i) for i in range(10)]  # what was drawn before does not matter
    assert same(first.indices(3), sampler(images).indices(3))


@pytest.mark.parametrize(
    ("change", "index"), [({"seed": 6}, 3), ({"split": "novel"}, 3), ({}, 4)], ids=["seed", "split", "index"]
)
def test_another_identity_is_another_task(images, change, index):
    assert not same(sampler(images).indices(3), sampler(images, **change).indices(index))


def test_another_data_set_is_another_task(images):
    renamed = dataclasses.replace(images, name="others")
    assert not same(sampler(images).indices(0), sampler(renamed).indices(0))


def test_draws_are_without_replacement_and_from_the_split(images):
    for index in range(50):
        where = sampler(images, split="novel").indices(index)
        assert len(set(where.classes)) == 5
        assert set(where.classes) <= set(images.splits["novel"])
        rows = np.concatenate([where.support, where.query], axis=1)
        for c, row in zip(where.classes, rows, strict=True):
            assert len(set(row)) == 16
            assert (images.labels[row] == c).all()


def test_class_order_is_random(images):
    first = [int(sampler(images, split="novel").indices(i).classes[0]) for i in range(60)]
    assert set(first) == set(images.splits["novel"])


def test_every_image_is_drawn_about_equally_often(images):
    spec = TaskSpec(5, 1, 1)
    counts = np.bincount(
        np.concatenate([sampler(images, spec=spec).indices(i).support.ravel() for i in range(2400)]), minlength=480
    )[:240]
    # 12,000 draws over 240 images: 50 each, standard deviation 7.1; 5 of them either way.
    assert counts.min() > 50 - 36
    assert counts.max() < 50 + 36


def test_smaller_tasks_are_prefixes_of_larger_ones(images):
    large = sampler(images, spec=TaskSpec(5, 2, 15)).indices(7)
    small = sampler(images, spec=TaskSpec(5, 2, 4)).indices(7)
    assert np.array_equal(large.support, small.support)
    assert np.array_equal(large.query[:, :4], small.query)


def test_images_are_normalised_and_labelled_by_position(images):
    task = sampler(images, spec=TaskSpec(5, 2, 3), dtype=torch.float64).task(0)
    where = sampler(images, spec=TaskSpec(5, 2, 3)).indices(0)
    expected = (images.images[where.query[1, 2]] / 255.0 - 0.4) / 0.3
    assert np.allclose(task.query_x[5].numpy(), expected, rtol=0, atol=1e-14)
    assert task.support_y.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert task.support_x.shape == (10, 1, 16, 16)
    assert task.query_x.shape == (15, 1, 16, 16)


def test_draws_are_the_ones_that_stored_results_were_made_with(images):
    # Pinned: a change here would silently give every stored surface other tasks.
    where = sampler(images).indices(0)
    assert where.classes.tolist() == [4, 8, 3, 5, 1]
    assert where.support.ravel().tolist() == [87, 163, 63, 108, 38]


@pytest.mark.parametrize(
    ("split", "spec", "message"),
    [
        ("test", TaskSpec(), "splits base, val, novel, not 'test'"),
        ("val", TaskSpec(way=7), "val split of patterns has 6 classes: too few for 7-way"),
        ("base", TaskSpec(query=20), "20 images: too few for 1 support and 20 query"),
    ],
)
def test_tasks_that_cannot_be_supplied_are_refused(images, split, spec, message):
    with pytest.raises(SpecError, match=message):
        sampler(images, split=split, spec=spec)


def test_images_that_lie_on_the_device_are_gathered_there(images, monkeypatch):
    rows = np.array([[3, 0], [7, 3]])
    expected = PixelSource(images, torch.float64).normalised(rows)
    monkeypatch.setattr(PixelSource, "_has_room", lambda source: True)
    source = PixelSource(images, torch.float64)
    assert torch.equal(source.normalised(rows), expected)
    assert source.resident.dtype == torch.uint8
    assert len(source.resident) == len(images.images)
