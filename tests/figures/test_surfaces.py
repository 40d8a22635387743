import os
import subprocess
import sys
import threading

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.contour import QuadContourSet

from raymaml.analysis import sublevel_share
from raymaml.errors import SpecError
from raymaml.figures.style import DOUBLE, SINGLE, styled, text_width, wrap
from raymaml.figures.surfaces import contour, save, surface_3d

TITLE = (
    "MAML Conv4 on glyphs, seed 5 · novel split, 25 tasks (5-way 1-shot, 15 queries per class)\n"
    "query loss after 10 inner steps (lr 0.1) from the perturbed initialisation\n"
    "filter-normalised random directions, seed 0"
)
AXIS = np.linspace(-1, 1, 11)


def bowl(n=11, m=None):
    x, y = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, m or n), indexing="ij")
    return 0.25 + x**2 + 0.5 * y**2 + 0.1 * np.sin(5 * x)


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


# --- contours


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
    figure = contour(
        surface, alphas=[-1, 0, 1], betas=[-1, 0, 1], title="t", fills=[0.85, 0.25], quantity="loss"
    )
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


DEGENERATE = {
    "2 x 2": np.array([[1.0, 2.0], [2.0, 3.0]]),
    "3 x 2": np.array([[1.0, 2.0], [2.0, 3.0], [1.0, 1.0]]),
    "constant": np.full((5, 5), 1.609),
    "constant zero": np.zeros((5, 5)),
    "all NaN": np.full((5, 5), np.nan),
    "all inf": np.full((5, 5), np.inf),
    "one value": np.pad([[0.7]], 2, constant_values=np.nan),
    "huge range": np.logspace(-1, 6, 25).reshape(5, 5),
    "float32 to its end": np.logspace(-3, 38, 25, dtype=np.float32).reshape(5, 5),
    "zero to huge": np.append(0.0, np.logspace(-1, 6, 24)).reshape(5, 5),
    "negative to huge": np.append(-5.0, np.logspace(-1, 6, 24)).reshape(5, 5),
    "some inf": np.where(np.eye(5) > 0, np.inf, 1 + np.arange(25.0).reshape(5, 5)),
    "integers": np.arange(25).reshape(5, 5),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("draw", [contour, surface_3d])
@pytest.mark.parametrize("name", DEGENERATE)
@pytest.mark.parametrize("part", ["all", "some", "none"])
def test_degenerate_surfaces_are_drawn_without_a_warning(draw, name, part):
    surface = DEGENERATE[name]
    done = np.full(surface.shape, part == "all")
    done[:2, :2] |= part == "some"
    alphas, betas = (np.linspace(-1, 1, n) for n in surface.shape)
    figure = draw(surface, alphas=alphas, betas=betas, title="t", done=done)
    figure.draw_without_rendering()


def test_an_empty_figure_says_why():
    nothing, done = np.full((3, 3), np.nan), np.zeros((3, 3), bool)
    grid = {"alphas": [-1, 0, 1], "betas": [-1, 0, 1], "title": "t"}
    assert [t.get_text() for t in contour(nothing, **grid).axes[0].texts] == ["no finite query loss"]
    texts = contour(nothing, **grid, done=done).axes[0].texts
    assert [t.get_text() for t in texts] == ["no finite query loss yet"]
    assert [t.get_text() for t in surface_3d(nothing, **grid).axes[0].texts] == ["no finite query loss"]
    constant = contour(np.ones((3, 3)), **grid).axes[0].texts
    assert [t.get_text() for t in constant] == ["constant to 6 digits: 1"]


@pytest.mark.parametrize("draw", [contour, surface_3d])
def test_a_grid_that_cannot_be_drawn_is_refused(draw):
    with pytest.raises(SpecError, match="at least 2 × 2 grid points, not 1 × 5"):
        draw(np.zeros((1, 5)), alphas=[0], betas=np.arange(5), title="t")
    with pytest.raises(SpecError, match="3 alphas × 2 betas"):
        draw(np.zeros((2, 3)), alphas=[0, 1, 2], betas=[0, 1], title="t")
    with pytest.raises(SpecError, match="ascending"):
        draw(np.zeros((2, 2)), alphas=[1, 0], betas=[0, 1], title="t")
    with pytest.raises(SpecError, match="done must have the shape"):
        draw(np.zeros((2, 2)), alphas=[0, 1], betas=[0, 1], title="t", done=np.ones((2, 3), bool))


def test_bad_levels_and_limits_are_refused():
    grid = {"alphas": AXIS, "betas": AXIS, "title": "t"}
    with pytest.raises(SpecError, match="fills must be finite"):
        contour(bowl(), **grid, fills=[np.nan])
    with pytest.raises(SpecError, match="z_limits must be finite"):
        surface_3d(bowl(), **grid, z_limits=(2, 1))


@pytest.mark.parametrize("width", [SINGLE, DOUBLE])
@pytest.mark.parametrize(
    "title", ["t", TITLE, "a_very_long_run_name_without_any_space_" * 5, "costs $5 and $6_x$"]
)
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


# --- 3-D


def heights(figure):
    """(x, y, z) of all corners of the surface."""
    collection = figure.axes[0].collections[0]
    if hasattr(collection, "_vec"):  # matplotlib < 3.10
        return np.asarray(collection._vec)[:3].T
    seen = ~np.broadcast_to(collection._invalid_vertices, collection._faces.shape[:2])
    return collection._faces[seen]


def test_3d_heights_are_at_their_grid_points():
    surface = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 9.0]])
    figure = surface_3d(surface, alphas=[-1, 0, 1], betas=[-0.5, 0.5], title="t")
    assert (1.0, 0.5, 9.0) in {tuple(corner) for corner in heights(figure)}
    assert (-1.0, 0.5, 2.0) in {tuple(corner) for corner in heights(figure)}


def test_3d_labels_colour_bar_and_limits():
    figure = surface_3d(bowl(), alphas=AXIS, betas=AXIS, title=TITLE, quantity="loss")
    axes, bar = figure.axes
    assert axes.get_xlabel() == "α (first direction)"
    assert axes.get_ylabel() == "β (second direction)"
    assert axes.get_zlabel() == bar.get_ylabel() == "loss"
    np.testing.assert_allclose(axes.get_zlim(), (bowl().min(), bowl().max()))
    assert figure.get_suptitle() == TITLE


def test_3d_z_limits_cut_and_say_so():
    surface = np.array([[0.0, 1.0], [2.0, 9.0]])
    figure = surface_3d(surface, alphas=[-1, 1], betas=[-1, 1], title="t", z_limits=(0.5, 4))
    assert figure.axes[0].get_zlim() == (0.5, 4)
    assert heights(figure)[:, 2].min() == 0.5
    assert heights(figure)[:, 2].max() == 4
    assert figure.get_suptitle() == "t\n25.0 % below 0.5, drawn at 0.5 · 25.0 % above 4, drawn at 4"


def test_3d_missing_cells_are_holes_and_noted():
    surface, done = bowl(), np.ones((11, 11), bool)
    done[9:], surface[5, 5] = False, np.nan
    figure = surface_3d(surface, alphas=AXIS, betas=AXIS, title="t", done=done)
    assert figure.get_suptitle() == "t\n81 % computed · 1.0 % diverged (holes)"
    corners = heights(figure)
    assert np.isfinite(corners).all()
    assert corners[:, 0].max() == pytest.approx(AXIS[8])
    assert not (np.abs(corners[:, :2]) < 1e-9).all(axis=1).any()


def test_3d_draws_every_point_of_a_large_grid():
    axis = np.linspace(-1, 1, 61)  # over matplotlib's 50 samples
    figure = surface_3d(bowl(61), alphas=axis, betas=axis, title="t")
    assert len(figure.axes[0].collections[0].get_array()) == 60 * 60


def test_3d_wide_range_has_a_log_axis():
    surface = np.logspace(-1, 6, 121).reshape(11, 11)
    figure = surface_3d(surface, alphas=AXIS, betas=AXIS, title="t")
    assert figure.axes[0].get_zlabel() == figure.axes[1].get_ylabel() == "query loss (log scale)"
    np.testing.assert_allclose(figure.axes[0].get_zlim(), (-1, 6))


@pytest.mark.parametrize("title", ["t", TITLE])
def test_nothing_on_a_3d_figure_overlaps_or_is_cut(title):
    figure = surface_3d(1000 * bowl(), alphas=AXIS, betas=AXIS, title=title)
    figure.draw_without_rendering()
    axes, bar = figure.axes
    parts = [axis.get_tightbbox(figure._get_renderer()) for axis in (axes.xaxis, axes.yaxis, axes.zaxis)]
    boxes = [figure._suptitle.get_window_extent(), bar.get_tightbbox()]
    assert not boxes[0].overlaps(boxes[1])
    for one in [*boxes, *parts]:
        assert 0 <= one.x0 < one.x1 <= figure.bbox.x1
        assert 0 <= one.y0 < one.y1 <= figure.bbox.y1
    assert not any(part.overlaps(box) for part in parts for box in boxes)


# --- saving and style


@pytest.mark.parametrize("draw", [contour, surface_3d])
def test_saving_twice_gives_the_same_bytes_and_leaves_nothing_else(tmp_path, draw):
    figure = draw(bowl(), alphas=AXIS, betas=AXIS, title=TITLE)
    first = save(figure, tmp_path / "new" / "lr0.1")
    again = save(draw(bowl(), alphas=AXIS, betas=AXIS, title=TITLE), tmp_path / "again" / "lr0.1")
    assert [path.name for path in first] == ["lr0.1.png", "lr0.1.pdf", "lr0.1.svg"]
    for one, other in zip(first, again, strict=True):
        before = one.read_bytes()
        assert before == other.read_bytes()
        save(figure, tmp_path / "new" / "lr0.1", formats=[one.suffix[1:]])
        assert before == one.read_bytes()
    assert sorted(os.listdir(tmp_path / "new")) == ["lr0.1.pdf", "lr0.1.png", "lr0.1.svg"]


def test_png_has_200_dpi(tmp_path):
    (path,) = save(contour(bowl(), alphas=AXIS, betas=AXIS, title="t"), tmp_path / "a", formats=["png"])
    header = path.read_bytes()[16:20]  # the width, in IHDR
    assert int.from_bytes(header, "big") == 200 * DOUBLE


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    figure = contour(bowl(), alphas=AXIS, betas=AXIS, title="t")
    (path,) = save(figure, tmp_path / "a", formats=["png"])
    before = path.read_bytes()

    def half(part, **_):
        part.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", half)
    with pytest.raises(OSError, match="disk full"):
        save(figure, tmp_path / "a", formats=["png"])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.png"]


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    figure = contour(bowl(), alphas=AXIS, betas=AXIS, title="t")
    with pytest.raises(SpecError, match="png, pdf or svg, not jpg"):
        save(figure, tmp_path / "a", formats=["png", "jpg"])
    assert not os.listdir(tmp_path)


def test_the_style_is_undone_even_with_threads():
    before = mpl.rcParams["font.size"], mpl.rcParams["legend.fontsize"]

    def work():
        for _ in range(3):
            with styled():
                assert mpl.rcParams["legend.fontsize"] == 7.0

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (mpl.rcParams["font.size"], mpl.rcParams["legend.fontsize"]) == before


def test_wrap_keeps_every_character_and_the_width():
    wrapped = wrap(TITLE, SINGLE, 8.5)
    assert wrapped.split() == TITLE.split()
    assert all(text_width(line, 8.5) <= SINGLE for line in wrapped.split("\n"))


def test_importing_figures_imports_neither_torch_nor_ray_nor_pyplot():
    code = (
        "import sys, raymaml.figures.surfaces, raymaml.figures.sheets, raymaml.analysis; "
        "print([m for m in ('torch', 'ray', 'zarr', 'typer', 'matplotlib.pyplot') if m in sys.modules])"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env)
    assert done.stdout.strip() == "[]"
