import dataclasses
import itertools
import math

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from raymaml import published
from raymaml.errors import SpecError
from raymaml.figures.panels import BACKBONE_COLOURS
from raymaml.figures.saving import save
from raymaml.figures.scatter import scatter
from raymaml.figures.style import SINGLE
from raymaml.results import Result

ONE = Result("cub", "maml", "conv4", False, 5, "novel", "best", 0.5, 0.01, 1.0, 1000)
NOVEL = [r for r in published.runs() if (r.split, r.checkpoint) == ("novel", "best")]


def heading(axes):
    return axes.texts[0].get_text()


def points(axes):
    """(x, y, marker, colour of the edge, filled) of every point."""
    return sorted(
        (float(x), float(y), line.get_marker(), line.get_markeredgecolor(), line.get_markerfacecolor() != "none")
        for line in axes.get_lines()
        for x, y in zip(*line.get_data(), strict=True)
    )


def expected(results):
    marker = {"maml": "o", "transfer": "^"}
    return sorted(
        (r.loss, 100 * r.accuracy, marker[r.method], BACKBONE_COLOURS[r.backbone], r.augment) for r in results
    )


def test_every_result_is_a_point_in_the_panel_of_its_data_set():
    panels = {heading(axes): axes for axes in scatter(NOVEL, title="t").axes}
    assert list(panels)[:2] == ["cub", "miniimagenet"]
    for name in ("cub", "miniimagenet"):
        mine = [r for r in NOVEL if r.data == name]
        assert len(mine) == 48
        assert points(panels[name]) == expected(mine)


def test_the_crowd_is_drawn_again_where_single_losses_press_it_together():
    figure = scatter(NOVEL, title="t")
    details = [axes for axes in figure.axes if "detail" in heading(axes)]
    assert [heading(axes) for axes in details] == [
        "cub, detail: losses up to 1.9",
        "miniimagenet, detail: losses up to 1.9",
    ]
    for axes, name in zip(details, ("cub", "miniimagenet"), strict=True):
        assert points(axes) == expected([r for r in NOVEL if r.data == name and r.loss <= 1.9])
    even = [dataclasses.replace(ONE, seed=seed, loss=1 + seed / 10) for seed in range(4)]
    assert [heading(axes) for axes in scatter(even, title="t").axes] == ["cub"]


def test_a_detail_stands_under_its_own_data_set():
    some = [dataclasses.replace(ONE, data=data, seed=s, loss=1.0) for data in ("a", "b") for s in range(3)]
    figure = scatter([*some, dataclasses.replace(ONE, data="b", seed=9, loss=9.0)], title="t")
    left, right, detail = figure.axes
    assert (heading(left), heading(right), heading(detail)) == ("a", "b", "b, detail: losses up to 1.5")
    assert detail.get_position().x0 == right.get_position().x0 > left.get_position().x1
    assert (left.get_xscale(), right.get_xscale()) == ("linear", "log")


def test_losses_that_are_not_finite_are_counted():
    some = [ONE, dataclasses.replace(ONE, seed=6, loss=math.nan), dataclasses.replace(ONE, seed=7, loss=math.inf)]
    other = dataclasses.replace(ONE, data="ants", loss=math.nan)
    figure = scatter([*some, other], title="t")
    assert figure.get_suptitle() == "t\nnot drawn, since the loss is not finite: 1 of ants, 2 of cub"
    ants, cub = figure.axes
    assert points(ants) == []
    assert ants.texts[1].get_text() == "no finite loss"
    assert points(cub) == expected([ONE])


def test_the_legend_names_what_is_there_and_lies_outside():
    figure = scatter(NOVEL, title="t")
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == [
        *["Conv4", "Conv6", "ResNet10", "ResNet18"],
        *["MAML", "transfer", "not augmented", "augmented"],
    ]
    assert to_rgba(legend.legend_handles[2].get_color()) == to_rgba(BACKBONE_COLOURS["resnet10"])
    only = scatter([ONE], title="t").legends[0].get_texts()
    assert [text.get_text() for text in only] == ["Conv4", "MAML", "not augmented"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("width", [7.0, SINGLE])
@pytest.mark.parametrize("results", [NOVEL, NOVEL[:1], [dataclasses.replace(ONE, loss=0.0)]], ids=["all", "one", "0"])
def test_no_text_is_cut_or_overlaps(results, width):
    figure = scatter(results, title="Loss against accuracy\nsecond line", width=width)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in figure.legends[0].get_texts()]
    boxes.append(figure._suptitle.get_window_extent())
    for axes in figure.axes:
        boxes += [axes.bbox, axes.xaxis.label.get_window_extent(), axes.yaxis.label.get_window_extent()]
        boxes += [text.get_window_extent() for text in axes.texts if text.get_position() == (0, 3)]
        ticks = [t.get_window_extent() for t in axes.get_xticklabels() if t.get_text() and t.get_visible()]
        inside = sorted(
            (b for b in ticks if axes.bbox.x0 - 3 <= (b.x0 + b.x1) / 2 <= axes.bbox.x1 + 3), key=lambda b: b.x0
        )
        assert all(one.x1 < other.x0 for one, other in itertools.pairwise(inside))
    for i, one in enumerate(boxes):
        assert one.x0 >= 0
        assert one.y0 >= 0
        assert one.x1 <= figure.bbox.x1
        assert one.y1 <= figure.bbox.y1
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])


def test_the_order_of_the_results_does_not_matter(tmp_path):
    one, other = (save(scatter(r, title="t"), tmp_path / n, ["png"]) for n, r in (("a", NOVEL), ("b", NOVEL[::-1])))
    assert one[0].read_bytes() == other[0].read_bytes()
    assert np.frombuffer(one[0].read_bytes(), np.uint8).size > 10_000


def test_nothing_is_refused():
    with pytest.raises(SpecError, match="at least one result"):
        scatter([], title="t")
