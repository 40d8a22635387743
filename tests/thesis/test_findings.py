"""Each rule, on numbers that make it true and on numbers that do not."""

import math

import numpy as np
import pytest

from raymaml.correlation import Variable
from raymaml.results import Result
from raymaml.tables.adaptation import Adaptation
from raymaml.thesis import findings

A, B = np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5), indexing="ij")
BOWL, SADDLE = A**2 + B**2, A**2 - B**2


def adaptation(start, end=0.5, backbone="conv4", augment=True, seed=5):
    loss = np.array([[start - 0.01, end], [start + 0.01, end]])
    return Adaptation(backbone, augment, seed, (0, 10), loss)


def test_the_initial_loss_must_be_above_guessing_for_every_seed():
    assert findings.initial_loss([adaptation(3.0), adaptation(2.0, seed=6)]).verdict == "holds"
    low = findings.initial_loss([adaptation(3.0), adaptation(math.log(5), seed=6)])
    assert low.verdict == "does not hold"
    assert low.numbers == ("conv4 aug: 2.30 nats at 0 steps (seeds 3.00 1.61), 0.50 after 10",)


def test_the_least_fall_must_be_that_of_conv4():
    small, large = adaptation(2.0), adaptation(3.0, backbone="conv6")
    assert findings.adaptation_by_depth([small, large]).verdict == "holds"
    assert findings.adaptation_by_depth([adaptation(4.0), large]).verdict == "does not hold"
    assert findings.adaptation_by_depth([small]) is None


def test_the_head_must_span_more_than_the_features_before_any_step():
    parts = {"all": 3 * A, "head": 2 * A, "feature": A}
    other = parts | {"head": 0.5 * A}
    assert findings.feature_reuse({("conv4", 0): parts, ("conv4", 10): other}).verdict == "holds"
    found = findings.feature_reuse({("conv4", 0): other})
    assert found.verdict == "does not hold"
    assert found.numbers == ("conv4, 0 steps: all 6.00, head 1.00, feature 2.00, head / feature 0.50",)


def test_diverged_points_do_not_hide_a_range():
    head, feature = 2 * A, 1 * A
    head[0, 0] = feature[1, 1] = np.inf
    parts = {"all": A, "head": head, "feature": feature}
    assert findings.feature_reuse({("conv4", 0): parts}).verdict == "holds"


@pytest.mark.parametrize(
    ("few", "many", "verdict"),
    [
        ([SADDLE, SADDLE], [BOWL, BOWL], "holds"),
        ([BOWL, BOWL], [SADDLE, SADDLE], "does not hold"),
        ([BOWL, SADDLE], [BOWL, BOWL], "undecided"),
        ([BOWL, BOWL], [BOWL, BOWL], "undecided"),
    ],
)
def test_more_queries_must_make_each_task_more_convex(few, many, verdict):
    loss = np.stack([few, many], axis=1)
    assert findings.convexity_by_queries(loss, (1, 15)).verdict == verdict


def test_averaging_must_make_the_surface_more_convex_each_time():
    waves = np.stack([BOWL + 3 * sign * SADDLE for sign in (1, 1, 1, -1, -1, -1, 1, -1)])
    # One task is a saddle, as are means of two equal ones; (1, -1) pairs and the mean of all are the bowl.
    assert findings.convexity_by_tasks({"x": waves}, 2).verdict == "holds"
    in_pairs = waves[[0, 1, 3, 4]]  # pairs of equal ones are saddles, like one task
    assert findings.convexity_by_tasks({"x": in_pairs}, 2).verdict == "does not hold"
    assert findings.convexity_by_tasks({"x": waves, "y": np.stack([BOWL] * 4)}, 2).verdict == "does not hold"


def result(accuracy, **changes):
    values = {
        "data": "glyphs", "method": "maml", "backbone": "conv4", "augment": False, "seed": 5, "split": "novel",
        "checkpoint": "best", "accuracy": accuracy, "accuracy_ci95": 0.01, "loss": 1.0, "tasks": 10,
    }  # fmt: skip
    return Result(**values | changes)


def test_augmentation_must_help_everywhere():
    pair = [result(0.8), result(0.9, augment=True)]
    assert findings.augmentation_helps(pair).verdict == "holds"
    worse = [result(0.8, backbone="conv6"), result(0.7, backbone="conv6", augment=True)]
    assert findings.augmentation_helps([*pair, *worse]).verdict == "does not hold"
    assert findings.augmentation_helps(pair[:1]) is None


def test_maml_must_beat_transfer_learning_on_every_conv_net_without_augmentation():
    better = [result(0.9), result(0.8, method="transfer")]
    assert findings.maml_against_transfer(better).verdict == "holds"
    augmented = [result(0.1, augment=True), result(0.9, augment=True, method="transfer")]
    resnet = [result(0.1, backbone="resnet10"), result(0.9, backbone="resnet10", method="transfer")]
    assert findings.maml_against_transfer([*better, *augmented, *resnet]).verdict == "holds"
    assert findings.maml_against_transfer([result(0.7), better[1]]).verdict == "does not hold"
    assert findings.maml_against_transfer(better[:1]) is None


def sharp(value, **changes):
    return result(0.5, sharpness=value, sharpness_ci95=0.1, sharpness_tasks=10, **changes)


def test_augmentation_must_flatten_everywhere():
    pair = [sharp(0.5), sharp(0.2, augment=True)]
    assert findings.augmentation_flattens(pair).verdict == "holds"
    worse = [sharp(0.5, split="base"), sharp(0.6, split="base", augment=True)]
    assert findings.augmentation_flattens([*pair, *worse]).verdict == "does not hold"
    assert findings.augmentation_flattens([result(0.5)]) is None


@pytest.mark.parametrize(("sign", "verdict"), [(-1, "holds"), (1, "does not hold"), (0, "undecided")])
def test_a_correlation_decides_if_it_is_significant(sign, verdict):
    noise = [0.0, 0.3, -0.3, 0.0, 0.2, -0.2]
    runs = [
        result(0.5 + 0.05 * (sign * i + (noise[i] if sign else noise[i] * 3)), loss=1.0 + i, seed=i) for i in range(6)
    ]
    [found] = findings.accuracy_follows(runs, Variable("novel", "loss"), "table 3")
    assert found.verdict == verdict


def test_two_points_decide_nothing():
    runs = [result(0.5, loss=1.0), result(0.4, loss=2.0, seed=6)]
    [found] = findings.accuracy_follows(runs, Variable("novel", "loss"), "table 3")
    assert (found.verdict, found.numbers[0][:5]) == ("undecided", "n = 2")


def test_findings_are_written_as_markdown():
    text = findings.as_text([findings.Finding("Claim", "rule", "holds", ("one", "two"))])
    assert text == "## Claim\n\n**holds**. Rule: rule.\n\n- one\n- two\n"
