"""Every backbone at its own size: a training step, an evaluation and a checkpoint there and back, by both methods."""

import dataclasses

import numpy as np
import pytest
import torch

from raymaml import backends, checkpoints, learners, models, training
from raymaml.data.imageset import ImageSet
from raymaml.presets import train_spec
from raymaml.runs import SeedDir
from raymaml.specs import TaskSpec
from raymaml.tasks import TaskSampler

# Parameters with a 5-way and with a 200-way head (recipe 1.6).
BACKBONES = [
    ("conv4", 84, 121_093, 433_288),
    ("conv6", 84, 195_205, 507_400),
    ("resnet10", 224, 4_908_357, 5_008_392),
    ("resnet18", 224, 11_179_077, 11_279_112),
]


def pictures(size):
    """Six classes of four noisy colour pictures."""
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (24, 3, size, size), dtype=np.uint8)
    labels = np.repeat(np.arange(6), 4)
    splits = {"base": (0, 1), "val": (2, 3), "novel": (4, 5)}
    return ImageSet("noise", pixels, labels, tuple("abcdef"), splits, (0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize(("backbone", "size", "five", "two_hundred"), BACKBONES)
@pytest.mark.parametrize("method", ["maml", "transfer"])
def test_a_step_an_evaluation_and_a_checkpoint(backbone, size, five, two_hundred, method, tmp_path):
    images = pictures(size)
    changes = {"meta_batch": 1, "inner_steps": 1} if method == "maml" else {"batch": 4, "outputs": 200}
    spec = train_spec(
        images,
        "thesis",
        method=method,
        backbone=backbone,
        way=2,
        augment=True,
        updates=1,
        query=1,
        validate_every=1,
        val_tasks=2,
        monitor_every=0,
        test_tasks=2,
        test_query=1,
        test_steps=1,
        **changes,
    )
    training.check(spec, images)
    directory = SeedDir(tmp_path / "seed-5")
    score = training.train(spec, images, seed=5, directory=directory)
    assert score.tasks == 2
    loaded = checkpoints.load(directory.last)
    model = models.build(loaded.spec.model)
    before = models.initial_params(model, 5)
    assert all(not torch.equal(loaded.params[n], before[n]) for n in ("head.weight", models.trained_names(model)[0]))
    assert loaded.spec == spec
    # A 2-way head in place of the 5-way one: three rows and biases fewer.
    count = sum(loaded.params[n].numel() for n in models.trained_names(model))
    assert count == (two_hundred if method == "transfer" else five - 3 * (before["head.weight"].shape[1] + 1))
    sampler = TaskSampler(images, "novel", TaskSpec(2, 1, 1), seed=0)
    weights = models.ordered(model, checkpoints.load(directory.best).params)
    evaluate = learners.build(spec.learner, backends.preferred(model, "cpu")).scorer(model, weights, sampler, 1)
    rows = np.array(evaluate(range(2)))
    assert rows[:, 1].mean() == score.accuracy
    assert rows[:, 0].mean() == pytest.approx(score.loss, rel=1e-6)


@pytest.mark.parametrize("backbone", ["conv4", "resnet10"])
def test_running_statistics_are_torchs_own(backbone):
    size = 32 if backbone == "conv4" else 224
    spec = train_spec(pictures(size), "thesis", method="transfer", backbone=backbone).model
    weights = models.initial_params(models.build(spec), 3)
    model = models.build(dataclasses.replace(spec, norm="running"))
    norm = "blocks.1.norm" if backbone == "conv4" else "stages.0.norm1"
    theirs = torch.nn.BatchNorm2d(64)
    theirs.load_state_dict(
        {k: weights[f"{norm}.{k}"] for k in theirs.state_dict() if k != "num_batches_tracked"}, False
    )
    seen = {}
    model.get_submodule(norm).register_forward_pre_hook(lambda module, args: seen.update(x=args[0].detach().clone()))
    x = torch.rand(4, 3, size, size, generator=torch.Generator().manual_seed(0))
    for training_now in (True, False):
        models.apply(model, weights, x, training=training_now)
        expected = theirs.train(training_now)(seen["x"])
        with torch.no_grad():
            ours = torch.nn.functional.batch_norm(
                seen["x"],
                weights[f"{norm}.running_mean"],
                weights[f"{norm}.running_var"],
                theirs.weight,
                theirs.bias,
                False,
            )
        for statistic in ("running_mean", "running_var"):
            torch.testing.assert_close(weights[f"{norm}.{statistic}"], getattr(theirs, statistic))
        if not training_now:
            torch.testing.assert_close(ours, expected)
