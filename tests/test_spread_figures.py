"""Which numbers of which surfaces the figures of spread and difference show, and what they refuse."""

import csv
import dataclasses
import itertools
import math
import re

import numpy as np
import pytest

from raymaml.errors import MismatchError, MissingError, SpecError
from raymaml.landscape import sets
from raymaml.landscape.store import create_or_open, open_store
from raymaml.landscape.values import Values
from raymaml.specs import GridSpec, MamlSpec, ModelSpec, SurfaceSpec, TaskSpec, TransferSpec
from raymaml.verbs import difference_figure, spread_figure
from raymaml.verbs.difference_figure import figure_difference
from raymaml.verbs.figure import figure_surface
from raymaml.verbs.meta_figure import figure_meta
from raymaml.verbs.panel_figures import figure_inner, figure_parts, figure_queries
from raymaml.verbs.spread_figure import figure_spread

SPEC = SurfaceSpec(
    run="0" * 64, seed=5, checkpoint="best", checkpoint_digest="1" * 64, data="glyphs", data_digest="2" * 64,
    model=ModelSpec(channels=1, image_size=28), learner=MamlSpec(inner_lr=0.1), split="novel", task=TaskSpec(5, 1, 4),
    queries=(1, 4), tasks=3, first_task=0, task_seed=0, fresh_tasks=False, steps=(0, 5), grid=GridSpec(5, 3),
    direction_seed=0, orthogonal=False, precision="float64",
)  # fmt: skip
HARD = np.array([0.0, 0.3, 0.6]).reshape(3, 1, 1)  # tasks of which some are harder than others


def bowl(spec):
    grid = spec.grid
    a, b = np.meshgrid(grid.coordinates(grid.alphas), grid.coordinates(grid.betas), indexing="ij")
    return a**2 + 0.5 * b**2


def write(path, spec, loss, alphas=None):
    """A store whose loss after the last step, of the most query images, is `loss` (task, alpha, beta).

    With `alphas` of so many alphas alone.
    """
    store = create_or_open(path, spec, {})
    for block in (block for block in store.missing() if alphas is None or block.alpha[0] < alphas):
        part = loss[block.slices]
        wide = np.broadcast_to(part[:, None, None], (len(part), len(spec.steps), len(spec.queries), *part.shape[1:]))
        scale = np.linspace(0.5, 1, len(spec.steps) * len(spec.queries)).reshape(1, len(spec.steps), -1, 1, 1)
        store.write(block, Values(wide * scale, wide * scale / 10, (wide * scale)[:, :, 0]))
    return store


@pytest.fixture
def make(tmp_path):
    """A store of a bowl, higher by a number and in each task by its hardness."""

    def one(name, more=0.1, hard=HARD, alphas=None, **changes):
        spec = dataclasses.replace(SPEC, **changes)
        return write(tmp_path / f"{name}.zarr", spec, bowl(spec) + more + hard, alphas)

    return one


@pytest.fixture
def a_set(tmp_path):
    """A set in which the loss of a seed and a pair of directions is a sum, so that each effect is known."""

    def make(pairs, name="set", alphas=None):
        path = tmp_path / f"{name}.zarr"
        for seed, direction in pairs:
            spec = dataclasses.replace(SPEC, seed=seed, direction_seed=direction, checkpoint_digest=f"weights {seed}")
            sets.claim(path, spec)
            loss = bowl(spec) + 0.1 + 0.1 * (seed - 5) + 0.04 * direction + HARD * (1 + direction)
            write(sets.member_path(path, spec), spec, loss, alphas)
        return path

    return make


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


ALL = list(itertools.product((5, 6, 7), (0, 1)))


def test_a_set_gives_each_effect_its_own_map(a_set):
    made = figure_spread(a_set(ALL), formats=["svg"])
    folder = made.files[0].parent
    assert folder.name == "set-figures"
    assert [path.name for path in made.files] == [
        "spread-maps.svg", "spread-sections.svg", "spread-cells.csv", "spread-areas.csv",
    ]  # fmt: skip
    rows = rows_of(folder / "spread-cells.csv")
    assert len(rows) == 15
    expected = bowl(SPEC) + 0.1 + 0.1 + 0.02 + 0.3 * 1.5  # means over seeds, directions, and tasks of each
    np.testing.assert_allclose([float(row["mean"]) for row in rows], expected.ravel())
    for column, value in {
        "se_tasks": 0.3 * 1.5 / math.sqrt(3),  # of the tasks' means over the surfaces
        "sd_seeds": 0.1,
        "sd_directions": (0.04 + 0.3) / math.sqrt(2),
    }.items():
        np.testing.assert_allclose([float(row[column]) for row in rows], value)
    assert (rows[1]["alpha"], rows[1]["beta"]) == ("-1.0", "0.0")
    assert "standard deviation over seeds: median 0.1, max 0.1 nats over 15 of 15 grid points" in made.lines
    assert made.lines[1].startswith("standard error over tasks of the mean: median 0.2598, max 0.2598 nats")


def test_the_areas_of_each_surface_and_their_spread(a_set):
    made = figure_spread(a_set(ALL), formats=["svg"])
    areas = rows_of(made.files[-1])
    assert len(areas) == 6 * 4
    of = {(int(r["seed"]), int(r["direction_seed"]), float(r["threshold"])): float(r["share"]) for r in areas}
    for (seed, direction), threshold in itertools.product(ALL, (0.21, 0.81, 1.01, 1.41)):
        mean = bowl(SPEC) + 0.1 + 0.1 * (seed - 5) + 0.04 * direction + 0.3 * (1 + direction)
        assert of[seed, direction, threshold] == pytest.approx(np.mean(mean <= threshold))
    shares = np.array([[of[seed, direction, 1.01] for direction in (0, 1)] for seed in (5, 6, 7)]) * 100
    seeds, directions = (shares.mean(axis=axis).std(ddof=1) for axis in (1, 0))
    assert made.lines[-2] == (
        f"≤ 1.01: mean {shares.mean():.1f} % of the grid, standard deviation over seeds {seeds:.1f} %, "
        f"standard deviation over directions {directions:.1f} %"
    )
    assert sum(line.startswith("seed ") for line in made.lines) == 6


def test_a_table_with_holes_shows_its_largest_full_part_and_says_so(a_set, monkeypatch):
    titles = []
    monkeypatch.setattr(spread_figure, "save", lambda figure, stem, formats: titles.append(figure.get_suptitle()) or [])
    made = figure_spread(a_set([(5, 0), (5, 1), (6, 0), (6, 1), (7, 1)]), formats=["svg"])
    left_out = "left out, since not every seed has every pair of directions: seed 7 on directions 1"
    assert made.lines[0] == left_out
    assert all(left_out in title.replace("\n", " ") for title in titles)
    rows = rows_of(made.files[0])
    np.testing.assert_allclose([float(row["sd_seeds"]) for row in rows], 0.1 / math.sqrt(2))
    assert {row["seed"] for row in rows_of(made.files[1])} == {"5", "6", "7"}  # each surface's area all the same


def shown(monkeypatch):
    """What the drawing functions are given."""
    calls = {}

    def record(name):
        original = getattr(spread_figure, name)

        def call(*args, **named):
            calls[name] = (args, named)
            return original(*args, **named)

        monkeypatch.setattr(spread_figure, name, call)

    record("maps")
    record("sections")
    return calls


def test_cross_sections_have_a_line_per_seed_with_a_band_over_directions(a_set, monkeypatch):
    calls = shown(monkeypatch)
    figure_spread(a_set(ALL), formats=["svg"])
    [along, across], named = calls["sections"][0][0], calls["sections"][1]
    assert [line.label for line in along.lines] == ["seed 5", "seed 6", "seed 7"]
    assert (along.heading, across.heading) == ("along α, at β = 0", "along β, at α = 0")
    middle = np.linspace(-1, 1, 5) ** 2 + 0.2 + 0.02 + 0.45  # of seed 6
    np.testing.assert_allclose(along.lines[1].middle, middle)
    np.testing.assert_allclose(along.lines[1].low, middle - 0.17)
    np.testing.assert_allclose(along.lines[1].high, middle + 0.17)
    np.testing.assert_allclose(across.lines[0].middle, 0.5 * np.linspace(-1, 1, 3) ** 2 + 0.1 + 0.02 + 0.45)
    assert named["band"].startswith("lowest to highest of the")
    [[mean, error], [seeds, directions]] = calls["maps"][0][0]
    assert mean.heading == "mean query loss over 3 seeds, 2 pairs of directions"
    assert [m.heading for m in (error, seeds, directions)] == [
        "standard error over tasks of the mean", "standard deviation over seeds", "standard deviation over directions",
    ]  # fmt: skip


def test_one_surface_has_the_error_over_tasks_alone(make, monkeypatch):
    calls = shown(monkeypatch)
    made = figure_spread(make("s").path, formats=["svg"])
    [[mean, error]] = calls["maps"][0][0]
    assert (mean.heading, error.heading) == ("mean query loss", "standard error over tasks")
    half = 1.96 * 0.3 / math.sqrt(3)
    [line] = calls["sections"][0][0][0].lines
    np.testing.assert_allclose(line.high - line.middle, half)
    np.testing.assert_allclose(line.middle - line.low, half)
    assert calls["sections"][1]["band"] == "95 % interval over tasks"
    rows = rows_of(made.files[2])
    assert {row["sd_seeds"] for row in rows} == {row["sd_directions"] for row in rows} == {""}
    assert np.allclose([float(row["se_tasks"]) for row in rows], 0.3 / math.sqrt(3))


def test_step_query_tasks_and_quantity_are_those_asked_for(make):
    store = make("s")
    made = figure_spread(store, step=0, query=1, tasks=2, quantity="accuracy", name="x", formats=["svg"])
    assert [path.name for path in made.files] == ["x-maps.svg", "x-sections.svg", "x-cells.csv"]  # no areas
    expected = store.surface("accuracy", step=0, query=1)[:2].mean(axis=0)
    np.testing.assert_allclose([float(row["mean"]) for row in rows_of(made.files[2])], expected.ravel())
    one = figure_spread(store, tasks=1, formats=["svg"])
    assert not any("standard error" in line for line in one.lines)
    with pytest.raises(MissingError, match="not recorded at 3 steps"):
        figure_spread(store, step=3)


def test_cells_that_are_missing_in_one_surface_or_diverged_have_no_number(a_set, tmp_path):
    path = a_set([(5, 0), (6, 0)], alphas=4)
    other = open_store(sets.members(path)[1])
    for block in other.missing():
        part = np.full((3, 2, 2, *block.shape[1:]), math.inf)
        other.write(block, Values(part, part, part[:, :, 0]))
    made = figure_spread(path, formats=["svg"])
    rows = rows_of(made.files[2])
    assert [row["mean"] == "" for row in rows] == [False] * 12 + [True] * 3
    assert made.lines[0].startswith("seed-5-direction-0: 12 of 15 grid points are computed; shares and other numbers")
    assert "over 12 of 15 grid points" in made.lines[1]
    values = np.full((3, 5, 3), 1.0)
    values[0, 2, 1] = math.nan
    spec = dataclasses.replace(SPEC, seed=9)
    rows = rows_of(figure_spread(write(tmp_path / "n.zarr", spec, values), formats=["svg"]).files[2])
    assert [k for k, row in enumerate(rows) if row["mean"] == ""] == [7]


def test_the_difference_is_that_of_the_same_tasks(make):
    one = make("one")
    shift = np.array([-0.1, -0.2, -0.3]).reshape(3, 1, 1)
    other = make("other", hard=HARD + shift, seed=6, checkpoint_digest="3" * 64)
    made = figure_difference(one.path, other.path, out=one.path.parent, labels=["a", "b"], formats=["svg"])
    assert [path.name for path in made.files] == ["difference.svg", "difference-cells.csv"]
    rows = rows_of(made.files[1])
    np.testing.assert_allclose([float(row["difference"]) for row in rows], -0.2)
    np.testing.assert_allclose([float(row["se"]) for row in rows], 0.1 / math.sqrt(3))
    np.testing.assert_allclose([float(row["one"]) for row in rows], (bowl(SPEC) + 0.4).ravel())
    assert {row["significant"] for row in rows} == {"-1"}
    assert made.lines == [
        "b − a, query loss: mean -0.2 ± 0.11 (95 %) nats over 15 of 15 grid points",
        "b is lower at 100.0 % of them, higher at 0.0 % "
        "(by more than 1.96 standard errors over 3 tasks, each point by itself)",
        "at (0, 0): -0.2 ± 0.11 (95 %) nats",
    ]
    turned = figure_difference(other, one, out=one.path.parent, formats=["svg"])
    assert "higher at 100.0 %" in turned.lines[1]


def test_points_within_their_error_are_dotted(make, monkeypatch):
    drawn = []
    original = difference_figure.maps
    monkeypatch.setattr(difference_figure, "maps", lambda rows, **named: drawn.append(rows) or original(rows, **named))
    one = make("one")
    noise = np.zeros((3, 5, 3))
    noise[:, :2] = np.array([-1.0, 0.1, 1.0]).reshape(3, 1, 1)  # at two alphas the tasks disagree
    other = make("other", more=0.2, hard=HARD + noise, alphas=4, learner=TransferSpec(),
                 model=ModelSpec(channels=1, image_size=28, outputs=64, norm="running"))  # fmt: skip
    made = figure_difference(one, other, out=one.path.parent, formats=["svg"])
    [[[first, second, change]]] = drawn
    assert first.height == second.height
    assert change.centred
    np.testing.assert_array_equal(change.dotted, np.arange(5)[:, None] * np.ones((1, 3)) < 2)
    np.testing.assert_array_equal(change.grid.done, np.arange(5)[:, None] * np.ones((1, 3)) < 4)
    assert (first.heading, second.heading) == ("Conv4, MAML", "Conv4, transfer learning")
    assert change.heading == "Conv4, transfer learning − Conv4, MAML"
    assert "lower at 0.0 % of them, higher at 50.0 %" in made.lines[1]


DIFFERENT = [
    ({"grid": GridSpec(5, 4)}, "grid.betas is 3, in the other 4"),
    ({"grid": GridSpec(5, 3, -2.0, 2.0)}, "grid.high is 1.0, in the other 2.0; grid.low is -1.0, in the other -2.0"),
    ({"tasks": 2}, "tasks is 3, in the other 2"),
    ({"first_task": 1}, "first_task is 0, in the other 1"),
    ({"task_seed": 1}, "task_seed is 0, in the other 1"),
    ({"fresh_tasks": True}, "fresh_tasks is False, in the other True"),
    ({"split": "base"}, "split is novel, in the other base"),
    ({"task": TaskSpec(5, 5, 4)}, "task.shot is 1, in the other 5"),
    ({"direction_seed": 1}, "direction_seed is 0, in the other 1"),
    ({"orthogonal": True}, "orthogonal is False, in the other True"),
    ({"part": "head"}, "part is all, in the other head"),
    ({"around": "adapted"}, "around is initial, in the other adapted"),
    ({"data_digest": "9" * 64}, f"data_digest is {'2' * 64}, in the other {'9' * 64}"),
    ({"model": ModelSpec("conv6", 1, 28)}, "model.backbone is conv4, in the other conv6"),
    ({"model": ModelSpec("conv4", 3, 28)}, "model.channels is 1, in the other 3"),
    ({"model": ModelSpec("conv4", 1, 84)}, "model.image_size is 28, in the other 84"),
]


@pytest.mark.parametrize(("changes", "expected"), DIFFERENT, ids=[text.split(" is ")[0] for _, text in DIFFERENT])
def test_surfaces_that_cannot_be_paired_are_refused(make, changes, expected):
    stores = make("one"), make("other", hard=HARD[: changes.get("tasks", 3)], **changes)
    with pytest.raises(MismatchError, match=re.escape(f"cannot be compared task by task: {expected}; compute one")):
        figure_difference(*stores)


def test_the_steps_and_queries_in_common_are_compared(make):
    one = make("one")
    other = make("other", seed=6, steps=(5, 9), queries=(1, 15), task=TaskSpec(5, 1, 15))
    made = figure_difference(one, other, out=one.path.parent, formats=["svg"])
    expected = other.surface("loss", step=5, query=1).mean(axis=0) - one.surface("loss", step=5, query=1).mean(axis=0)
    np.testing.assert_allclose([float(row["difference"]) for row in rows_of(made.files[1])], expected.ravel())
    with pytest.raises(MissingError, match="not recorded at 9 steps, only at 0 5"):
        figure_difference(one, other, step=9)
    with pytest.raises(MismatchError, match="no steps in common: 0 5 and 7; compute one of them again"):
        figure_difference(one, make("seven", steps=(7,)))


def test_fewer_tasks_pair_stores_of_different_numbers_unless_they_are_fresh(make):
    one, other = make("one"), make("other", tasks=2, hard=HARD[:2] + 0.5)
    made = figure_difference(one, other, tasks=2, out=one.path.parent, formats=["svg"])
    np.testing.assert_allclose([float(row["difference"]) for row in rows_of(made.files[1])], 0.5)
    fresh = make("f", fresh_tasks=True), make("g", tasks=2, hard=HARD[:2], fresh_tasks=True)
    with pytest.raises(MismatchError, match="tasks is 3, in the other 2"):  # numbers go by how many tasks a point has
        figure_difference(*fresh, tasks=2)


def test_one_task_has_no_dots_and_no_interval(make):
    stores = make("one"), make("other", more=0.3, seed=6)
    made = figure_difference(*stores, tasks=1, out=stores[0].path.parent, formats=["svg"])
    assert made.lines[1:] == ["one task: no interval", "at (0, 0): +0.2 nats"]
    assert {row["significant"] for row in rows_of(made.files[1])} == {""}


def test_a_grid_without_the_centre_or_without_values_says_so(make):
    changes = {"grid": GridSpec(4, 3)}
    one, other = make("one", **changes), make("other", seed=6, alphas=0, **changes)
    empty = figure_difference(one, other, out=one.path.parent, formats=["svg"])
    assert empty.lines == [
        "Conv4, seed 6 − Conv4, seed 5, query loss: no grid point at which every task of both has a finite value"
    ]
    again = figure_difference(one, one, out=one.path.parent, formats=["svg"])
    assert again.lines[0].startswith("Conv4 (other) − Conv4 (one), query loss: mean +0 ± 0")
    assert again.lines[2] == "at (0, 0): no grid point"


@pytest.mark.parametrize(
    "draw",
    [
        figure_surface, figure_queries,
        lambda path: figure_inner([path]), lambda path: figure_parts([path]), lambda path: figure_meta([path]),
        lambda path: figure_difference(path, path),
    ],
)  # fmt: skip
def test_figures_of_one_surface_refuse_a_set_and_name_what_is_in_it(a_set, draw):
    path = a_set([(5, 0), (6, 0)])
    expected = f"{path} is a set of surfaces: draw it with raymaml figure spread {path}, or name one in it "
    with pytest.raises(SpecError, match=re.escape(f"{expected}(seed-5-direction-0, seed-6-direction-0)")):
        draw(path)
    assert figure_surface(path / "seed-5-direction-0", formats=["svg"])[0].exists()
