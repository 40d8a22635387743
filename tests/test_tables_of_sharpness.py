"""Tables 3, 4, 7 and 8, and those of `raymaml correlate`."""

import csv
import dataclasses
import io
import math

import pytest

from raymaml import published
from raymaml.correlation import correlations
from raymaml.errors import MissingError, SpecError
from raymaml.results import Result
from raymaml.tables import as_csv, as_text, correlation_table, sharpness_table, table3, table4

MINI, CUB = ([r for r in published.runs() if r.data == data] for data in ("miniimagenet", "cub"))


def records(table):
    return list(csv.DictReader(io.StringIO(as_csv(table))))


def result(seed, sharpness=None, ci95=None, **changes):
    values = {"data": "glyphs", "method": "maml", "backbone": "conv4", "augment": False, "split": "novel"}
    values |= {"checkpoint": "best", "accuracy": 0.5, "accuracy_ci95": 0.01, "loss": 1.0, "tasks": 600, **changes}
    tasks = {} if sharpness is None else {"sharpness_tasks": 100}
    return Result(**{**values, **tasks}, seed=seed, sharpness=sharpness, sharpness_ci95=ci95)


# --- Tables 3 and 4


@pytest.mark.parametrize(("number", "table", "n"), [(3, table3, 24), (4, table4, 12)])
def test_every_cell_that_the_thesis_prints_is_beside_ours(number, table, n):
    rows = records(table(published.runs()))
    found = {(c.data, str(c.x), str(c.y)): c for c in correlations(published.runs(), augment=number == 4 or None)}
    printed = {
        (data, f"{split} {quantity}", f"{accuracy} accuracy"): cell
        for (data, split, quantity, accuracy), cell in published.correlations(number).items()
    }
    assert len(rows) == 12
    for row in rows:
        key = (row["data"], row["x"], row["y"])
        ours, cell = found[key], printed.pop(key)
        assert int(row["n"]) == n
        numbers = [float(row[name]) for name in ("r", "p", "thesis r", "thesis p", "diff")]
        assert numbers == pytest.approx([ours.r, ours.p, cell.r, cell.p, ours.r - cell.r], rel=1e-12)
    assert not printed


def test_the_misprint_and_the_cell_that_does_not_follow_are_noted():
    assert "-0.95 of cub base loss with novel accuracy is a misprint of -0.97" in as_text(table4(CUB))
    assert "but for cub novel sharpness (0.23, printed 0.38)" in as_text(table4(CUB))
    assert "misprint" not in as_text(table3(CUB))
    assert "r within 0.021 in those of sharpness." in as_text(table3(CUB))


def test_of_a_data_set_that_the_thesis_lacks_only_ours_are_there():
    some = [dataclasses.replace(r, data="birds") for r in CUB]
    text = as_text(table3(some))
    assert text.startswith("Pearson correlation of accuracy with sharpness and loss over all MAML runs: birds\n")
    assert "thesis" not in text
    both = records(table3([*some, *CUB]))
    assert {(row["data"], row["diff"] == "") for row in both} == {("birds", True), ("cub", False)}


def test_a_correlation_that_is_not_defined_is_a_dash_and_a_note():
    few = [r for r in CUB if r.seed == 5 and r.backbone == "conv4"]
    text = as_text(table3(few))
    (line,) = [line for line in text.splitlines() if line.startswith("cub   base sharpness   base")]
    assert line.split()[5:] == ["2", "–", "–", "-0.93", "3e-11", "–"]
    assert "cub, base sharpness with base accuracy: no r of 2 points: at least 3 are needed." in text
    diverged = [dataclasses.replace(r, sharpness=math.nan) if r.sharpness and r.seed == 5 else r for r in CUB]
    text = as_text(table4(diverged))
    assert "cub, base sharpness with base accuracy: no r: base sharpness diverged at 4 of 12 points." in text
    assert "nan" not in text


def test_correlations_have_columns_of_intervals_where_these_were_drawn():
    found = correlations(CUB, augment=True, bootstrap=200, seed=7)
    rows = records(correlation_table(found, augment=True, bootstrap=200, seed=7))
    assert len(rows) == 8
    for row, correlation in zip(rows, found, strict=True):
        assert (float(row["low"]), float(row["high"])) == correlation.interval
    text = as_text(correlation_table(found, augment=True, bootstrap=200, seed=7))
    assert "over augmented MAML runs: cub" in text
    assert "95 % percentile interval of r over 200 draws of the points with replacement, seed 7." in text
    plain = as_text(correlation_table(correlations(CUB)))
    assert "low" not in plain
    assert "p would hold for independent points" in plain


# --- Tables 7 and 8


@pytest.mark.parametrize("data", [MINI, CUB], ids=["table 7", "table 8"])
def test_every_sharpness_that_the_thesis_prints_is_beside_ours(data):
    rows = records(sharpness_table(data))
    assert len(rows) == 16
    for row in rows:
        setting = (row["data"], row["split"], row["backbone"], row["aug"] == "yes")
        printed = published.sharpness()[setting]
        seeds = {
            r.seed: r
            for r in data
            if (r.data, r.split, r.backbone, r.augment) == setting and (r.method, r.checkpoint) == ("maml", "best")
        }
        assert row["n"] == "3"
        assert [float(row[f"seed {seed}"]) for seed in (5, 6, 7)] == pytest.approx(
            [10 * seeds[seed].sharpness for seed in (5, 6, 7)]
        )
        mean = sum(10 * r.sharpness for r in seeds.values()) / 3
        half = sum(10 * r.sharpness_ci95 for r in seeds.values()) / 3
        assert [float(row[name]) for name in ("sharpness", "±")] == pytest.approx([mean, half])
        assert [float(row[name]) for name in ("thesis", "± thesis")] == pytest.approx(
            [10 * printed.mean, 10 * printed.plus_minus]
        )
        assert float(row["diff"]) == pytest.approx(mean - 10 * printed.mean)


def test_a_row_of_table_8_as_it_is_read():
    (line,) = [
        line for line in as_text(sharpness_table(CUB)).splitlines() if line.startswith("cub   base   no   conv4")
    ]
    assert line.split()[4:] == ["2.712", "0.179", "0.206", "3", "2.863", "2.796", "2.477", "2.654", "0.178", "+0.058"]
    assert "n: number of seeds (3); 100 tasks per seed." in as_text(sharpness_table(CUB))


def test_what_is_missing_alone_or_diverged_is_told_apart():
    table = sharpness_table(
        [
            result(5, 0.25, 0.01, data="cub"),
            result(6, data="cub"),
            result(5, math.nan, math.nan, data="cub", backbone="conv6"),
            result(5, 0.1, data="cub", backbone="resnet10"),
        ]
    )
    lines = [line.split()[2:] for line in as_text(table).splitlines() if line.startswith("cub   novel  no ")]
    assert [line[1:] for line in lines] == [
        ["conv4", "2.500", "0.100", "–", "1", "2.500", "3.185", "0.203", "-0.685"],
        ["conv6", "diverged", "diverged", "–", "1", "diverged", "2.940", "0.218", "–"],
        ["resnet10", "1.000", "–", "–", "1", "1.000", "4.189", "0.452", "-3.189"],
        ["resnet18", "–", "–", "–", "–", "–", "5.798", "0.352", "–"],
    ]
    assert "100 tasks per seed; without sharpness, hence not in it: 1." in as_text(table)


def test_sharpness_of_a_data_set_that_the_thesis_lacks():
    rows = records(sharpness_table([result(5, 0.1, 0.01), result(6, 0.2, 0.01, split="base", augment=True)]))
    assert [(r["split"], r["aug"], r["sharpness"]) for r in rows] == [
        *(("base", "no", ""), ("base", "yes", "2.0")),
        *(("novel", "no", "1.0"), ("novel", "yes", "")),
    ]
    assert "thesis" not in rows[0]
    unknown = dataclasses.replace(result(5, 0.1), sharpness_tasks=0)
    assert "number of tasks unknown." in as_text(sharpness_table([unknown]))
    assert "100 tasks per seed; unknown for 1." in as_text(sharpness_table([unknown, result(6, 0.1)]))


def test_results_of_no_or_of_two_data_sets_are_refused():
    with pytest.raises(
        MissingError, match=r"no sharpness of best checkpoints of MAML runs .*; measure it with `raymaml sharpness"
    ):
        sharpness_table([result(5), result(5, 0.1, method="transfer"), result(5, 0.1, checkpoint="last")])
    with pytest.raises(SpecError, match="one data set, not cub, miniimagenet: name one with --data"):
        sharpness_table(published.runs())
