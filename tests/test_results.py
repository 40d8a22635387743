import dataclasses
import math
import statistics

import pytest

from raymaml.errors import MissingError, SpecError
from raymaml.results import COLUMNS, OPTIONAL, Cell, Curve, Result, low_to_high, over_seeds, read_csv, write_csv

ONE = Result("cub", "maml", "conv4", False, 5, "novel", "best", 0.5245, 0.0071, 1.309072, 1000)
HEADER = ",".join(COLUMNS)
LINE = "cub,maml,conv4,false,5,novel,best,0.5245,0.0071,1.309072,1000"
T95 = {2: 12.706, 3: 4.303, 5: 2.776}  # printed tables of Student's t, two-sided 95 %, by number of values


def other(**changes):
    return dataclasses.replace(ONE, **changes)


# --- statistics


@pytest.mark.parametrize("accuracies", [(0.45, 0.47), (0.4508, 0.4534, 0.4645), (0.1, 0.9, 0.4, 0.4, 0.3)])
def test_statistics_over_seeds_against_the_slow_way(accuracies):
    results = [
        other(seed=seed, accuracy=accuracy, accuracy_ci95=accuracy / 10, loss=3 * accuracy)
        for seed, accuracy in enumerate(accuracies)
    ]
    (summary,) = over_seeds(results).values()
    count = len(accuracies)
    assert summary.accuracy == pytest.approx(sum(accuracies) / count, rel=1e-12)
    assert summary.accuracy_ci95 == pytest.approx(sum(accuracies) / count / 10, rel=1e-12)
    assert summary.loss == pytest.approx(3 * sum(accuracies) / count, rel=1e-12)
    assert summary.accuracy_sd == pytest.approx(statistics.stdev(accuracies), rel=1e-12)
    half = T95[count] * statistics.stdev(accuracies) / math.sqrt(count)
    assert summary.accuracy_t95 == pytest.approx(half, rel=2e-4)
    assert summary.seeds == tuple(range(count))


def test_one_seed_has_a_mean_and_no_spread():
    (summary,) = over_seeds([ONE]).values()
    assert (summary.accuracy, summary.accuracy_ci95, summary.loss) == (0.5245, 0.0071, 1.309072)
    assert math.isnan(summary.accuracy_sd)
    assert math.isnan(summary.accuracy_t95)


def test_a_diverged_loss_is_not_left_out_of_the_mean():
    (nan,) = over_seeds([ONE, other(seed=6, loss=math.nan)]).values()
    assert math.isnan(nan.loss)
    (inf,) = over_seeds([ONE, other(seed=6, loss=math.inf)]).values()
    assert inf.loss == math.inf


def test_sharpness_over_seeds_against_the_slow_way():
    values = [0.25, 0.5, 0.9]
    results = [
        other(seed=seed, sharpness=value, sharpness_ci95=value / 5, sharpness_tasks=100)
        for seed, value in enumerate(values)
    ]
    (summary,) = over_seeds(results).values()
    assert summary.sharpness == pytest.approx(sum(values) / 3, rel=1e-12)
    assert summary.sharpness_ci95 == pytest.approx(sum(values) / 15, rel=1e-12)
    assert summary.sharpness_sd == pytest.approx(statistics.stdev(values), rel=1e-12)


def test_an_unknown_sharpness_is_not_left_out_of_the_mean_and_a_diverged_one_neither():
    (summary,) = over_seeds([other(sharpness=0.5, sharpness_ci95=0.1), other(seed=6)]).values()
    assert (summary.sharpness, summary.sharpness_ci95, summary.sharpness_sd) == (None, None, None)
    (summary,) = over_seeds([other(sharpness=0.5), other(seed=6, sharpness=math.nan)]).values()
    assert math.isnan(summary.sharpness)
    assert summary.sharpness_ci95 is None


def test_cells_are_apart_and_in_order_whatever_the_order_of_the_results():
    results = [
        other(augment=True),
        other(backbone="resnet10", seed=7),
        other(backbone="resnet10", seed=6, accuracy=0.1),
        other(checkpoint="last"),
        other(split="base"),
        other(method="transfer"),
        ONE,
        other(data="ants"),
    ]
    summaries = over_seeds(results)
    assert repr(over_seeds(reversed(results))) == repr(summaries)  # repr: nan is not equal to itself
    assert [(c.data, c.method, c.augment, c.backbone, c.split, c.checkpoint) for c in summaries] == [
        ("ants", "maml", False, "conv4", "novel", "best"),
        ("cub", "maml", False, "conv4", "base", "best"),
        ("cub", "maml", False, "conv4", "novel", "best"),
        ("cub", "maml", False, "conv4", "novel", "last"),
        ("cub", "maml", False, "resnet10", "novel", "best"),
        ("cub", "maml", True, "conv4", "novel", "best"),
        ("cub", "transfer", False, "conv4", "novel", "best"),
    ]
    two = summaries[Cell("cub", "maml", "resnet10", False, "novel", "best")]
    assert two.seeds == (6, 7)
    assert [result.accuracy for result in two.results] == [0.1, 0.5245]


def test_a_seed_that_is_there_twice_is_refused():
    expected = "two results of seed 5 of maml conv4 without augmentation on cub, novel split, best checkpoint"
    with pytest.raises(SpecError, match=expected):
        over_seeds([ONE, other(accuracy=0.6)])


def test_counts_are_summed_up():
    assert low_to_high([1000, 1000]) == "1,000"
    assert low_to_high([1000, 600, 800]) == "600 to 1,000"


# --- values


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"accuracy": 52.45}, "accuracy must be a share from 0 to 1, not a percentage, got 52.45"),
        ({"accuracy": math.nan}, "accuracy must be a share from 0 to 1"),
        ({"accuracy_ci95": -0.1}, "accuracy_ci95 must be a share from 0 to 1"),
        ({"loss": -1.0}, "loss must be at least 0, or nan where it diverged, got -1.0"),
        ({"method": "proto"}, "method must be one of maml, transfer, got 'proto'"),
        ({"backbone": "Conv4"}, "backbone must be one of conv4, conv6, resnet10, resnet18, got 'Conv4'"),
        ({"split": "test"}, "split must be one of base, val, novel, got 'test'"),
        ({"checkpoint": "2399"}, "checkpoint must be one of best, last, got '2399'"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"tasks": -1}, "tasks must be at least 0, got -1"),
        ({"sharpness": math.inf}, "sharpness must be finite, or nan where it diverged, got inf"),
        ({"sharpness_ci95": 0.1}, "sharpness must be known where its interval or its number of tasks is"),
        ({"sharpness_tasks": 100}, "sharpness must be known where its interval or its number of tasks is"),
        ({"sharpness": 0.1, "sharpness_ci95": -0.1}, "sharpness_ci95 must be at least 0 and finite, or nan, got -0.1"),
        ({"sharpness": 0.1, "sharpness_ci95": math.inf}, "sharpness_ci95 must be at least 0 and finite, or nan"),
        ({"sharpness": 0.1, "sharpness_tasks": -1}, "sharpness_tasks must be at least 0, got -1"),
        ({"data": ""}, "data must be the name of a data set, got nothing"),
    ],
)
def test_a_result_that_cannot_be_is_refused(changes, expected):
    with pytest.raises(SpecError, match=expected):
        other(**changes)


def test_curves_that_cannot_be_drawn_are_refused():
    with pytest.raises(SpecError, match="as many accuracies as steps, got 1, 2"):
        Curve("conv4", False, 5, "val", [1, 2], [0.5])
    with pytest.raises(SpecError, match="as many accuracies as steps, got 0, 0"):
        Curve("conv4", False, 5, "val", [], [])
    with pytest.raises(SpecError, match="must ascend"):
        Curve("conv4", False, 5, "val", [1, 1], [0.5, 0.5])


# --- files


def test_what_is_written_is_read_back_to_the_last_bit(tmp_path):
    results = [
        ONE,
        other(seed=6, accuracy=1 / 3, loss=math.inf),
        other(augment=True, data='birds, "mine"', tasks=0),
        other(seed=7, sharpness=-1 / 3, sharpness_ci95=1 / 7, sharpness_tasks=100),
        other(seed=8, sharpness=0.0),
    ]
    write_csv(tmp_path / "new" / "a.csv", results)
    assert read_csv(tmp_path / "new" / "a.csv") == results
    write_csv(tmp_path / "nan.csv", [other(loss=math.nan)])
    assert math.isnan(read_csv(tmp_path / "nan.csv")[0].loss)


def test_columns_of_sharpness_may_be_absent_and_empty(tmp_path):
    one = "cub,maml,conv4,false,6,novel,best,0.5245,0.0071,1.309072,1000"
    (tmp_path / "a.csv").write_text(f"{HEADER},sharpness_ci95,sharpness\n{LINE},,\n{one},0.01,nan\n")
    unknown, diverged = read_csv(tmp_path / "a.csv")
    assert unknown == ONE
    assert (math.isnan(diverged.sharpness), diverged.sharpness_ci95, diverged.sharpness_tasks) == (True, 0.01, 0)
    assert OPTIONAL == ("sharpness", "sharpness_ci95", "sharpness_tasks")


def test_columns_may_come_in_any_order_and_from_a_spreadsheet(tmp_path):
    text = "\ufeff" + "\r\n".join(",".join(reversed(line.split(","))) for line in (HEADER, LINE)) + "\r\n"
    (tmp_path / "a.csv").write_bytes(text.encode())
    assert read_csv(tmp_path / "a.csv") == [ONE]


BROKEN = {
    "": r"line 1: the columns data,method,.*,tasks, and any of sharpness,.*, were expected, got nothing",
    "data,accuracy_pct": r"line 1: the columns data,.* were expected, got data,accuracy_pct",
    f"{HEADER},more": r"line 1: the columns .* were expected",
    f"{HEADER},sharpness,sharpness": r"line 1: the columns .* were expected, got .*,sharpness,sharpness",
    f"{HEADER},sharpness\n{LINE},0.1 nats": r"line 2: sharpness must be a number, got '0.1 nats'",
    f"{HEADER},sharpness\n{LINE.replace('1000', '')},1": r"line 2: tasks must be a whole number, got ''",
    f"{HEADER}\n{LINE}\ncub,maml": r"line 3: 11 values were expected, got 2",
    f"{HEADER}\n{LINE.replace('0.5245', '52.45')}": r"line 2: accuracy must be a share .* not a percentage, got 52.45",
    f"{HEADER}\n{LINE.replace('0.5245', '52.45%')}": r"line 2: accuracy must be a number, got '52.45%'",
    f"{HEADER}\n{LINE.replace('false', 'no')}": r"line 2: augment must be true or false, got 'no'",
    f"{HEADER}\n{LINE.replace(',5,', ',five,')}": r"line 2: seed must be a whole number, got 'five'",
    f"{HEADER}\n{LINE.replace('novel', 'test')}": r"line 2: split must be one of base, val, novel, got 'test'",
    f"{HEADER}\n{LINE}\n{LINE}": r"line 3: a second result of seed 5 of maml conv4 .*; the first is in line 2",
    f'{HEADER}\n"{LINE}': r"line 2: unexpected end of data",
}


@pytest.mark.parametrize("text", BROKEN, ids=list(BROKEN.values()))
def test_a_broken_file_is_refused_with_its_line(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(SpecError, match=rf"a\.csv {BROKEN[text]}") as raised:
        read_csv(tmp_path / "a.csv")
    assert "\n" not in str(raised.value)


def test_files_that_are_no_text_are_refused(tmp_path):
    with pytest.raises(MissingError, match=r"b\.csv is not there; name a CSV file of results"):
        read_csv(tmp_path / "b.csv")
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="cannot be read as CSV in UTF-8"):
        read_csv(tmp_path / "b.csv")
    with pytest.raises(SpecError, match="cannot be read as CSV in UTF-8"):
        read_csv(tmp_path)
