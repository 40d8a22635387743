import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torchvision.transforms import v2

from raymaml.augment import Augmentation
from raymaml.pixels import PixelSource
from raymaml.specs import TaskSpec
from raymaml.tasks import TaskSampler


@pytest.fixture(scope="module")
def picture():
    """A colour picture, smooth enough that interpolation hardly matters."""
    y, x = np.mgrid[0:90, 0:120]
    planes = [127 + 90 * np.sin(x / 17 + k) * np.cos(y / (11 + k)) for k in range(3)]
    return torch.from_numpy(np.stack(planes).astype(np.uint8))


def test_a_variant_is_a_function_of_image_and_key(picture):
    augment = Augmentation(28)
    first = augment(picture, "step", 5, 3, 7)
    assert (first.shape, first.dtype) == ((3, 28, 28), torch.uint8)
    augment(picture, "step", 5, 3, 8)
    torch.manual_seed(99)
    assert torch.equal(augment(picture, "step", 5, 3, 7), first)
    assert not torch.equal(augment(picture, "step", 5, 4, 7), first)


def test_the_generator_of_the_process_is_left_as_it_was(picture):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    Augmentation(28)(picture, "a")
    assert torch.equal(torch.rand(3), expected)


def test_the_steps_are_those_of_the_recipe_in_its_order(picture):
    steps = Augmentation(84).transform.transforms
    crop, *jitters, flip = steps
    assert isinstance(crop, v2.RandomResizedCrop)
    assert (tuple(crop.size), tuple(crop.scale), tuple(crop.ratio)) == ((84, 84), (0.08, 1.0), (3 / 4, 4 / 3))
    assert v2.InterpolationMode(crop.interpolation) == v2.InterpolationMode.BILINEAR
    ranges = [(j.brightness, j.contrast, j.saturation, j.hue) for j in jitters]
    near = pytest.approx((0.6, 1.4))
    assert ranges == [(near, None, None, None), (None, near, None, None), (None, None, near, None)]
    assert isinstance(flip, v2.RandomHorizontalFlip)
    assert flip.p == 0.5


def test_each_jitter_is_pillows_enhancement(picture):
    # The thesis's code uses Pillow's; the two round differently by a level or two.
    image = Image.fromarray(picture.permute(1, 2, 0).numpy())
    for jitter, enhance in zip(
        (v2.functional.adjust_brightness, v2.functional.adjust_contrast, v2.functional.adjust_saturation),
        (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color),
        strict=True,
    ):
        for factor in (0.6, 1.3):
            theirs = np.asarray(enhance(image).enhance(factor)).transpose(2, 0, 1).astype(int)
            assert np.abs(jitter(picture, factor).numpy().astype(int) - theirs).max() <= 2


def test_support_and_query_of_a_task_are_varied_and_differ_from_task_to_task(images):
    plain, varied = (TaskSampler(images, "base", TaskSpec(5, 1, 2), seed=5, augment=a) for a in (False, True))
    for x in ("support_x", "query_x"):
        assert not torch.equal(getattr(plain.task(0), x), getattr(varied.task(0), x))
    again = TaskSampler(images, "base", TaskSpec(5, 1, 2), seed=5, augment=True)
    again.task(3)
    assert torch.equal(again.task(0).query_x, varied.task(0).query_x)
    rows = np.array([4, 9])
    source = PixelSource(images, augment=True)
    assert not torch.equal(source.normalised(rows, "step", 1), source.normalised(rows, "step", 2))
    assert torch.equal(source.normalised(rows, "step", 1)[1], source.normalised(rows[1:], "step", 1)[0])
