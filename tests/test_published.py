"""The published numbers, against each other and against values worked out by hand."""

import math

import pytest

from raymaml import published
from raymaml.correlation import correlations
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


def test_the_best_checkpoints_of_maml_have_a_sharpness():
    records = published.runs()
    known = [r for r in records if r.sharpness is not None]
    assert len(known) == 96
    assert {(r.method, r.checkpoint, r.sharpness_tasks) for r in known} == {("maml", "best", 100)}
    first = ("cub", "conv4", False, 5, "base")
    (one,) = [r for r in known if (r.data, r.backbone, r.augment, r.seed, r.split) == first]
    assert (one.sharpness, one.sharpness_ci95) == (0.28633457, 0.02102655)


def cut(value, digits):
    """Cut, not rounded, as the thesis does."""
    return math.trunc(value * 10**digits) / 10**digits


def one_digit(p):
    """p to one digit, cut and rounded: the thesis does the one or the other."""
    exponent = math.floor(math.log10(p))
    return {float(f"{number}e{exponent}") for number in (math.floor(p / 10.0**exponent), round(p / 10.0**exponent))}


def computed(number):
    """Our correlation for each cell of Table 3 or 4."""
    found = correlations(published.runs(), augment=True if number == 4 else None)
    return {(c.data, *c.x, c.y.split): c for c in found}


@pytest.mark.parametrize(("number", "n"), [(3, 24), (4, 12)])
def test_correlations_with_loss_have_the_printed_digits(number, n):
    ours = computed(number)
    printed = {key: cell for key, cell in published.correlations(number).items() if key[2] == "loss"}
    assert len(printed) == 6
    for key, cell in printed.items():
        misprint = (number, key) == (4, ("cub", "base", "loss", "novel"))
        assert cut(ours[key].r, 2) == (-0.97 if misprint else cell.r), key
        assert cell.p in one_digit(ours[key].p), key
        assert ours[key].n == n


def test_p_is_rounded_in_three_cells_and_cut_in_the_others():
    rounded = [
        (number, *key)
        for number in (3, 4)
        for key, cell in published.correlations(number).items()
        if key[2] == "loss" and cell.p > computed(number)[key].p
    ]
    assert rounded == [
        (3, "miniimagenet", "base", "loss", "base"),
        (3, "miniimagenet", "novel", "loss", "novel"),
        (3, "cub", "base", "loss", "base"),
    ]


def test_the_misprint_of_table_4():
    cell = published.correlations(4)["cub", "base", "loss", "novel"]
    ours = computed(4)["cub", "base", "loss", "novel"]
    assert (cell.r, cell.p) == (-0.95, 1e-7)
    assert ours.r == pytest.approx(-0.9706, abs=5e-5)
    assert ours.p == pytest.approx(1.65e-7, abs=5e-10)


def test_correlations_with_sharpness_are_near_the_printed_ones():
    away, digits = {}, 0
    for number in (3, 4):
        for key, cell in published.correlations(number).items():
            if key[2] == "sharpness":
                away[(number, *key)] = abs(computed(number)[key].r - cell.r)
                digits += cell.p in one_digit(computed(number)[key].p)
    assert (len(away), digits) == (12, 6)
    assert away.pop((4, "cub", "novel", "sharpness", "novel")) == pytest.approx(0.1494, abs=1e-4)
    assert max(away.values()) < 0.021


def test_sharpness_is_near_the_printed_one(summaries):
    printed = published.sharpness()
    assert len(printed) == 32
    relative = []
    for (data, split, backbone, augment), cell in printed.items():
        summary = summaries[Cell(data, "maml", backbone, augment, split, "best")]
        assert summary.sharpness == pytest.approx(cell.mean, abs=0.016)
        assert summary.sharpness_ci95 == pytest.approx(cell.plus_minus, abs=0.003)
        relative.append(abs(summary.sharpness / cell.mean - 1))
    assert sum(share < 0.03 for share in relative) == 26
    assert max(relative) == pytest.approx(0.151, abs=1e-3)


def test_sharpness_by_hand(summaries):
    summary = summaries[Cell("cub", "maml", "resnet18", True, "novel", "best")]
    assert summary.sharpness == pytest.approx((0.21110543 + 0.31797867 + 0.25862843) / 3, rel=1e-12)


def test_tables_3_4_7_and_8_are_typed_in_whole():
    # Sums of the printed columns, added up from the page: a typing error in any cell shows.
    for number, r, logarithms in ((3, -8.30, -94.7924), (4, -9.15, -70.7167)):
        cells = published.correlations(number)
        assert len(cells) == 12
        assert sum(cell.r for cell in cells.values()) == pytest.approx(r, abs=1e-9)
        assert sum(math.log10(cell.p) for cell in cells.values()) == pytest.approx(logarithms, abs=1e-4)
    sharpness = published.sharpness()
    for data, mean, plus_minus in (("miniimagenet", 3.227, 0.2170), ("cub", 3.6773, 0.3249)):
        cells = [cell for key, cell in sharpness.items() if key[0] == data]
        assert len(cells) == 16
        assert sum(cell.mean for cell in cells) == pytest.approx(mean, abs=1e-9)
        assert sum(cell.plus_minus for cell in cells) == pytest.approx(plus_minus, abs=1e-9)


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
