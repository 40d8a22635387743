import numpy as np
import pytest
from figures.samples import AXIS, TITLE, bowl
from matplotlib.collections import PolyCollection
from matplotlib.contour import QuadContourSet

from raymaml.analysis import sublevel_share
from raymaml.errors import SpecError
from raymaml.figures.contours import contour
from raymaml.figures.style import DOUBLE, SINGLE


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def line_set(figure):
    (found,) = [c for c in figure.axes[0].collections if isinstance(c, QuadContourSet) and not c.filled]
    return found


def fill_set(figure):
    (found,) = [c for c in figure.axes[0].collections if isinstance(c, QuadContourSet) and c.filled]
    return found


def hatched(figure):
    return [c for c in figure.axes[0].collections if isinstance(c, PolyCollection)]


def test_alpha_runs_along_x():
    surface = np.repeat([[0.0], [1.0], [2.0]], 2, axis=1)  # (3 alphas, 2 betas): depends on alpha only
    figure = contour(surface, alphas=[-1, 0, 1], betas=[-0.5, 0.5], title="t", levels=[0.5, 1.5])
    first, second = (path.vertices for path in line_set(figure).get_paths())
    np.testing.assert_allclose(first[:, 0], -0.5)
    np.testing.assert_allclose(second[:, 0], 0.5)
    assert (first[:, 1].min(), first[:, 1].max()) == (-0.5, 0.5)


def test_each_cell_is_at_its_place():
    surface = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 1.0]])  # high at alpha 1, beta 0.5 only
    figure = contour(surface, alphas=[-1, 0, 1], betas=[-0.5, 0.5], title="t", levels=[0.5])
    points = line_set(figure).get_paths()[0].vertices
    np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], [[0.5, 0.0], [1.0, 0.5]])
    axes = figure.axes[0]
    assert axes.get_xlim() == (-1, 1)
    assert axes.get_ylim() == (-0.5, 0.5)
    assert axes.bbox.width == pytest.approx(2 * axes.bbox.height)  # equal aspect


def test_labels_and_title():
    figure = contour(bowl(), alphas=AXIS, betas=AXIS, title=TITLE)
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("α (first direction)", "β (second direction)")
    assert figure.get_suptitle() == TITLE


def test_lines_are_the_thesis_levels_inside_the_data_and_labelled():
    figure = contour(bowl(51), alphas=np.linspace(-1, 1, 51), betas=np.linspace(-1, 1, 51), title="t")
    lines = line_set(figure)
    np.testing.assert_allclose(lines.levels, lines.levels[0] + 0.2 * np.arange(len(lines.levels)))
    assert np.isclose(lines.levels, 0.81).any()
    assert "lines every 0.2" in legend(figure)
    assert {"0.41", "0.81", "1.21"} <= {text.get_text() for text in lines.labelTexts}


def test_the_legend_gives_the_share_of_each_fill():
    surface = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6], [0.7, 0.8, 0.9]])
    figure = contour(surface, alphas=[-1, 0, 1], betas=[-1, 0, 1], title="t", fills=[0.85, 0.25], quantity="loss")
    assert legend(figure)[:2] == ["loss ≤ 0.25: 22.2 % of the grid", "loss ≤ 0.85: 88.9 % of the grid"]
    assert legend(figure)[-1] == "centre (0, 0): 0.5"
    np.testing.assert_allclose(fill_set(figure).levels[1:3], [0.25, 0.85])


def test_default_fills_are_levels_from_minimum_to_median():
    surface = bowl(21)
    axis = np.linspace(-1, 1, 21)
    texts = [text for text in legend(contour(surface, alphas=axis, betas=axis, title="t")) if "≤" in text]
    assert 3 <= len(texts) <= 4
    for text in texts:
        level = float(text.split("≤")[1].split(":")[0])
        assert surface.min() < level <= np.median(surface)
        assert f"{100 * sublevel_share(surface, level):.1f} %" in text


def test_nan_and_inf_are_hatched_and_count_as_above():
    surface = bowl()
    surface[-1, -1], surface[5, 5] = np.nan, np.inf
    figure = contour(surface, alphas=AXIS, betas=AXIS, title="t", fills=[100.0])
    assert {"query loss ≤ 100: 98.3 % of the grid", "diverged: 1.7 % of the grid"} <= set(legend(figure))
    assert "centre (0, 0): diverged" in legend(figure)
    assert figure.get_suptitle() == "t"
    half_steps = hatched(figure)[1].get_paths()
    spans = sorted((p.vertices[:, 0].min(), p.vertices[:, 0].max()) for p in half_steps)
    np.testing.assert_allclose(spans, [(-0.1, 0.1), (0.9, 1.0)])


def test_missing_cells_look_different_and_are_noted():
    surface, done = bowl(), np.ones((11, 11), bool)
    done[7:] = False
    surface[0, 0] = np.nan
    surface[~done] = 0.0  # a store's fill value must not be seen
    figure = contour(surface, alphas=AXIS, betas=AXIS, title="t", done=done, fills=[0.3])
    assert figure.get_suptitle() == "t\n63 % computed"  # 77 of 121
    share = 100 * sublevel_share(surface, 0.3, done=done)
    assert legend(figure)[0] == f"query loss ≤ 0.3: {share:.1f} % of computed cells"
    assert {"diverged: 1.3 % of computed cells", "not computed yet"} <= set(legend(figure))
    assert len({c.get_hatch() for c in hatched(figure)}) == 2
    assert fill_set(figure).zmin >= 0.2  # nothing of the zeros


def test_nearly_done_is_not_called_done():
    done, axis = np.ones((21, 21), bool), np.linspace(-1, 1, 21)
    done[0, 0] = False  # 99.8 %
    figure = contour(bowl(21), alphas=axis, betas=axis, title="t", done=done)
    assert figure.get_suptitle() == "t\n99 % computed"


def test_a_wide_range_is_drawn_on_a_log_scale_and_says_so():
    surface = 0.1 * 10 ** (7 * (bowl() - bowl().min()) / np.ptp(bowl()))
    figure = contour(surface, alphas=AXIS, betas=AXIS, title="t")
    assert "lines at 1, 2, 5, 10, … (log scale)" in legend(figure)
    assert {"0.2", "1", "10"} & {text.get_text() for text in line_set(figure).labelTexts}
    assert all(style[1] is None for style in line_set(figure).get_linestyle())  # none dashed


def test_a_flat_range_gets_finer_lines():
    figure = contour(1.605 + bowl() / 200, alphas=AXIS, betas=AXIS, title="t")
    assert "lines every 0.002" in legend(figure)
    assert len(line_set(figure).levels) >= 3


def test_at_most_40_lines():
    figure = contour(0.3 + 8 * bowl(), alphas=AXIS, betas=AXIS, title="t")
    assert "lines every 0.4" in legend(figure)
    assert len(line_set(figure).levels) <= 40


def test_the_centre_is_marked_only_inside_the_grid():
    figure = contour(bowl(4), alphas=np.linspace(-1, 1, 4), betas=np.linspace(-1, 1, 4), title="t")
    assert legend(figure)[-1] == "centre (0, 0)"  # between grid points: no value
    assert len(figure.axes[0].lines) == 1
    figure = contour(bowl(4), alphas=[1, 2, 3, 4], betas=[1, 2, 3, 4], title="t")
    assert not figure.axes[0].lines
    assert figure.axes[0].get_xlim() == (1, 4)


@pytest.mark.parametrize("width", [SINGLE, DOUBLE])
@pytest.mark.parametrize("title", ["t", TITLE, "a_very_long_run_name_without_any_space_" * 5, "costs $5 and $6_x$"])
def test_nothing_on_a_contour_figure_overlaps_or_is_cut(width, title):
    surface, done = bowl(), np.ones((11, 11), bool)
    done[7:], surface[0, 0] = False, np.nan
    figure = contour(surface, alphas=AXIS, betas=AXIS, title=title, done=done, width=width)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    boxes = [
        figure._suptitle.get_window_extent(),
        figure.legends[0].get_window_extent(),
        axes.get_tightbbox(),
    ]
    for i, one in enumerate(boxes):
        assert 0 <= one.x0 < one.x1 <= figure.bbox.x1
        assert 0 <= one.y0 < one.y1 <= figure.bbox.y1
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])


def test_line_labels_keep_clear_of_the_centre_and_the_frame():
    axis = np.linspace(-1, 1, 51)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    r = (x - 0.1) ** 2 + 0.6 * (y + 0.05) ** 2 + 0.3 * x * y + 0.12 * np.sin(5 * x) * np.cos(4 * y)
    r += 0.05 * np.sin(11 * x + 3 * y)  # clabel alone writes one label over the cross, two over the frame
    surface = 0.25 + 2.25 * ((r - r.min()) / np.ptp(r)) ** 0.8
    figure = contour(surface, alphas=axis, betas=axis, title="t")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    centre = axes.transData.transform((0, 0))
    labels = line_set(figure).labelTexts
    assert len(labels) >= 5
    for label in labels:
        box = label.get_window_extent()
        assert not box.contains(*centre)
        assert axes.bbox.x0 <= box.x0 < box.x1 <= axes.bbox.x1
        assert axes.bbox.y0 <= box.y0 < box.y1 <= axes.bbox.y1


@pytest.mark.filterwarnings("error")
def test_levels_outside_the_data_draw_no_line():
    figure = contour(bowl(), alphas=AXIS, betas=AXIS, title="t", levels=[100.0], fills=[0.01, 50.0])
    assert not [c for c in figure.axes[0].collections if isinstance(c, QuadContourSet) and not c.filled]
    assert legend(figure)[:2] == [
        "query loss ≤ 0.01: 0.0 % of the grid",
        "query loss ≤ 50: 100.0 % of the grid",
    ]


def test_bad_levels_are_refused():
    with pytest.raises(SpecError, match="fills must be finite"):
        contour(bowl(), alphas=AXIS, betas=AXIS, title="t", fills=[np.nan])
