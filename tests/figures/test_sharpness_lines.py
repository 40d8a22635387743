import dataclasses
import math

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

from raymaml import published
from raymaml.errors import SpecError
from raymaml.figures.panels import SPLIT_COLOURS
from raymaml.figures.saving import save
from raymaml.figures.sharpness_lines import sharpness_lines
from raymaml.figures.style import SINGLE
from raymaml.results import BACKBONES

BEST = [r for r in published.runs() if (r.method, r.checkpoint) == ("maml", "best")]
CUB = [r for r in BEST if r.data == "cub"]


def heading(axes):
    return axes.texts[0].get_text()


def lines(axes):
    """Of each line: colour, filled, and of each backbone the mean, the ends of its bar."""
    found = {}
    for container in axes.containers:
        assert isinstance(container, ErrorbarContainer)
        line, _, (bars,) = container.lines
        ends = [(segment[0][1], segment[1][1]) if len(segment) else None for segment in bars.get_segments()]
        filled = line.get_markerfacecolor() != "white"
        found[line.get_color(), filled] = [
            (round(float(x)), float(y), end) for (x, y), end in zip(line.get_xydata(), ends, strict=True)
        ]
    return found


def dots(axes):
    """(backbone, sharpness, colour) of every seed that can be seen."""
    return sorted(
        (round(float(x)), float(y), line.get_color())
        for line in axes.get_lines()
        if line.get_marker() == "."
        for x, y in line.get_xydata()
        if np.isfinite(y)
    )


def by_hand(results, split, augment):
    """Mean over seeds and its bar, of each backbone."""
    expected = []
    for index, backbone in enumerate(BACKBONES):
        some = [r for r in results if (r.split, r.augment, r.backbone) == (split, augment, backbone)]
        mean = sum(r.sharpness for r in some) / len(some)
        half = sum(r.sharpness_ci95 for r in some) / len(some)
        expected.append((index, pytest.approx(mean), pytest.approx((mean - half, mean + half))))
    return expected


def test_lines_are_means_over_seeds_and_bars_the_means_of_their_intervals():
    figure = sharpness_lines(BEST, title="t")
    assert [heading(axes) for axes in figure.axes] == ["cub", "miniimagenet"]
    for axes in figure.axes:
        mine = [r for r in BEST if r.data == heading(axes)]
        assert lines(axes) == {
            (SPLIT_COLOURS[split], augment): by_hand(mine, split, augment)
            for split in ("base", "novel")
            for augment in (False, True)
        }
        assert [text.get_text() for text in axes.get_xticklabels()] == ["Conv4", "Conv6", "ResNet10", "ResNet18"]


def test_every_seed_is_a_dot_of_the_colour_of_its_split():
    for axes in sharpness_lines(BEST, title="t").axes:
        assert dots(axes) == sorted(
            (BACKBONES.index(r.backbone), r.sharpness, SPLIT_COLOURS[r.split]) for r in BEST if r.data == heading(axes)
        )


def test_lines_of_one_backbone_lie_side_by_side_and_nearer_than_the_next():
    (axes,) = sharpness_lines(CUB, title="t").axes
    places = [container.lines[0].get_xdata() for container in axes.containers]
    assert len({float(x[0]) for x in places}) == 4
    seeds = [float(x) for line in axes.get_lines() if line.get_marker() == "." for x in line.get_xdata()]
    assert all(abs(x - round(x)) < 0.4 for x in [*np.concatenate(places), *seeds])


def test_what_cannot_be_drawn_is_counted_and_leaves_a_gap():
    one, other = ("conv6", True, 5, "novel"), ("conv4", True, 6, "novel")
    values = {one: {"sharpness": math.nan}, other: {"sharpness": None, "sharpness_ci95": None, "sharpness_tasks": 0}}
    some = [dataclasses.replace(r, **values.get((r.backbone, r.augment, r.seed, r.split), {})) for r in CUB]
    figure = sharpness_lines(some, title="t")
    assert figure.get_suptitle() == (
        "t\nnot drawn, since without sharpness: 1 of cub\nnot drawn, since diverged: 1 of cub"
    )
    (axes,) = figure.axes
    conv4, conv6, *_ = lines(axes)[SPLIT_COLOURS["novel"], True]
    assert math.isnan(conv6[1])
    left = [r.sharpness for r in CUB if (r.backbone, r.augment, r.split) == ("conv4", True, "novel") and r.seed != 6]
    assert conv4[1] == pytest.approx(sum(left) / 2)
    assert len(dots(axes)) == 46


def test_the_legend_names_the_lines_that_are_there():
    texts = [text.get_text() for text in sharpness_lines(BEST, title="t").legends[0].get_texts()]
    assert texts == ["base, no aug", "base, aug", "novel, no aug", "novel, aug", "one seed"]
    only = sharpness_lines([r for r in CUB if r.augment], title="t").legends[0].get_texts()
    assert [text.get_text() for text in only] == ["base, aug", "novel, aug", "one seed"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("width", [7.0, SINGLE])
@pytest.mark.parametrize("results", [BEST, CUB, CUB[:1]], ids=["all", "one data set", "one"])
def test_no_text_is_cut_or_overlaps(results, width):
    figure = sharpness_lines(results, title="Sharpness of the meta-loss\nsecond line", width=width)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.legends[0].get_texts()]
    boxes.append(figure._suptitle.get_window_extent())
    for axes in figure.axes:
        labels = [axes.yaxis.label, *axes.texts, *axes.get_xticklabels()]
        boxes += [axes.bbox, *(text.get_window_extent() for text in labels)]
    for i, one in enumerate(boxes):
        assert one.x0 >= 0
        assert one.y0 >= 0
        assert one.x1 <= figure.bbox.x1
        assert one.y1 <= figure.bbox.y1
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])


def test_the_order_of_the_results_does_not_matter(tmp_path):
    one, other = (save(sharpness_lines(r, title="t"), tmp_path / n, ["png"]) for n, r in (("a", CUB), ("b", CUB[::-1])))
    assert one[0].read_bytes() == other[0].read_bytes()


def test_results_without_sharpness_are_refused():
    with pytest.raises(SpecError, match="at least one result that has it"):
        sharpness_lines([r for r in published.runs() if r.checkpoint == "last"], title="t")
