"""Correlations against the slow way, and what is said where there is none."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

from raymaml import published, streams
from raymaml.correlation import PAIRS, Variable, X, Y, correlations, remarks
from raymaml.errors import MissingError, SpecError
from raymaml.results import Result

SHARP, LOSS, ACCURACY = Variable("base", "sharpness"), Variable("base", "loss"), Variable("novel", "accuracy")
PAIR = [(SHARP, ACCURACY)]


def run(seed, sharpness, accuracy, loss=1.0, **changes):
    """The base and the novel result of one run: its base sharpness and loss, its novel accuracy."""
    values = {"data": "a", "method": "maml", "backbone": "conv4", "augment": False, "checkpoint": "best", **changes}
    shared = {**values, "seed": seed, "accuracy_ci95": 0.0, "tasks": 4}
    return [
        Result(**shared, split="base", accuracy=0.5, loss=loss, sharpness=sharpness),
        Result(**shared, split="novel", accuracy=accuracy, loss=1.0),
    ]


def runs(*values):
    return list(itertools.chain.from_iterable(run(seed, *value) for seed, value in enumerate(values)))


def slow_r(x, y):
    """Pearson's r from its definition, term by term."""
    mx, my = sum(x) / len(x), sum(y) / len(y)
    above = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return above / math.sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))


def slow_p(r, n):
    """Two-sided p: the density of Student's t with n - 2 degrees of freedom, summed from |t| outwards."""
    nu, t = n - 2, abs(r) * math.sqrt((n - 2) / (1 - r * r))
    scale = math.gamma((nu + 1) / 2) / (math.sqrt(nu * math.pi) * math.gamma(nu / 2))
    angles = np.linspace(math.atan(t), math.pi / 2, 200_001)[:-1]  # t = tan(angle) reaches infinity
    width = (math.pi / 2 - math.atan(t)) / 200_000
    middle = np.tan(angles + width / 2)
    return 2 * scale * width * float(np.sum((1 + middle**2 / nu) ** (-(nu + 1) / 2) * (1 + middle**2)))


POINTS = [(0.1, 0.9), (0.2, 0.7), (0.35, 0.75), (0.5, 0.4), (0.45, 0.65)]


def test_r_and_p_against_the_slow_way():
    (found,) = correlations(runs(*POINTS), PAIR)
    x, y = zip(*POINTS, strict=True)
    assert found.r == pytest.approx(slow_r(x, y), rel=1e-12)
    assert found.p == pytest.approx(slow_p(found.r, 5), rel=1e-6)
    assert (found.data, found.x, found.y, found.n, found.interval, found.remarks) == (
        *("a", SHARP, ACCURACY, 5, None),
        (),
    )


def test_a_negative_and_a_positive_line_have_r_of_one():
    falling = correlations(runs((0.1, 0.3), (0.2, 0.2), (0.3, 0.1)), PAIR)[0]
    rising = correlations(runs((0.1, 0.1), (0.2, 0.2), (0.3, 0.3)), PAIR)[0]
    assert (falling.r, rising.r) == (pytest.approx(-1), pytest.approx(1))
    assert max(falling.p, rising.p) < 1e-6


def test_each_variable_is_what_its_name_says():
    results = published.runs()
    mini = {
        (r.backbone, r.augment, r.seed, r.split): r
        for r in results
        if (r.data, r.method, r.checkpoint) == ("miniimagenet", "maml", "best")
    }
    keys = sorted({key[:3] for key in mini})
    found = {(c.x, c.y): c for c in correlations(results) if c.data == "miniimagenet"}
    assert list(found) == list(PAIRS) == [(x, y) for x in X for y in Y]
    for (x, y), correlation in found.items():
        xs = [getattr(mini[(*key, x.split)], x.quantity) for key in keys]
        ys = [mini[(*key, y.split)].accuracy for key in keys]
        assert correlation.n == 24
        assert correlation.r == pytest.approx(slow_r(xs, ys), rel=1e-9)


def test_augmented_runs_only_or_others_only():
    for augment in (True, False):
        some = [r for r in published.runs() if r.augment == augment]
        assert correlations(published.runs(), augment=augment) == correlations(some)
        assert {c.n for c in correlations(some)} == {12}
    with pytest.raises(MissingError, match="no results of best checkpoints of augmented MAML runs on base or novel"):
        correlations(runs(*POINTS), augment=True)


def test_other_methods_checkpoints_and_splits_do_not_count_nor_does_the_order():
    results = runs(*POINTS)
    others = [
        *run(9, 0.9, 0.9, method="transfer"),
        *run(9, 0.9, 0.9, checkpoint="last"),
        dataclasses.replace(results[0], seed=9, split="val"),
    ]
    assert correlations([*others, *results[::-1]], bootstrap=100) == correlations(results, bootstrap=100)
    with pytest.raises(MissingError, match="no results of best checkpoints of MAML runs"):
        correlations(others)


def test_a_seed_that_is_there_twice_is_refused():
    with pytest.raises(SpecError, match="two results of seed 0 of maml conv4"):
        correlations([*runs(*POINTS), *run(0, 0.1, 0.1)])


# --- no r, and why


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("values", "n", "expected"),
    [
        (POINTS[:2], 2, ("no r of 2 points: at least 3 are needed",)),
        ([(0.2, 0.1), (0.2, 0.5), (0.2, 0.9)], 3, ("no r: base sharpness is the same at all 3 points",)),
        ([(0.1, 0.5), (0.2, 0.5), (0.3, 0.5)], 3, ("no r: novel accuracy is the same at all 3 points",)),
        ([(0.1, 0.5), (0.1 + 1e-16, 0.6), (0.1, 0.7)], 3, ("no r: base sharpness is the same at all 3 points",)),
        ([*POINTS, (math.nan, 0.1), (math.nan, 0.2)], 7, ("no r: base sharpness diverged at 2 of 7 points",)),
        ([*POINTS, (None, 0.1)], 5, ("1 of 6 points have no base sharpness",)),
        (
            [*POINTS[:2], (None, 0.1)],
            *(2, ("1 of 3 points have no base sharpness", "no r of 2 points: at least 3 are needed")),
        ),
    ],
)
def test_why_there_is_no_r_is_said(values, n, expected):
    (found,) = correlations(runs(*values), PAIR, bootstrap=100)
    assert (found.n, found.remarks) == (n, expected)
    undefined = any("no r" in text for text in expected)
    assert ((found.r is None), (found.p is None), (found.interval is None)) == (undefined,) * 3
    assert remarks([found]) == (f"a, base sharpness with novel accuracy: {'; '.join(expected)}.",)


def test_an_infinite_loss_has_diverged():
    results = runs(*((*values, 1.0 + i) for i, values in enumerate(POINTS)), (0.3, 0.3, math.inf))
    found = {c.x: c for c in correlations(results, [(LOSS, ACCURACY), (SHARP, ACCURACY)])}
    assert found[LOSS].remarks == ("no r: base loss diverged at 1 of 6 points",)
    assert found[SHARP].r is not None


def test_a_split_that_was_not_evaluated_is_said():
    novel = [r for r in runs(*POINTS) if r.split == "novel"]
    (found,) = correlations(novel, [(LOSS, ACCURACY)])
    assert (found.n, found.remarks) == (
        0,
        ("5 of 5 points have no base loss", "no r of 0 points: at least 3 are needed"),
    )


# --- the bootstrap


def slow_interval(x, y, draws, seed, data):
    numbers = streams.uniforms(draws * len(x), "correlation", seed, data)
    rs = []
    for draw in range(draws):
        chosen = [math.floor(len(x) * u) for u in numbers[draw * len(x) : (draw + 1) * len(x)]]
        xs, ys = [x[i] for i in chosen], [y[i] for i in chosen]
        if len(set(xs)) > 1 and len(set(ys)) > 1:
            rs.append(slow_r(xs, ys))
    rs.sort()
    return [at(rs, 0.025), at(rs, 0.975)], draws - len(rs)


def at(ordered, share):
    """Percentile by linear interpolation between the two nearest."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def test_the_interval_against_the_slow_way():
    (found,) = correlations(runs(*POINTS), PAIR, bootstrap=300, seed=4)
    expected, flat = slow_interval(*zip(*POINTS, strict=True), 300, 4, "a")
    assert found.interval == pytest.approx(expected, rel=1e-9)
    assert found.remarks == ((f"{flat} of 300 draws are constant and left out of the interval",) if flat else ())
    assert found.interval[0] < found.r < found.interval[1]


def test_draws_of_one_point_alone_are_counted():
    (found,) = correlations(runs(*POINTS[:3]), PAIR, bootstrap=500)
    expected, flat = slow_interval(*zip(*POINTS[:3], strict=True), 500, 0, "a")
    assert 30 < flat < 90  # one in nine is expected
    assert found.remarks == (f"{flat} of 500 draws are constant and left out of the interval",)
    assert found.interval == pytest.approx(expected, rel=1e-9)


def test_draws_depend_on_the_seed_alone():
    one, again, other = (correlations(runs(*POINTS), PAIR, bootstrap=200, seed=s)[0].interval for s in (1, 1, 2))
    assert one == again != other
    among = correlations([*runs(*POINTS), *run(1, 0.3, 0.3, data="b")], bootstrap=200, seed=1)
    assert one in [c.interval for c in among]


def test_a_number_of_draws_that_cannot_be_is_refused():
    for draws in (1, 99, 100_001):
        with pytest.raises(SpecError, match=f"a bootstrap needs 100 to 100,000 draws, got {draws}"):
            correlations(runs(*POINTS), bootstrap=draws)
