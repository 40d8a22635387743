import math

import pytest
import reference
import torch

from raymaml import models
from raymaml.errors import SpecError
from raymaml.models.memory import channels_last
from raymaml.params import cast
from raymaml.specs import ModelSpec

COUNTS = [  # recipe 1.6, and 1.3 for Conv4 on 28-pixel grey images
    ("conv4", 3, 84, 5, 121_093),
    ("conv6", 3, 84, 5, 195_205),
    ("resnet10", 3, 224, 5, 4_908_357),
    ("resnet18", 3, 224, 5, 11_179_077),
    ("conv4", 3, 84, 200, 433_288),
    ("conv6", 3, 84, 200, 507_400),
    ("resnet10", 3, 224, 200, 5_008_392),
    ("resnet18", 3, 224, 200, 11_279_112),
    ("conv4", 1, 28, 5, 112_261),
]


@pytest.mark.parametrize(("backbone", "channels", "size", "outputs", "count"), COUNTS)
def test_parameter_counts_are_the_published_ones(backbone, channels, size, outputs, count):
    model = models.build(ModelSpec(backbone, channels, size, outputs))
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize("backbone", ["conv4", "conv6"])
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 84)])
def test_conv_nets_equal_the_written_out_network(backbone, channels, size):
    model = models.build(ModelSpec(backbone, channels, size, 5))
    params = cast(models.initial_params(model, 3), torch.float64)
    x = torch.rand(7, channels, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(models.apply(model, params, x), reference.conv_net(params, x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("backbone", "blocks"), [("resnet10", 1), ("resnet18", 2)])
def test_resnets_equal_torchvisions_with_batch_statistics(backbone, blocks):
    torchvision = pytest.importorskip("torchvision", reason="an independent ResNet to compare with")
    spec = ModelSpec(backbone, 3, 224, 5)
    model = models.build(spec)
    ours = cast(models.initial_params(model, 1), torch.float64)
    other = torchvision.models.resnet.ResNet(torchvision.models.resnet.BasicBlock, [blocks] * 4, num_classes=5).double()
    other.load_state_dict(_torchvision_names(ours, blocks), strict=False)
    x = torch.rand(2, 3, 224, 224, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():  # train mode: batch statistics
        torch.testing.assert_close(models.apply(model, ours, x), other.train()(x), rtol=1e-9, atol=1e-10)


def _torchvision_names(params, blocks):
    renamed = {}
    for name, value in params.items():
        new = name.replace("stem.", "conv1.").replace("head.", "fc.")
        new = new.replace("norm1", "bn1").replace("norm2", "bn2").replace("shortcut", "downsample")
        if name.startswith("norm."):
            new = name.replace("norm.", "bn1.")
        if name.startswith("stages."):
            index, rest = new.removeprefix("stages.").split(".", 1)
            new = f"layer{int(index) // blocks + 1}.{int(index) % blocks}.{rest}"
        renamed[new] = value
    return renamed


def test_prediction_depends_on_the_other_images_of_the_batch():
    # Transductive on purpose: recipe 1.5.
    model = models.build(ModelSpec("conv4", 1, 28, 5))
    params = models.initial_params(model, 0)
    x = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    alone = models.apply(model, params, x[:2])
    assert not torch.allclose(models.apply(model, params, x)[:2], alone, atol=1e-3)


def test_apply_leaves_nothing_behind():
    model = models.build(ModelSpec("conv4", 1, 28, 5))
    params = models.initial_params(model, 0)
    x = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    first = models.apply(model, params, x)
    models.apply(model, params, x * 100 + 3)
    assert torch.equal(models.apply(model, params, x), first)
    assert all(p.is_meta for p in model.parameters())
    assert not list(model.buffers())


def test_initial_weights_follow_the_recipe():
    model = models.build(ModelSpec("conv4", 3, 84, 5))
    params = models.initial_params(model, 0)
    conv = params["blocks.0.conv.weight"]  # 3 channels in, 64 out
    assert conv.std().item() == pytest.approx(math.sqrt(2 / (9 * 64)), rel=0.05)  # He, fan-out
    bias = params["blocks.1.conv.bias"]
    assert bias.abs().max() <= 1 / math.sqrt(9 * 64)
    assert bias.abs().max() > 0.9 / math.sqrt(9 * 64)
    assert (params["blocks.0.norm.weight"] == 1).all()
    assert (params["blocks.0.norm.bias"] == 0).all()
    assert (params["head.bias"] == 0).all()
    assert 0.99 / math.sqrt(1600) < params["head.weight"].abs().max() <= 1 / math.sqrt(1600)


def test_initial_weights_are_a_function_of_the_seed():
    model = models.build(ModelSpec("conv4", 1, 28, 5))
    first, again, other = (models.initial_params(model, seed) for seed in (5, 5, 6))
    assert all(torch.equal(first[n], again[n]) for n in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (ModelSpec("resnet10", 3, 84, 5), "resnet10 needs images of 224 pixels, got 84"),
        (ModelSpec("conv4", 1, 15, 5), "conv4 needs images of 16 pixels or more, got 15"),
    ],
)
def test_images_of_a_wrong_size_are_refused(spec, message):
    with pytest.raises(SpecError, match=message):
        models.build(spec)


def test_weights_of_another_model_are_refused():
    small = models.build(ModelSpec("conv4", 1, 28, 5))
    weights = models.initial_params(models.build(ModelSpec("conv4", 3, 84, 5)), 0)
    with pytest.raises(SpecError, match="not those of this backbone"):
        models.ordered(small, weights)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_convolution_of_images_with_channels_last_has_them_last_too(channels):
    x = channels_last(torch.randn(2, channels, 8, 8))
    y = torch.nn.functional.conv2d(x, torch.randn(4, channels, 3, 3), padding=1)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert not y.is_contiguous()
