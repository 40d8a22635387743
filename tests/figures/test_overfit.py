import dataclasses

import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection

from raymaml import published
from raymaml.errors import SpecError
from raymaml.figures.overfit import overfit
from raymaml.figures.panels import SPLIT_COLOURS
from raymaml.figures.style import SINGLE
from raymaml.results import Curve

MINI = [r for r in published.runs() if r.data == "miniimagenet" and r.method == "maml"]


def curve(backbone="conv4", augment=False, seed=5, split="val", steps=(25, 50, 75), accuracy=(0.2, 0.4, 0.6)):
    return Curve(backbone, augment, seed, split, steps, accuracy)


ALL = [
    curve(backbone, augment, seed, split, accuracy=(0.2, 0.4 + seed / 100, 0.6))
    for backbone in ("conv4", "conv6", "resnet10", "resnet18")
    for augment in (False, True)
    for seed in (5, 6, 7)
    for split in ("base", "val", "novel")
]


def heading(axes):
    return axes.texts[0].get_text()


def lines(axes, thin):
    """(x, y) of the thin lines, which are seeds, or of the thick ones, which are means."""
    return [
        (line.get_xdata().tolist(), pytest.approx(line.get_ydata().tolist()))
        for line in axes.get_lines()
        if (line.get_linewidth() < 1) == thin
    ]


# --- curves


def test_lines_are_the_seeds_their_mean_and_their_range():
    figure = overfit([curve(accuracy=(0.2, 0.4, 0.6)), curve(seed=6, accuracy=(0.4, 0.4, 0.9))], [], title="t")
    (axes,) = figure.axes
    assert lines(axes, thin=True) == [([25, 50, 75], [20, 40, 60]), ([25, 50, 75], [40, 40, 90])]
    assert lines(axes, thin=False) == [([25, 50, 75], [30, 40, 75])]
    (band,) = [c for c in axes.collections if isinstance(c, FillBetweenPolyCollection)]
    corners = {(round(float(x)), round(float(y))) for x, y in band.get_paths()[0].vertices}
    assert corners == {(25, 20), (25, 40), (50, 40), (75, 60), (75, 90)}


def test_a_mean_is_over_the_steps_that_all_seeds_have():
    figure = overfit([curve(), curve(seed=6, steps=(50, 75, 100), accuracy=(0.8, 0.8, 0.8))], [], title="t")
    assert lines(figure.axes[0], thin=False) == [([50, 75], [60, 70])]
    assert lines(figure.axes[0], thin=True)[1] == ([50, 75, 100], [80, 80, 80])


def test_there_is_a_panel_for_each_backbone_and_augmentation():
    figure = overfit(ALL, [], title="t")
    assert [heading(axes) for axes in figure.axes] == [
        f"{name}, {augment}" for augment in ("no aug", "aug") for name in ("Conv4", "Conv6", "ResNet10", "ResNet18")
    ]
    for axes in figure.axes:
        assert len(lines(axes, thin=True)) == 9
        assert {line.get_color() for line in axes.get_lines()} == set(SPLIT_COLOURS.values())


def test_panels_share_limits_that_hold_all_curves():
    figure = overfit([curve(), curve("conv6", steps=(25, 100), accuracy=(0.1, 0.9))], [], title="t")
    (limits,) = {(axes.get_xlim(), axes.get_ylim()) for axes in figure.axes}
    assert limits[0][0] == 0
    assert limits[0][1] > 100
    assert limits[1][0] < 10
    assert limits[1][1] > 90


def test_a_long_curve_is_averaged_and_the_title_says_so():
    accuracy = np.linspace(0, 1, 250)
    figure = overfit([curve(steps=range(1, 251), accuracy=accuracy)], [], title="t")
    assert "each point of a curve is the mean of 3 consecutive validations" in figure.get_suptitle()
    ((x, y),) = lines(figure.axes[0], thin=False)
    assert (len(x), x[0], x[1], x[-1]) == (84, 2, 5, 250)  # 83 threes, and a rest of one
    assert y == [100 * float(np.mean(accuracy[i : i + 3])) for i in range(0, 250, 3)]
    short = overfit([curve(steps=range(1, 121), accuracy=accuracy[:120])], [], title="t")
    assert "consecutive" not in short.get_suptitle()


# --- the best and the last checkpoint


def dots(axes):
    """(accuracy, row, colour, best) of every dot."""
    return sorted(
        (round(float(line.get_xdata()[0]), 2), round(float(line.get_ydata()[0])), line.get_markeredgecolor(), best)
        for line in axes.get_lines()
        if line.get_marker() == "o"
        for best in [line.get_markerfacecolor() != "none"]
    )


def test_every_seed_has_a_dot_for_each_checkpoint_and_split():
    (axes,) = overfit([], MINI, title="t").axes
    rows = [text.get_text() for text in axes.get_yticklabels()]
    assert rows == [
        f"{name}, {augment}" for augment in ("no aug", "aug") for name in ("Conv4", "Conv6", "ResNet10", "ResNet18")
    ]
    names = {"conv4": "Conv4", "conv6": "Conv6", "resnet10": "ResNet10", "resnet18": "ResNet18"}
    assert dots(axes) == sorted(
        (
            round(100 * r.accuracy, 2),
            rows.index(f"{names[r.backbone]}, {'aug' if r.augment else 'no aug'}"),
            SPLIT_COLOURS[r.split],
            r.checkpoint == "best",
        )
        for r in MINI
    )


def test_a_line_joins_the_two_checkpoints_of_a_seed():
    (axes,) = overfit([], MINI, title="t").axes
    joins = [
        sorted(line.get_xdata())
        for line in axes.get_lines()
        if line.get_marker() != "o" and line.get_linewidth() == 0.7
    ]
    of = {(r.backbone, r.augment, r.split, r.seed, r.checkpoint): 100 * r.accuracy for r in MINI}
    pairs = [
        sorted([v, of[(*key[:4], "last")]]) for key, v in of.items() if key[4] == "best" and (*key[:4], "last") in of
    ]
    assert len(pairs) == 46
    assert sorted(joins) == sorted(pairs)


def test_the_seeds_of_a_row_lie_side_by_side():
    (axes,) = overfit([], MINI, title="t").axes
    first = [line.get_ydata()[0] for line in axes.get_lines() if line.get_marker() == "o" and line.get_ydata()[0] < 0.5]
    assert len(set(first)) == 3
    assert max(first) - min(first) < 0.9  # and away from the next row


def test_a_result_without_its_counterpart_stands_alone_and_is_counted():
    title = overfit([], MINI, title="t").get_suptitle()
    assert "2 results have no counterpart at the other checkpoint and stand alone" in title
    whole = [r for r in MINI if r.backbone == "conv4"]
    assert "counterpart" not in overfit([], whole, title="t").get_suptitle()


# --- both, and neither


def test_a_part_without_data_is_left_out_and_the_title_says_so():
    alone = overfit([], MINI, title="t")
    assert "no curves over training are stored: only the two checkpoints are shown" in alone.get_suptitle()
    best = [r for r in MINI if r.checkpoint == "best"]
    curves = overfit(ALL, best, title="t")
    assert len(curves.axes) == 8
    assert "no seed has results of both the best and the last checkpoint: only the curves" in curves.get_suptitle()
    both = overfit(ALL, MINI, title="t")
    assert len(both.axes) == 9
    assert "only" not in both.get_suptitle()


def test_transfer_learning_and_validation_tasks_are_not_drawn():
    others = [dataclasses.replace(r, method="transfer") for r in MINI] + [dataclasses.replace(MINI[0], split="val")]
    (axes,) = overfit([], [*MINI, *others], title="t").axes
    assert len(dots(axes)) == len(MINI)
    with pytest.raises(SpecError, match="curves over training are needed, or results of both"):
        overfit([], others, title="t")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("width", [7.0, SINGLE])
@pytest.mark.parametrize(
    ("curves", "results"),
    [
        (ALL, MINI),
        (ALL, []),
        ([], MINI),
        (ALL[:1], []),
        ([curve(steps=[1], accuracy=[0.5])], MINI[:4]),
        (ALL[:33], MINI),
    ],
    ids=["all", "curves", "results", "one curve", "one point", "five panels"],
)
def test_no_text_is_cut_or_overlaps(curves, results, width):
    figure = overfit(curves, results, title="MAML on miniimagenet, 5-way 1-shot, seeds 5, 6, 7", width=width)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.legends[0].get_texts()]
    boxes.append(figure._suptitle.get_window_extent())
    for axes in figure.axes:
        labels = [axes.xaxis.label, axes.yaxis.label, *axes.texts, *axes.get_yticklabels()]
        boxes += [axes.bbox, *(text.get_window_extent() for text in labels if text.get_text() and text.get_visible())]
    for i, one in enumerate(boxes):
        assert one.x0 >= 0
        assert one.y0 >= 0
        assert one.x1 <= figure.bbox.x1
        assert one.y1 <= figure.bbox.y1
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])
