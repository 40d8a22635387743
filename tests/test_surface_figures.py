"""Which surface out of which store is drawn where, with what words, and the areas beside it."""

import csv
import dataclasses
import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from raymaml.analysis import areas
from raymaml.errors import MissingError, SpecError
from raymaml.landscape.store import create_or_open, open_store
from raymaml.landscape.values import empty
from raymaml.specs import GridSpec, MamlSpec, ModelSpec, SurfaceSpec, TaskSpec
from raymaml.verbs import figure as one
from raymaml.verbs import meta_figure, panel_figures
from raymaml.verbs.titles import labels_of, title_of

SPEC = SurfaceSpec(
    run="0" * 64, seed=5, checkpoint="best", checkpoint_digest="1" * 64, data="glyphs", data_digest="2" * 64,
    model=ModelSpec(channels=1, image_size=28), learner=MamlSpec(inner_lr=0.1), split="novel", task=TaskSpec(5, 1, 4),
    queries=(1, 4), tasks=3, first_task=0, task_seed=0, fresh_tasks=False, steps=(0, 5), grid=GridSpec(5, 3),
    direction_seed=0, orthogonal=False, precision="float64",
)  # fmt: skip


@pytest.fixture
def make(tmp_path):
    """A finished store of random values, around another mean for each store."""

    def write(name, **changes):
        spec = dataclasses.replace(SPEC, **changes)
        store = create_or_open(tmp_path / f"{name}.zarr", spec, {})
        rng = np.random.default_rng(len(name))
        for block in store.missing():
            values = empty(block.shape, len(spec.steps), len(spec.queries), spec.precision)
            for part in values:
                part[...] = rng.uniform(0.1, 2.0, part.shape)
            store.write(block, values)
        return store

    return write


@pytest.fixture
def drawn(monkeypatch):
    """What the drawing functions were given, in order."""
    calls = []

    def record(*args, **named):
        calls.append((args, named))
        return Figure()

    for module, names in ((one, ["contour", "surface_3d"]), (panel_figures, ["solids", "flats"]),
                          (meta_figure, ["solids", "flats"])):  # fmt: skip
        for name in names:
            monkeypatch.setattr(module, name, record)
    return calls


def table(rows):
    """The values in each panel, None where there is none."""
    return [[None if p.grid is None else p.grid.values for p in row.panels] for row in rows]


def assert_same(found, expected):
    assert [len(row) for row in found] == [len(row) for row in expected]
    for a, b in zip((v for row in found for v in row), (v for row in expected for v in row), strict=True):
        assert (a is None) == (b is None)
        if b is not None:
            np.testing.assert_allclose(a, b, rtol=1e-12)


def test_one_surface_is_the_last_step_and_the_most_queries_unless_told(make, drawn):
    store = make("s")
    files = one.figure_surface(store, formats=["svg"])
    assert [path.name for path in files] == ["loss-contour.svg", "loss-3d.svg"]
    files = one.figure_surface(store, step=0, query=1, tasks=2, formats=["svg"])
    assert [path.name for path in files] == [f"loss-0steps-1queries-2tasks-{k}.svg" for k in ("contour", "3d")]
    one.figure_surface(store, quantity="support_loss", step=0, formats=["svg"])
    loss, support = store.read("loss"), store.read("support_loss")
    expected = [loss[:, 1, 1].mean(0), loss[:2, 0, 0].mean(0), support[:, 0].mean(0)]
    for k, values in enumerate(expected):
        for (surface,), _ in drawn[2 * k : 2 * k + 2]:
            np.testing.assert_allclose(surface, values, rtol=1e-12)
    titles = [named["title"] for _, named in drawn[::2]]
    assert "after 5 inner steps" in titles[0]
    assert "mean over 3 tasks of seed 0 (5-way 1-shot, 4 queries per class)" in titles[0]
    assert "after 0 inner steps" in titles[1]
    assert "mean over 2 tasks of seed 0 (5-way 1-shot, 1 query per class)" in titles[1]
    assert "(5-way 1-shot)" in titles[2]
    assert drawn[4][1]["quantity"] == "support loss"


def test_fewer_tasks_of_a_store_are_the_store_of_fewer_tasks(make):
    whole, fewer = make("s"), make("t", tasks=2)
    for block in fewer.plan.blocks():  # as if computed: its tasks are the first ones
        task, *point = block.slices
        fewer.write(block, type(empty((1, 1, 1), 1, 1, "float64"))(
            *(whole.read(name)[task, ..., *point] for name in ("loss", "accuracy", "support_loss"))
        ))  # fmt: skip
    cut = meta_figure.figure_meta([whole.path], tasks=2, thresholds=[1.0], formats=["svg"])
    own = meta_figure.figure_meta([fewer.path], thresholds=[1.0], formats=["svg"])
    assert cut.areas == own.areas
    assert [path.read_bytes() for path in cut.files[:2]] == [path.read_bytes() for path in own.files[:2]]
    with pytest.raises(SpecError, match="s.zarr holds 3 tasks: --tasks must be from 1 to that, got 4"):
        meta_figure.figure_meta([whole], tasks=4)


def test_inner_has_a_row_per_split_and_step_and_a_column_per_checkpoint(make, drawn):
    novel, base = make("n", steps=(0, 10)), make("base", split="base", steps=(0, 5))
    other = make("other", run="3" * 64, model=ModelSpec("conv6", 1, 28), split="base", steps=(0, 5))
    [path] = panel_figures.figure_inner([base, novel, other], formats=["svg"])
    assert path.name == "inner.svg"
    [((rows,), named)] = drawn
    values = [store.read("loss")[:, :, 1].mean(0) for store in (base, novel, other)]
    assert [row.label for row in rows] == [
        f"{where} steps\nquery loss" for where in ("base, 0", "base, 5", "novel, 0", "novel, 10")
    ]
    assert_same(
        table(rows),
        [[values[0][0], values[2][0]], [values[0][1], values[2][1]], [values[1][0], None], [values[1][1], None]],
    )
    assert [[p.heading for p in row.panels] for row in rows] == [["Conv4", "Conv6"], *[["", ""]] * 3]
    assert "Conv4, Conv6 on glyphs" in named["title"]
    assert "after 0, 5, 10 inner steps" in named["title"]
    assert "perturbed before adapting: weights (not biases" in named["title"]


def test_inner_shows_both_sets_and_the_steps_that_are_asked_for(make, drawn):
    store = make("s", around="adapted", part="head")
    panel_figures.figure_inner([store], steps=[0, 5, 7], quantities=["loss", "support_loss"])
    [((rows,), named)] = drawn
    assert [row.label for row in rows] == ["novel\nquery loss", "novel\nsupport loss"]  # of one checkpoint
    loss, support = store.read("loss"), store.read("support_loss")
    assert_same(table(rows), [loss[:, :, 1].mean(0), support.mean(0)])
    assert [[p.heading for p in row.panels] for row in rows] == [["0 steps", "5 steps"]] * 2
    assert "perturbed after adapting, at the adapted weights: weights of the head" in named["title"]
    assert "after 0, 5 inner steps" in named["title"]
    with pytest.raises(MissingError, match="none of the surfaces was recorded at 7 steps"):
        panel_figures.figure_inner([store], steps=[7])


def test_two_stores_of_one_panel_are_refused(make):
    stores = [make("s"), make("t", direction_seed=1)]
    with pytest.raises(SpecError, match="s.zarr and .*t.zarr would be one panel \\(novel\\)"):
        panel_figures.figure_inner(stores)
    with pytest.raises(SpecError, match="would be one panel \\(all\\)"):
        panel_figures.figure_parts([stores[0], open_store(stores[0].path)])


def test_parts_stand_side_by_side_on_one_scale_before_any_step(make, drawn):
    names = ["feature", "all", "head"]
    first = {part: make(part, part=part) for part in names}
    second = make("x", seed=6, part="head")
    panel_figures.figure_parts([*first.values(), second])
    [((rows,), named)] = drawn
    values = {part: store.read("loss")[:, 0, 1].mean(0) for part, store in first.items()}
    expected = [[values["all"], values["head"], values["feature"]], [None, second.read("loss")[:, 0, 1].mean(0), None]]
    assert_same(table(rows), expected)
    assert [p.heading for p in rows[0].panels] == ["all", "head", "feature"]
    assert [row.label for row in rows] == ["Conv4, seed 5", "Conv4, seed 6"]
    assert named["scale"] == "row"
    assert "after 0 inner steps" in named["title"]


def test_queries_have_a_panel_each(make, drawn):
    store = make("s", queries=(1, 2, 3, 4))
    panel_figures.figure_queries(store)
    panel_figures.figure_queries(store, queries=[4, 1], step=0, tasks=1)
    loss = store.read("loss")
    assert_same(table(drawn[0][0][0]), loss[:, 1].mean(0).reshape(2, 2, 5, 3))
    assert_same(table(drawn[1][0][0]), [[loss[0, 0, 0], loss[0, 0, 3]]])
    assert [p.heading for row in drawn[0][0][0] for p in row.panels] == [
        "1 query per class", "2 queries per class", "3 queries per class", "4 queries per class"
    ]  # fmt: skip
    assert drawn[0][1]["step"] == 0.2
    assert "1, 2, 3, 4 queries per class" in drawn[0][1]["title"]
    with pytest.raises(MissingError, match="not recorded at 5 query images, only at 1 2 3 4"):
        panel_figures.figure_queries(store, queries=[5])
    with pytest.raises(SpecError, match="spacing of contour lines must be 1e-06 or more, got 0"):
        panel_figures.figure_queries(store, spacing=0)


def test_meta_draws_the_thesis_thresholds_and_writes_the_areas(make, drawn, tmp_path):
    mini = {"data": "miniimagenet-28"}  # the size of its images does not count
    stores = [make("a", split="base", **mini), make("bb", **mini), make("ccc", data="cub")]
    made = meta_figure.figure_meta(stores, out=tmp_path / "F", name="figure11", tasks=2, formats=["svg"])
    assert [path.name for path in made.files] == ["figure11-3d.svg", "figure11-contour.svg", "figure11-areas.csv"]
    ((solid_rows,), _), ((flat_rows,), _) = drawn
    expected = [[store.read("loss")[:2, 1, 1].mean(0) for store in stores]]
    assert_same(table(solid_rows), expected)
    assert_same(table(flat_rows), expected)
    thresholds = [[area.threshold for area in panel.areas] for panel in flat_rows[0].panels]
    assert thresholds == [[0.61, 0.81], [1.21, 1.41], [0.21, 0.81, 1.01, 1.41]]
    colours = [list(panel.colours) for panel in flat_rows[0].panels]
    red, yellow, blue, green = meta_figure.RED, meta_figure.YELLOW, meta_figure.BLUE, meta_figure.GREEN
    assert colours == [[yellow, green], [red, blue], [red, yellow, blue, green]]
    with made.files[-1].open(newline="") as file:
        written = list(csv.DictReader(file))
    flat = [(store, area) for store, (_, found) in zip(stores, made.areas, strict=True) for area in found]
    for line, (store, area) in zip(written, flat, strict=True):
        assert (line["store"], line["split"], line["tasks"]) == (str(store.path), store.spec.split, "2")
        assert (line["step"], line["query"], line["data"]) == ("5", "4", store.spec.data)
        assert (float(line["threshold"]), float(line["share"])) == (area.threshold, area.share)
        assert (float(line["share_low95"]), float(line["share_high95"])) == (area.low, area.high)
    values = stores[2].read("loss")[:2, 1, 1]
    assert made.areas[2][1] == areas(values, np.ones(values.shape, bool), [0.21, 0.81, 1.01, 1.41])


def test_meta_of_one_task_has_no_interval(make):
    made = meta_figure.figure_meta([make("s", tasks=1)], thresholds=[1.0], formats=["svg"])
    [(label, [area])] = made.areas
    assert math.isnan(area.low)
    assert meta_figure.describe(label, [area]) == [f"Conv4: ≤ 1: {100 * area.share:.1f} % of the grid"]


def test_bad_options_are_refused(make):
    store = make("s")
    with pytest.raises(SpecError, match="--labels needs one label for each of 1, got 2: a, b"):
        meta_figure.figure_meta([store], labels=["a", "b"])
    with pytest.raises(SpecError, match="--thresholds needs up to 4 finite numbers, none above .*, got 1, 2, 3, 4, 5"):
        meta_figure.figure_meta([store], thresholds=[1, 2, 3, 4, 5])
    with pytest.raises(SpecError, match="--thresholds needs up to 4 finite numbers, none above .*, got nan"):
        meta_figure.figure_meta([store], thresholds=[math.nan])
    with pytest.raises(SpecError, match="a figure needs at least one surface"):
        meta_figure.figure_meta([])


def test_labels_say_what_tells_the_surfaces_apart():
    base = dataclasses.replace(SPEC, split="base")
    assert labels_of([SPEC], None) == ["Conv4"]
    assert labels_of([SPEC, base], None) == ["Conv4, novel split", "Conv4, base split"]
    other = dataclasses.replace(base, run="3" * 64)
    assert labels_of([base, other], None) == ["Conv4, run 00000000", "Conv4, run 33333333"]


def test_titles_name_single_tasks_and_orders():
    one_task = dataclasses.replace(SPEC, tasks=1, first_task=3)
    assert "novel split: task 3 of seed 0 (5-way 1-shot, 1, 4 queries per class)" in title_of([one_task])
    later = dataclasses.replace(SPEC, first_task=3)
    assert "mean over 3 tasks from number 3 of seed 0" in title_of([later])
    assert "3 fresh tasks per point" in title_of([dataclasses.replace(SPEC, fresh_tasks=True)])
