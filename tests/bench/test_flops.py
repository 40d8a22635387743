import pytest

from raymaml.bench.flops import of_evaluation
from raymaml.specs import ModelSpec

MMAC = [("conv4", 84, 97.2), ("conv6", 84, 99.0), ("resnet10", 224, 889), ("resnet18", 224, 1814)]  # recipe 1.6


@pytest.mark.parametrize(("backbone", "size", "mmac"), MMAC)
def test_a_forward_pass_is_what_the_recipe_counts(backbone, size, mmac):
    found = of_evaluation(ModelSpec(backbone, image_size=size), support=5, query=1, steps=0)
    assert found.needed == found.passes == pytest.approx(2e6 * mmac, rel=1e-3)


def test_an_evaluation_is_225_forward_passes_of_which_the_images_gradient_is_not_needed():
    spec = ModelSpec("conv4", image_size=84)
    forward = of_evaluation(spec, support=5, query=1, steps=0).passes
    found = of_evaluation(spec, support=5, query=75, steps=10)
    assert found.passes == pytest.approx(225 * forward)
    first = 2 * 64 * 27 * 84**2
    assert found.needed == pytest.approx(225 * forward - 50 * first)
