import pytest
import reference
import torch

from raymaml import models, params
from raymaml.landscape.directions import Draws, filter_normalised
from raymaml.specs import ModelSpec


def dot(a, b):
    return sum((a[name] * b[name]).sum() for name in a)


@pytest.fixture(scope="module", params=["conv4", "resnet10"])
def centre(request):
    size = 224 if request.param == "resnet10" else 28
    model = models.build(ModelSpec(request.param, 1, size, 5))
    return params.cast(models.initial_params(model, 0), torch.float64)


@pytest.mark.parametrize("orthogonal", [False, True])
def test_each_filter_has_the_norm_of_the_centres(centre, orthogonal):
    for direction in filter_normalised(centre, seed=3, orthogonal=orthogonal):
        for name in ("blocks.1.conv.weight", "stages.0.conv1.weight", "head.weight"):
            if name in centre:
                assert reference.filter_norms(direction[name]) == pytest.approx(reference.filter_norms(centre[name]))


def test_biases_and_batch_norm_are_not_perturbed(centre):
    for direction in filter_normalised(centre, seed=3):
        assert list(direction) == list(centre)
        for name, values in direction.items():
            flat = name.endswith("bias") or "norm" in name or name == "shortcut.1.weight"
            assert bool(values.any()) is not (flat or values.dim() == 1), name


def test_the_draws_are_independent_standard_normals(centre):
    first, second = filter_normalised(centre, seed=3)
    rows = torch.cat([first["head.weight"].flatten(), second["head.weight"].flatten()])
    assert params.digest(first) != params.digest(second)
    cosine = dot(first, second) / (dot(first, first) * dot(second, second)).sqrt()
    assert 1e-6 < abs(cosine) < 0.05  # not orthogonalised, but random directions nearly are
    assert abs(rows.mean() / rows.std()) < 0.2
    assert ((rows / rows.std()) ** 4).mean() == pytest.approx(3, abs=0.6)  # as only a normal has it


def test_orthogonal_directions_are_orthogonal_filter_by_filter(centre):
    first, second = filter_normalised(centre, seed=3, orthogonal=True)
    assert abs(dot(first, second)) < 1e-9 * dot(first, first)
    products = (first["head.weight"] * second["head.weight"]).sum(1)
    assert products.abs().max() < 1e-12
    plain, _ = filter_normalised(centre, seed=3)
    assert params.digest(plain) == params.digest(first)


def test_a_filter_of_one_number_has_no_orthogonal_direction():
    # Without care the rounding error of the projection would be blown up to the filter's norm.
    first, second = filter_normalised({"w": torch.ones(64, 1)}, seed=0, orthogonal=True)
    assert first["w"].abs().tolist() == [[1.0]] * 64
    assert not second["w"].any()


def test_a_direction_depends_on_seed_and_name_alone(centre):
    whole, _ = filter_normalised(centre, seed=3)
    head, _ = filter_normalised({"head.weight": centre["head.weight"]}, seed=3)
    assert torch.equal(whole["head.weight"], head["head.weight"])
    other, _ = filter_normalised(centre, seed=4)
    assert not torch.equal(whole["head.weight"], other["head.weight"])


@pytest.mark.parametrize("orthogonal", [False, True])
def test_head_and_feature_are_the_exact_parts_of_one_pair(centre, orthogonal):
    whole, head, feature = (
        filter_normalised(centre, seed=3, orthogonal=orthogonal, part=part) for part in ("all", "head", "feature")
    )
    for full, of_head, of_feature in zip(whole, head, feature, strict=True):
        assert all(torch.equal(of_head[n] + of_feature[n], full[n]) for n in centre)
        assert [n for n in centre if of_head[n].any()] == ["head.weight"]
        assert not of_feature["head.weight"].any()
        assert of_feature[next(iter(centre))].any()


def test_other_weights_get_the_same_draws_normalised_by_their_own_filters(centre):
    draws = Draws(3)
    draws.around(centre)
    moved = {n: v + 0.1 for n, v in centre.items()}
    found, expected = draws.around(moved), filter_normalised(moved, seed=3)
    assert params.digest(*found) == params.digest(*expected)
    assert reference.filter_norms(found[0]["head.weight"]) == pytest.approx(
        reference.filter_norms(moved["head.weight"])
    )
    wider = {"head.weight": torch.ones(9, centre["head.weight"].shape[1])}  # transfer learning fits another head
    assert params.digest(*draws.around(wider)) == params.digest(*filter_normalised(wider, seed=3))


def test_tensors_of_one_shape_have_their_own_draws():
    first, _ = filter_normalised({"a": torch.ones(4, 9), "b": torch.ones(4, 9)}, seed=0)
    assert not torch.equal(first["a"], first["b"])


def test_directions_scale_with_their_filters(centre):
    scaled = {n: v * (3.0 if n == "head.weight" else 1.0) for n, v in centre.items()}
    plain, _ = filter_normalised(centre, seed=3)
    larger, _ = filter_normalised(scaled, seed=3)
    torch.testing.assert_close(larger["head.weight"], 3 * plain["head.weight"])


def test_a_zero_filter_stays_zero():
    first, _ = filter_normalised({"w": torch.zeros(2, 3)}, seed=0)
    assert not first["w"].any()
