import dataclasses
import math

import pytest
from matplotlib.colors import to_rgba

from raymaml import published
from raymaml.errors import SpecError
from raymaml.figures.saving import save
from raymaml.figures.sharpness_scatter import COLOURS, sharpness_scatter
from raymaml.figures.style import SINGLE

BEST = [r for r in published.runs() if (r.method, r.checkpoint) == ("maml", "best")]
CUB = [r for r in BEST if r.data == "cub"]
SHAPES = {"conv4": "o", "conv6": "s", "resnet10": "^", "resnet18": "D"}


def panels(figure):
    """The axes of each panel and its colour bar, by the panel's name."""
    drawn = [axes for axes in figure.axes if axes.texts]
    bars = [axes for axes in figure.axes if axes.get_ylabel() == "accuracy (%)"]
    return {axes.texts[0].get_text(): (axes, bar) for axes, bar in zip(drawn, bars, strict=True)}


def points(axes):
    """(loss, sharpness, shape, filled, colour) of every point."""
    return sorted(
        (
            float(line.get_xdata()[0]),
            float(line.get_ydata()[0]),
            line.get_marker(),
            not isinstance(line.get_markerfacecolor(), str),
            to_rgba(line.get_markeredgecolor()),
        )
        for line in axes.get_lines()
    )


def by_hand(results):
    low, high = (end(r.accuracy for r in results) for end in (min, max))
    return sorted(
        (
            r.loss,
            r.sharpness,
            SHAPES[r.backbone],
            r.augment,
            pytest.approx(COLOURS((r.accuracy - low) / (high - low))),
        )
        for r in results
    )


def test_every_seed_is_a_point_in_the_panel_of_its_data_set_and_split():
    found = panels(sharpness_scatter(BEST, title="t"))
    assert list(found) == [
        *("cub, base tasks", "cub, novel tasks"),
        *("miniimagenet, base tasks", "miniimagenet, novel tasks"),
    ]
    for name, (axes, bar) in found.items():
        data, split = name.removesuffix(" tasks").split(", ")
        mine = [r for r in BEST if (r.data, r.split) == (data, split)]
        assert len(mine) == 24
        assert points(axes) == by_hand(mine)
        ends = 100 * min(r.accuracy for r in mine), 100 * max(r.accuracy for r in mine)
        assert bar.get_ylim() == pytest.approx(ends)
        assert bar.get_position().x0 > axes.get_position().x1


def test_the_colours_get_lighter_with_accuracy_and_none_is_lost_on_white():
    light = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b, _ in COLOURS([i / 20 for i in range(21)])]
    assert light == sorted(light)
    assert light[-1] < 0.75


def test_what_cannot_be_drawn_is_counted():
    some = [r for r in CUB if r.split == "novel"]
    some[0] = dataclasses.replace(some[0], loss=math.inf)
    some[1] = dataclasses.replace(some[1], sharpness=math.nan)
    some[2] = dataclasses.replace(some[2], sharpness=None, sharpness_ci95=None, sharpness_tasks=0)
    figure = sharpness_scatter(some, title="t")
    assert figure.get_suptitle() == (
        "t\nnot drawn, since without sharpness: 1 of cub\nnot drawn, since diverged: 2 of cub"
    )
    ((axes, _),) = panels(figure).values()
    assert points(axes) == by_hand(some[3:])


def test_a_panel_without_points_says_so():
    lost = [dataclasses.replace(CUB[0], sharpness=math.nan), *(r for r in CUB if r.split == "novel")]
    figure = sharpness_scatter(lost, title="t")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["cub, base tasks", "nothing to draw"]


def test_the_legend_names_what_is_there():
    texts = [text.get_text() for text in sharpness_scatter(BEST, title="t").legends[0].get_texts()]
    assert texts == ["Conv4", "Conv6", "ResNet10", "ResNet18", "not augmented", "augmented"]
    only = sharpness_scatter(CUB[:1], title="t").legends[0].get_texts()
    assert [text.get_text() for text in only] == ["Conv4", "not augmented"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("width", [7.0, SINGLE])
@pytest.mark.parametrize("results", [BEST, CUB, CUB[:1]], ids=["all", "one data set", "one"])
def test_no_text_is_cut_or_overlaps(results, width):
    figure = sharpness_scatter(results, title="Loss, sharpness, accuracy\nsecond line", width=width)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.legends[0].get_texts()]
    boxes.append(figure._suptitle.get_window_extent())
    for axes in figure.axes:
        labels = [axes.xaxis.label, axes.yaxis.label, *axes.texts]
        boxes += [axes.bbox, *(text.get_window_extent() for text in labels if text.get_text())]
    for i, one in enumerate(boxes):
        assert one.x0 >= 0
        assert one.y0 >= 0
        assert one.x1 <= figure.bbox.x1
        assert one.y1 <= figure.bbox.y1
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])


def test_the_order_of_the_results_does_not_matter(tmp_path):
    one, other = (
        save(sharpness_scatter(r, title="t"), tmp_path / n, ["png"]) for n, r in (("a", CUB), ("b", CUB[::-1]))
    )
    assert one[0].read_bytes() == other[0].read_bytes()


def test_results_without_sharpness_are_refused():
    with pytest.raises(SpecError, match="at least one result that has it"):
        sharpness_scatter([r for r in published.runs() if r.checkpoint == "last"], title="t")
