"""Which points an adaptive surface computes, and the error it states: on functions that are known."""

import dataclasses
import math

import numpy as np
import pytest

from raymaml.errors import SpecError
from raymaml.landscape.adaptive import check_tolerance, chosen, held_back, measure, needed
from raymaml.landscape.lattice import Lattice, fill
from raymaml.landscape.plan import Plan, plan_of

POINTS, PATCHES = plan_of(100, 51, 51), plan_of(10, 41, 33)
AT = (0.3, -0.2)  # of the bump


def bump(a, b):
    return 2 * np.exp(-((a - AT[0]) ** 2 + (b - AT[1]) ** 2) / 0.02)


def bowl(a, b):
    return np.exp(a) + b**2


def saddle(a, b):
    return a**2 - b**2  # in the middle of any square cell, interpolation is exact


def wall(a, b):
    return np.where(a + b > 1.1, np.inf, 0.0)


def values_of(function, plan):
    a, b = np.meshgrid(*(np.linspace(-1, 1, size) for size in plan.shape[1:]), indexing="ij")
    return function(a, b)


def compute(values, plan, tolerance, done=None, rng=None):
    """Compute what is needed until nothing is; with `rng` some of it, in random order, each time as if resumed."""
    lattice = Lattice.of(plan)
    done = np.zeros(values.shape, bool) if done is None else done.copy()
    while True:
        known = np.where(done, values, np.nan)
        asked = needed(known, done, lattice, tolerance)
        missing = np.argwhere(asked & ~_places(done, lattice))
        if not len(missing):
            return done
        if rng is not None:
            missing = rng.permutation(missing)[: rng.integers(1, 40)]
        block = np.zeros(lattice.shape, bool)
        block[tuple(missing.T)] = True
        done |= lattice.spread(block)


def _places(done, lattice):
    whole = np.logical_and.reduceat(done, [a for a, _ in lattice.alpha.ranges], axis=0)
    return np.logical_and.reduceat(whole, [b for b, _ in lattice.beta.ranges], axis=1)


@pytest.mark.parametrize("plan", [POINTS, PATCHES])
def test_only_a_narrow_bump_is_refined(plan):
    values, lattice = values_of(bump, plan), Lattice.of(plan)
    found = lattice.spread(chosen(values, compute(values, plan, 0.02), lattice, 0.02))
    a, b = np.meshgrid(*(np.linspace(-1, 1, size) for size in plan.shape[1:]), indexing="ij")
    distance = np.hypot(a - AT[0], b - AT[1])
    assert found[distance < 0.15].all()
    coarse = np.zeros(values.shape, bool)
    coarse[lattice.points(2)] = True
    # The bump exceeds the tolerance up to 0.3 from its middle; a cell that it touches is 0.5 wide, or 0.7 across.
    assert not (found & ~coarse)[distance > 1.0].any()
    assert found.mean() < 0.5


@pytest.mark.parametrize("function", [bowl, saddle])
@pytest.mark.parametrize("plan", [POINTS, PATCHES])
def test_the_error_of_a_smooth_surface_is_within_the_tolerance_and_as_stated(function, plan):
    values, lattice = values_of(function, plan), Lattice.of(plan)
    done = compute(values, plan, 0.05)
    record = measure(values, done, lattice, 0.05)
    used = lattice.spread(chosen(values, done, lattice, 0.05))
    errors = np.abs(fill(values, used, lattice) - values)
    assert 0.001 < errors.max() <= 0.05  # some error is made
    assert 0.5 * errors.max() <= record.max_error <= errors.max()
    left_out = errors[~used]
    assert record.mean_error == pytest.approx(left_out.mean(), rel=0.5)
    assert record.held_back == (lattice.spread(held_back(lattice)) & ~used).sum() >= 20
    assert record.points == done.sum() < 0.9 * values.size
    assert record.not_finite == 0


def test_a_saddle_is_not_taken_for_flat():
    coarse = compute(values_of(saddle, POINTS), POINTS, 0.5).sum()
    assert compute(values_of(saddle, POINTS), POINTS, 0.005).sum() > 3 * coarse


@pytest.mark.parametrize("function", [bump, wall])
@pytest.mark.parametrize("seed", range(3))
def test_the_points_do_not_depend_on_order_or_on_where_it_was_interrupted(function, seed):
    values = values_of(function, PATCHES)
    expected = compute(values, PATCHES, 0.02)
    assert not expected.all()
    assert np.array_equal(compute(values, PATCHES, 0.02, rng=np.random.default_rng(seed)), expected)


@pytest.mark.parametrize("function", [bump, bowl, saddle, wall])
def test_a_smaller_tolerance_computes_the_same_points_and_more(function):
    values, lattice = values_of(function, POINTS), Lattice.of(POINTS)
    before = np.zeros(values.shape, bool)
    for tolerance in (0.2, 0.05, 0.02, 0.001):
        done = compute(values, POINTS, tolerance)
        assert not (before & ~done).any()
        assert np.array_equal(compute(values, POINTS, tolerance, done=before), done)  # continued
        # What is stated is of the chosen points, whatever else is there.
        everything = np.ones(values.shape, bool)
        assert measure(values, everything, lattice, tolerance) == measure(values, done, lattice, tolerance)
        before = done


def test_what_diverged_is_refined_around():
    values, lattice = values_of(wall, POINTS), Lattice.of(POINTS)
    done = compute(values, POINTS, 0.02)
    edge = np.isinf(values) & ~np.isinf(np.roll(values, 1, axis=0))
    edge[0] = False
    assert done[edge].all()
    assert done[np.isinf(values)].all()  # nothing is interpolated from what is not finite
    record = measure(values, done, lattice, 0.02)
    assert (record.max_error, record.not_finite) == (0.0, 0)
    assert done.mean() < 0.5
    nothing = np.full(values.shape, math.nan)
    assert compute(nothing, POINTS, 0.02).all()


def test_held_back_points_decide_nothing():
    values, lattice = values_of(bowl, POINTS), Lattice.of(POINTS)
    expected = compute(values, POINTS, 0.05)
    used = lattice.spread(chosen(values, expected, lattice, 0.05))
    wild = values.copy()
    wild[expected & ~used] += 100.0
    assert np.array_equal(compute(wild, POINTS, 0.05), expected)
    record = measure(wild, expected, lattice, 0.05)
    assert record.max_error == pytest.approx(100, abs=0.05)
    wild[expected & ~used] = math.nan
    record = measure(wild, expected, lattice, 0.05)
    assert (record.max_error, record.mean_error, record.not_finite) == (None, None, record.held_back)


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (5, 3), (1, 40)])
def test_grids_of_any_shape_come_to_an_end(shape):
    plan = Plan((1, *shape), (1, 1, 1))
    values, lattice = values_of(bowl, plan), Lattice.of(plan)
    done = compute(values, plan, 1e-9)
    assert done.all()
    record = measure(values, done, lattice, 1e-9)
    assert (record.points, record.held_back, record.max_error) == (values.size, 0, None)
    assert "no point was left to check" in record.text()


def test_the_record_in_words():
    values, lattice = values_of(bowl, POINTS), Lattice.of(POINTS)
    record = measure(values, compute(values, POINTS, 0.05), lattice, 0.05)
    record = dataclasses.replace(record, points=926, held_back=73, max_error=0.0123, mean_error=0.004)
    assert record.text() == (
        "926 of 2,601 points, tolerance 0.05 nats; interpolation error on 73 held-back points: "
        "mean 0.004, at most 0.012 nats"
    )


@pytest.mark.parametrize("tolerance", [0.0, -0.1, math.nan, math.inf])
def test_what_is_no_tolerance_is_refused(tolerance):
    with pytest.raises(SpecError, match="--adaptive needs a tolerance in nats above 0, such as 0.02, got"):
        check_tolerance(tolerance)
