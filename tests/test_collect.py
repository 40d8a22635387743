"""What the verbs find in the home of runs, and how tables and figures are made of it."""

import dataclasses
import itertools
import json
import math

import numpy as np
import pytest

from raymaml import files, published, runs
from raymaml.errors import MismatchError, MissingError, SpecError
from raymaml.landscape.store import create_or_open
from raymaml.landscape.values import empty
from raymaml.results import Result, write_csv
from raymaml.runs import RunDir
from raymaml.sharpness.spec import SharpnessSpec
from raymaml.sharpness.store import create_or_open as open_sharpness
from raymaml.specs import GridSpec, Score, SurfaceSpec, TaskSpec
from raymaml.verbs.result_figures import figure_results
from raymaml.verbs.results import collect, join_sharpness
from raymaml.verbs.sources import gather
from raymaml.verbs.table import table


@pytest.fixture
def make(spec):
    """Make the folder of a run: finished seeds, and rows of metrics for each."""

    def write(name, *, seeds=(), rows=(), **changes) -> RunDir:
        run = RunDir(runs.home() / name)
        run.claim(dataclasses.replace(spec, **changes))
        for seed in seeds:
            files.write_json(run.seed(seed).result, {"test": Score(0.5 + seed / 100, 0.1, None, 3).to_dict()})
            for row in rows:
                run.seed(seed).append_metrics(row)
        return run

    return write


ROWS = [
    {"step": 2, "train_accuracy": 0.4, "val_accuracy": 0.3},
    {"step": 4, "train_accuracy": 0.5, "val_accuracy": 0.35},
]


def test_finished_seeds_give_results_and_all_seeds_give_curves(make):
    run = make("first", seeds=(5, 6), rows=ROWS)
    run.seed(7).path.mkdir()
    run.seed(7).append_metrics(ROWS[0])
    results, curves = collect(None)
    assert [(r.data, r.method, r.backbone, r.augment, r.seed) for r in results] == [
        ("patterns", "maml", "conv4", False, 5),
        ("patterns", "maml", "conv4", False, 6),
    ]
    one = results[0]
    assert (one.split, one.checkpoint, one.accuracy, one.accuracy_ci95, one.tasks) == ("novel", "best", 0.55, 0.1, 3)
    assert math.isnan(one.loss)
    assert [(c.seed, c.split) for c in curves] == [(s, split) for s in (5, 6, 7) for split in ("base", "val")]
    assert (curves[0].steps, curves[0].accuracy) == ((2, 4), (0.4, 0.5))
    assert (curves[1].steps, curves[1].accuracy) == ((2, 4), (0.3, 0.35))
    assert curves[4].steps == (2,)


def evaluated(run_dir, seed, accuracy, **changes):
    """An evaluation of two tasks or more in the folder of a seed, all of one accuracy."""
    spec = run_dir.spec()
    values = {
        "run": spec.digest, "seed": seed, "checkpoint": "best", "checkpoint_digest": "0" * 64, "data": spec.data,
        "data_digest": spec.data_digest, "model": spec.model, "learner": spec.learner, "split": "novel",
        "task": TaskSpec(5, 1, spec.test_query), "queries": (spec.test_query,), "tasks": 4, "first_task": 0,
        "task_seed": 0, "fresh_tasks": False, "steps": (spec.test_steps,), "grid": GridSpec(1, 1), "direction_seed": 0,
        "orthogonal": False, **changes,
    }  # fmt: skip
    of = SurfaceSpec(**values)
    store = create_or_open(run_dir.seed(seed).evaluations / f"{of.digest[:8]}.zarr", of, {})
    for block in store.missing():
        found = empty(block.shape, len(of.steps), len(of.queries), "float32")
        for values, value in zip(found, (1.0, accuracy, 1.0), strict=True):
            values.fill(value)
        store.write(block, found)
    return store


def test_an_evaluation_of_more_tasks_replaces_the_runs_own_test_and_others_add_to_it(make):
    run = make("first", seeds=(5,))
    evaluated(run, 5, 0.75)
    evaluated(run, 5, 0.5, tasks=2)  # fewer tasks than the test, which has 3
    evaluated(run, 5, 0.25, split="base", checkpoint="last")
    found = {(r.split, r.checkpoint): (r.accuracy, r.tasks, r.loss) for r in collect(None)[0]}
    assert found == {("novel", "best"): (0.75, 4, 1.0), ("base", "last"): (0.25, 4, 1.0)}


def test_the_best_and_the_last_checkpoint_can_be_compared_on_the_same_tasks(make):
    run = make("first", seeds=(5,))  # whose own test has 3 tasks
    for which, accuracy in (("best", 0.5), ("last", 0.25)):
        evaluated(run, 5, accuracy, tasks=2, checkpoint=which)
    paired, most = ({r.checkpoint: (r.accuracy, r.tasks) for r in collect(None, paired=p)[0]} for p in (True, False))
    assert paired == {"best": (0.5, 2), "last": (0.25, 2)}
    assert most == {"best": (0.55, 3), "last": (0.25, 2)}
    assert [r.tasks for r in gather(paired=True)[0]] == [2, 2]


@pytest.mark.parametrize(
    "other",
    [
        {"steps": (9,)},
        {"steps": (0, 10)},
        {"task": TaskSpec(5, 1, 3), "queries": (3,)},
        {"queries": (1, 15)},
        {"task_seed": 1},
        {"first_task": 1},
        {"run": "1" * 64},
    ],
)
def test_an_evaluation_of_another_kind_does_not_count(make, other):
    run = make("first", seeds=(5,))
    evaluated(run, 5, 0.75, **other)
    assert [(r.accuracy, r.tasks) for r in collect(None)[0]] == [(0.55, 3)]


def test_an_evaluation_that_was_interrupted_does_not_count(make):
    run = make("first", seeds=(5,))
    store = evaluated(run, 5, 0.75)
    store.group["done"][3] = 0
    assert [r.accuracy for r in collect(None)[0]] == [0.55]


def test_a_data_set_of_larger_images_counts_as_the_same(make, spec):
    large = dataclasses.replace(spec.model, image_size=224)
    make("first", seeds=(5,), data="cub", model=dataclasses.replace(spec.model, image_size=84))
    make("second", seeds=(5,), data="cub-224", model=dataclasses.replace(large, backbone="resnet10"))
    assert [(r.data, r.backbone) for r in collect("cub")[0]] == [("cub", "conv4"), ("cub", "resnet10")]


def test_what_was_evaluated_comes_before_the_tasks_of_training(make):
    rows = [*ROWS, {"step": 6, "train_accuracy": 0.6, "val_accuracy": 0.4, "base_accuracy": 0.7, "novel_accuracy": 0.2}]
    make("first", seeds=(5,), rows=rows)
    _, curves = collect("patterns")
    assert [(c.split, c.steps, c.accuracy) for c in curves] == [
        ("base", (6,), (0.7,)),
        ("val", (2, 4, 6), (0.3, 0.35, 0.4)),
        ("novel", (6,), (0.2,)),
    ]


def test_only_the_data_set_asked_for(make):
    make("first", seeds=(5,), rows=ROWS)
    make("second", seeds=(5,), rows=ROWS, data="ants")
    assert {r.data for r in collect(None)[0]} == {"ants", "patterns"}
    assert {r.data for r in collect("ants")[0]} == {"ants"}
    assert len(collect("ants")[1]) == 2
    assert collect("bees") == ([], [])


def test_the_longer_of_two_runs_counts_and_the_other_is_named(make):
    make("a-short", seeds=(5,), rows=ROWS)
    make("b-long", seeds=(6,), rows=ROWS, updates=1000)
    make("c-shorter", seeds=(7,), updates=4)
    make("d-5-shot", seeds=(8,), task=TaskSpec(5, 5, 2))
    skipped = []
    results, curves = collect(None, on_skip=skipped.append)
    assert [r.seed for r in results] == [6]
    assert {c.seed for c in curves} == {6}
    assert skipped == [
        "run a-short is left out: 6 updates, and b-long has 1,000",
        "run c-shorter is left out: 4 updates, and b-long has 1,000",
        "run d-5-shot is left out: it is 5-way 5-shot",
    ]


def test_two_runs_that_differ_in_something_else_are_refused(make):
    make("first", seeds=(5,))
    make("second", seeds=(5,), outer_lr=0.01)
    with pytest.raises(MismatchError, match=r"runs first and second .*\(outer_lr is 0.001, asked for 0.01\); move one"):
        collect(None)


@pytest.mark.parametrize("row", [{"val_accuracy": 0.5}, {"step": "x", "val_accuracy": 1}, [1], {**ROWS[0], "step": 4}])
def test_damaged_metrics_are_named(make, row):
    run = make("first", seeds=(5,), rows=ROWS)
    with run.seed(5).metrics.open("a") as lines:
        lines.write(json.dumps(row) + "\n")
    with pytest.raises(SpecError, match=r"metrics\.jsonl is damaged: .*restore the file"):
        collect(None)


# --- sources


def test_files_and_records_are_taken_instead_of_the_runs_here(make, tmp_path):
    make("first", seeds=(5,), rows=ROWS)
    mine = Result("bees", "maml", "conv4", False, 5, "novel", "best", 0.5, 0.1, 1.0, 3)
    write_csv(tmp_path / "a.csv", [mine])
    assert gather(files=[tmp_path / "a.csv"]) == ([mine], [])
    assert gather(published=True) == (published.runs(), [])
    both, _ = gather(published=True, files=[tmp_path / "a.csv"], data=["bees", "cub"])
    assert {r.data for r in both} == {"bees", "cub"}
    results, curves = gather()
    assert ([r.data for r in results], len(curves)) == (["patterns"], 2)
    with pytest.raises(MissingError, match="no results of patterns, only of: bees"):
        gather(files=[tmp_path / "a.csv"], data=["patterns"])


def test_curves_are_enough_for_a_figure_of_an_unfinished_run(make, tmp_path):
    run = make("first")
    run.seed(5).path.mkdir()
    for row in ROWS:
        run.seed(5).append_metrics(row)
    results, curves = gather(data=["patterns"])
    assert (results, len(curves)) == ([], 2)
    (path,) = figure_results(19, results, curves, tmp_path, ["svg"])
    assert path == tmp_path / "figure19.svg"


# --- tables and figures


def test_a_table_is_text_and_files_of_the_same(tmp_path):
    text = table(2, published.runs(), tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["table2.csv", "table2.tex", "table2.txt"]
    assert (tmp_path / "new" / "table2.txt").read_text() == text
    assert table(2, published.runs()) == text
    assert len((tmp_path / "new" / "table2.csv").read_text().splitlines()) == 33
    with pytest.raises(SpecError, match="must be one of 2, 3, 4, 7, 8, got 5"):
        table(5, published.runs())
    with pytest.raises(SpecError, match="as txt, csv, tex, not pdf"):
        table(2, published.runs(), tmp_path / "other", ["txt", "pdf"])
    assert not (tmp_path / "other").exists()


def test_figures_say_what_they_are_of(tmp_path, monkeypatch):
    titles = []
    monkeypatch.setattr("raymaml.verbs.result_figures.save", lambda f, stem, formats: titles.append(f.get_suptitle()))
    figure_results(3, published.runs())
    mini = [r for r in published.runs() if r.data == "miniimagenet"]
    figure_results(19, mini)
    assert titles[0] == (
        "Loss against accuracy on cub and miniimagenet: novel split, best checkpoint\n"
        "a point is one seed (5, 6, 7): mean over 1,000 5-way 1-shot tasks"
    )
    assert titles[1].startswith(
        "MAML on miniimagenet, 5-way 1-shot, seeds 5, 6, 7\n"
        "checkpoints: mean over 1,000 tasks of the base and of the novel split\n"
    )
    with pytest.raises(SpecError, match="figure 19 shows one data set, not cub and miniimagenet"):
        figure_results(19, published.runs())
    with pytest.raises(SpecError, match="must be one of 3, 13, 14, 19, 20, got 4"):
        figure_results(4, published.runs())
    with pytest.raises(SpecError, match="two results of seed"):
        figure_results(3, [*mini, mini[0]])


# --- sharpness joins scores


@dataclasses.dataclass(frozen=True)
class Row:
    """One checkpoint's sharpness, as it is read from the home of runs."""

    data: str = "patterns"
    method: str = "maml"
    backbone: str = "conv4"
    augment: bool = False
    seed: int = 5
    split: str = "novel"
    checkpoint: str = "best"
    measure: str = "ours"
    rho: float = 0.05
    mean: float = 0.25
    ci95: float = 0.01
    tasks: int = 100


ONE = Result("patterns", "maml", "conv4", False, 5, "novel", "best", 0.5, 0.01, 1.0, 600)


def test_sharpness_joins_the_score_of_the_same_checkpoint_and_split():
    others = [
        *(dataclasses.replace(ONE, seed=6), dataclasses.replace(ONE, split="base")),
        *(dataclasses.replace(ONE, checkpoint="last"), dataclasses.replace(ONE, augment=True)),
        *(dataclasses.replace(ONE, backbone="conv6"), dataclasses.replace(ONE, method="transfer")),
        dataclasses.replace(ONE, data="glyphs"),
    ]
    rows = [
        Row(r.data, r.method, r.backbone, r.augment, r.seed, r.split, r.checkpoint, mean=index / 10, tasks=index + 1)
        for index, r in enumerate([ONE, *others])
    ]
    for count in (0, 1, len(rows)):
        skipped = []
        joined = join_sharpness([ONE, *others], rows[:count], measure="ours", on_skip=skipped.append)
        assert [dataclasses.replace(r, sharpness=None, sharpness_ci95=None, sharpness_tasks=0) for r in joined] == [
            ONE,
            *others,
        ]
        found = [(r.sharpness, r.sharpness_ci95, r.sharpness_tasks) for r in joined]
        assert found == [(i / 10, 0.01, i + 1) if i < count else (None, None, 0) for i in range(len(rows))]
        assert skipped == []


def measured(run_dir, value, **changes):
    """The sharpness of seed 5 on four tasks or so, in the folder of its run."""
    spec = run_dir.spec()
    values = {
        "run": spec.digest, "seed": 5, "checkpoint": "best", "checkpoint_digest": "0" * 64, "data": spec.data,
        "data_digest": spec.data_digest, "model": spec.model, "learner": spec.learner, "split": "novel",
        "task": TaskSpec(5, 1, 15), "tasks": 4, "task_seed": 0, "steps": 10, **changes,
    }  # fmt: skip
    of = SharpnessSpec(**values)
    store = open_sharpness(run_dir.seed(5).path / "sharpness" / f"{of.digest[:8]}.zarr", of, {}, 1)
    store.write(0, ["standard"], {"loss0": np.ones(of.tasks), "sharpness_standard": np.full(of.tasks, value)})


def test_results_of_the_runs_here_have_the_sharpness_that_was_measured_as_in_the_thesis(make):
    run, short = make("first", seeds=(5, 6)), make("short", seeds=(5,), updates=2)
    assert [r.sharpness for r in collect(None)[0]] == [None, None]
    measured(run, 0.5)
    measured(run, 0.25, tasks=3)  # fewer
    for other in ({"rho": 0.1}, {"perturb": "all"}, {"steps": 5}, {"task": TaskSpec(5, 1, 5)}, {"task_seed": 1}):
        measured(run, 9.0, tasks=6, **other)
    measured(short, 9.0)  # of a run that is left out: another has more updates
    found = collect(None)[0]
    assert [(r.seed, r.sharpness, r.sharpness_tasks) for r in found] == [(5, 0.5, 4), (6, None, 0)]


def test_a_sharpness_that_diverged_is_nan():
    for lost in (math.nan, math.inf, -math.inf):
        (joined,) = join_sharpness([ONE], [Row(mean=lost, ci95=lost)], measure="ours")
        assert math.isnan(joined.sharpness)
        assert math.isnan(joined.sharpness_ci95)


def test_sharpness_that_has_no_place_is_told():
    rows = [Row(rho=0.5), Row(measure="theirs"), Row(measure="theirs", seed=6), Row(), Row(split="base")]
    for some in itertools.permutations(rows):
        skipped = []
        (joined,) = join_sharpness([ONE], some, measure="ours", on_skip=skipped.append)
        assert joined.sharpness == 0.25
        assert skipped == [
            "1 sharpness values are left out: ours with rho 0.5, not ours with 0.05",
            "2 sharpness values are left out: theirs with rho 0.05, not ours with 0.05",
            "the sharpness of seed 5 of maml conv4 without augmentation on patterns, base split, best checkpoint "
            "is left out: its accuracy there was not evaluated",
        ]
    (joined,) = join_sharpness([ONE], [Row(rho=0.5, mean=0.75)], measure="ours", rho=0.5)
    assert joined.sharpness == 0.75


def test_two_measurements_of_one_checkpoint_are_refused():
    with pytest.raises(
        MismatchError, match="two measurements of the sharpness of seed 5 of maml conv4 .* over 100 and 50"
    ):
        join_sharpness([ONE], [Row(), Row(tasks=50)], measure="ours")


def test_tables_7_and_8_show_one_data_set():
    with pytest.raises(SpecError, match="one data set, not cub, miniimagenet"):
        table(7, published.runs())
    assert table(8, [r for r in published.runs() if r.data == "cub"]).startswith("Sharpness (0.1 nats)")
