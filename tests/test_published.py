"""The published numbers, against each other and against values worked out by hand."""

import math

import pytest

from raymaml import published
from raymaml.results import BACKBONES, Cell, over_seeds

# Recipe 2.6: means over seeds, accuracy in % / query loss, of: base best, base last, novel best, novel last.
RECIPE = """
miniimagenet conv4 no 58.4/1.06 62.2/0.98 45.6/1.33 44.2/1.39
miniimagenet conv4 aug 54.7/1.13 55.1/1.13 45.3/1.30 45.5/1.30
miniimagenet conv6 no 63.7/0.93 86.0/0.41 47.2/1.31 38.8/2.08
miniimagenet conv6 aug 66.2/0.88 67.0/0.87 51.3/1.19 51.6/1.18
miniimagenet resnet10 no 72.1/0.76 97.9/0.08 49.4/1.30 43.2/2.21
miniimagenet resnet10 aug 77.7/0.63 80.3/0.56 54.2/1.17 53.6/1.20
miniimagenet resnet18 no 65.5/0.89 97.9/0.08 48.8/1.27 44.2/2.33
miniimagenet resnet18 aug 70.5/0.78 70.9/0.77 52.0/1.18 51.8/1.18
cub conv4 no 67.7/0.85 88.7/0.35 53.2/1.22 44.1/1.69
cub conv4 aug 64.1/0.92 64.4/0.92 56.4/1.09 56.1/1.10
cub conv6 no 78.0/0.59 98.4/0.06 56.4/1.17 48.5/2.43
cub conv6 aug 82.8/0.50 83.4/0.49 66.5/0.88 65.6/0.91
cub resnet10 no 98.1/0.08 99.9/0.01 56.3/1.61 54.5/2.03
cub resnet10 aug 94.9/0.19 97.2/0.12 69.8/0.82 70.3/0.81
cub resnet18 no 99.4/0.02 99.2/0.04 55.5/2.19 54.5/2.51
cub resnet18 aug 94.7/0.21 98.0/0.09 70.4/0.85 69.3/0.93
"""


@pytest.fixture(scope="module")
def summaries():
    return over_seeds(published.runs())


def test_there_are_286_records_of_96_runs():
    records = published.runs()
    assert len(records) == 286
    assert len({(r.data, r.method, r.backbone, r.augment, r.seed) for r in records}) == 96
    assert {r.seed for r in records} == {5, 6, 7}
    assert {r.tasks for r in records} == {1000}
    assert all(math.isfinite(r.loss) for r in records)


def test_the_means_over_seeds_are_those_of_the_recipe(summaries):
    for line in RECIPE.split("\n")[1:-1]:
        data, backbone, augment, *cells = line.split()
        places = [("base", "best"), ("base", "last"), ("novel", "best"), ("novel", "last")]
        for (split, checkpoint), cell in zip(places, cells, strict=True):
            summary = summaries[Cell(data, "maml", backbone, augment == "aug", split, checkpoint)]
            accuracy, loss = map(float, cell.split("/"))
            assert 100 * summary.accuracy == pytest.approx(accuracy, abs=0.0501), line
            assert summary.loss == pytest.approx(loss, abs=0.00501), line


@pytest.mark.parametrize(
    ("data", "backbone", "augment", "by_hand"),
    [
        ("cub", "conv4", False, (52.45 + 53.49 + 53.80) / 3),  # 53.2467, printed 53.24
        ("miniimagenet", "conv6", False, (47.46 + 47.79 + 46.46) / 3),  # 47.2367, printed 47.23
        ("miniimagenet", "resnet10", True, (53.88 + 55.06 + 53.59) / 3),  # 54.1767, printed 54.17
        ("cub", "resnet18", True, (69.27 + 72.03 + 69.98) / 3),  # 70.4267, printed 70.42
    ],
)
def test_means_of_novel_accuracy_by_hand(summaries, data, backbone, augment, by_hand):
    summary = summaries[Cell(data, "maml", backbone, augment, "novel", "best")]
    assert 100 * summary.accuracy == pytest.approx(by_hand, abs=1e-9)
    printed = 100 * published.table2()[data, "maml", backbone, augment].accuracy
    assert math.floor(100 * by_hand) == round(100 * printed)


def test_the_thesis_cuts_its_maml_means_to_two_digits(summaries):
    printed = published.table2()
    cells = [(d, b, a) for d in ("cub", "miniimagenet") for b in BACKBONES for a in (False, True)]
    assert len(cells) == 16
    for data, backbone, augment in cells:
        summary = summaries[Cell(data, "maml", backbone, augment, "novel", "best")]
        table = 100 * printed[data, "maml", backbone, augment].accuracy
        assert 0 <= 100 * summary.accuracy - table + 1e-9 < 0.01


def test_its_transfer_means_and_its_intervals_are_not_those_of_its_records(summaries):
    away, intervals = [], []
    for (data, method, backbone, augment), printed in published.table2().items():
        summary = summaries[Cell(data, method, backbone, augment, "novel", "best")]
        intervals.append(100 * abs(summary.accuracy_ci95 - printed.plus_minus))
        if method == "transfer":
            away.append(100 * abs(summary.accuracy - printed.accuracy))
    assert len(away) == 16
    assert (min(away), max(away)) == (pytest.approx(0.41, abs=0.01), pytest.approx(9.30, abs=0.01))
    assert min(intervals) > 0.005  # no cell agrees to the printed digits: hence the note of the table


def test_table_2_is_typed_in_whole():
    thesis, chen = published.table2("thesis"), published.table2("chen")
    assert (len(thesis), len(chen)) == (32, 16)
    assert all(augment for *_, augment in chen)
    some = thesis["cub", "transfer", "conv4", False]
    assert (some.accuracy, some.plus_minus) == (pytest.approx(0.3583), pytest.approx(0.0017))
    some = chen["miniimagenet", "maml", "resnet18", True]
    assert (some.accuracy, some.plus_minus) == (pytest.approx(0.4961), pytest.approx(0.0092))
    # Sums of the printed columns, added up from the page: a typing error in any cell shows.
    assert sum(p.accuracy for p in thesis.values()) == pytest.approx(16.8116, abs=1e-9)
    assert sum(p.accuracy for p in chen.values()) == pytest.approx(8.8525, abs=1e-9)
