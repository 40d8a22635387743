"""Unfinished surfaces: pictures show what there is and the rest interpolated, and say so; numbers never do."""

import dataclasses
import re

import numpy as np
import pytest
from test_surface_figures import SPEC

from raymaml import export
from raymaml.figures.contours import contour
from raymaml.figures.grid import checked_grid, progress
from raymaml.figures.views3d import surface_3d
from raymaml.landscape import adaptive_record
from raymaml.landscape.lattice import Lattice
from raymaml.landscape.store import create_or_open
from raymaml.landscape.values import Values
from raymaml.specs import GridSpec
from raymaml.verbs import figure as one
from raymaml.verbs.meta_figure import figure_meta
from raymaml.verbs.spread_figure import figure_spread
from raymaml.verbs.views import grid_of

AXIS = np.linspace(-1, 1, 9)


def plane(spec):
    a, b = np.meshgrid(*[spec.grid.coordinates(spec.grid.alphas)] * 2, indexing="ij")
    return 0.5 + a - 0.3 * b + 0.2 * a * b + 1


def write(store, blocks):
    for block in blocks:
        task, *point = block.slices
        loss = np.broadcast_to(plane(store.spec)[tuple(point)], block.shape) + np.arange(3.0)[task, None, None]
        wide = np.broadcast_to(loss[:, None, None], (block.shape[0], 2, 2, *block.shape[1:]))
        store.write(block, Values(wide, wide / 10, wide[:, :, 0]))


@pytest.fixture
def store(tmp_path):
    """41 x 41 points, of which a lattice of 5 x 5 blocks of 2 x 2 is computed."""
    made = create_or_open(tmp_path / "s.zarr", dataclasses.replace(SPEC, grid=GridSpec(41, 41)), {})
    write(made, made.missing()[:25])
    return made


def texts(figure):
    return [figure.get_suptitle(), *(text.get_text() for legend in figure.legends for text in legend.get_texts())]


def test_the_mean_is_drawn_between_the_points_that_are_there(store):
    grid = grid_of(store)
    assert grid.done.sum() == 81  # the last row and column of blocks are cut short
    assert np.array_equal(grid.interpolated, ~grid.done)
    np.testing.assert_allclose(grid.values, plane(store.spec) + 1, atol=1e-14)
    assert progress(grid) == ["81 of 1,681 points computed", "the rest interpolated"]


def test_a_picture_says_so_and_marks_what_is_computed(store):
    grid = grid_of(store)
    shared = {"alphas": grid.alphas, "betas": grid.betas, "title": "t", "done": grid.done}
    figure = contour(grid.values, **shared, interpolated=grid.interpolated, fills=[2.0])
    said = texts(figure)
    assert said[0] == "t\n81 of 1,681 points computed\nthe rest interpolated"
    share = 100 * (grid.values <= 2.0).mean()
    assert said[1] == f"query loss ≤ 2: {share:.1f} % of the grid, interpolated"
    assert "computed; interpolated between" in said
    assert "not computed yet" not in said
    [dots] = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert len(dots.get_xydata()) == 81
    view = surface_3d(grid.values, **shared, interpolated=grid.interpolated)
    assert view.get_suptitle() == "t\n81 of 1,681 points computed · the rest interpolated"


def test_what_cannot_be_interpolated_stays_marked_as_not_computed():
    done, between = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    done[:4], between[4:6] = True, True
    surface = np.tile(np.linspace(0.0, 1.0, 9)[:, None], (1, 9))
    surface[5, 5] = np.nan  # no value, hence not interpolated
    grid = checked_grid(surface, AXIS, AXIS, done, between)
    assert progress(grid) == ["36 of 81 points computed", "17 interpolated"]
    said = texts(contour(surface, alphas=AXIS, betas=AXIS, title="t", done=done, interpolated=between, fills=[0.3]))
    assert {"not computed yet", "computed; interpolated between"} <= set(said)
    assert said[1].endswith("% of computed cells and interpolated ones")
    none = checked_grid(surface, AXIS, AXIS, done)
    assert progress(none) == ["44 % computed"]
    assert np.isnan(none.values[4:]).all()


def test_the_figure_of_an_adaptive_store_states_the_error(store, monkeypatch):
    titles = []
    monkeypatch.setattr(one, "save", lambda figure, stem, formats: titles.append(figure.get_suptitle()) or [])
    one.figure_surface(store)
    assert "81 of 1,681 points computed" in titles[0]
    assert not any("adaptive" in title for title in titles)
    while blocks := adaptive_record.missing(store, 0.01):
        write(store, blocks)
    adaptive_record.state(store, 0.01)
    record = adaptive_record.read(store.path)
    assert record.max_error < 1e-12  # bilinear
    assert record.points == grid_of(store).done.sum() < 700
    titles.clear()
    one.figure_surface(store)
    for title in titles:
        flat = " ".join(title.split())
        assert f"adaptive: {record.points} of 1,681 points, tolerance 0.01 nats; interpolation error on" in flat
    titles.clear()
    for asked in ({"step": 0}, {"query": 1}, {"tasks": 2}, {"quantity": "accuracy"}):
        one.figure_surface(store, **asked)  # of which no error is known
    assert not any("adaptive" in title for title in titles)
    write(store, store.missing())
    titles.clear()
    one.figure_surface(store)
    assert not any("adaptive" in title or "computed" in title for title in titles)


def test_numbers_and_exports_are_of_what_is_computed_alone(store, tmp_path):
    done = Lattice.of(store.plan)
    points = np.zeros((41, 41), bool)
    points[done.points(1)] = True
    made = figure_meta([store], thresholds=[2.0], formats=["svg"])
    [(_, [area])] = made.areas
    assert area.share == pytest.approx((plane(store.spec)[points] + 1 <= 2.0).mean())
    note = "s.zarr: 81 of 1,681 grid points are computed; shares and other numbers are of these alone"
    assert [line.split(", and")[0] for line in made.notes] == [note]
    assert any(line.startswith(note) for line in figure_spread(store, formats=["svg"]).lines)
    notes = []
    [path] = export(store, ["npz"], out=tmp_path / "X", on_note=notes.append)
    with np.load(path) as found:
        assert np.isnan(found["loss"][..., ~points]).all()
    assert re.search("4 % of .* is computed", notes[0])
