"""The order of the blocks, and interpolation between what is computed."""

import itertools

import numpy as np
import pytest

from raymaml.landscape.lattice import Lattice, fill
from raymaml.landscape.plan import Plan, depth, levels_of, plan_of

PLANS = [
    plan_of(100, 51, 51),
    plan_of(3, 21, 10),
    plan_of(30, 7, 1),
    Plan((4, 9, 13), (3, 1, 4)),
]  # the last: as before


def plane(plan, function=lambda a, b: 0.3 + 2 * a - b + 1.5 * a * b):
    """A bilinear function on the grid."""
    a, b = np.meshgrid(*(np.linspace(-1, 1, size) for size in plan.shape[1:]), indexing="ij")
    return function(a, b)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 6, 7, 21, 51, 100])
def test_each_level_halves_the_gaps_from_both_ends_and_the_middle(count):
    levels = np.array(levels_of(count))
    assert set(np.flatnonzero(levels == 0)) == {0, (count - 1) // 2, count - 1}
    for level in range(depth(count)):
        gaps = np.diff(np.flatnonzero(levels <= level))
        exact = (count - 1) / 2 ** (level + 1)
        assert all(np.floor(exact) <= gap <= np.ceil(exact) for gap in gaps)
    assert max(levels) <= depth(count) - 1


@pytest.mark.parametrize("plan", PLANS)
def test_the_blocks_so_far_hold_a_whole_lattice_of_every_level_that_is_behind_them(plan):
    lattice, done = Lattice.of(plan), np.zeros(plan.shape, bool)
    reached = []
    for block in plan.blocks():
        done[block.slices] = True
        points = done.all(axis=0)
        whole = [level for level in range(lattice.depth) if points[lattice.points(level)].all()]
        assert whole == list(range(len(whole)))
        next_level = lattice.points(min(len(whole), lattice.depth - 1))
        assert done.any(axis=0).sum() == done.any(axis=0)[next_level].sum()  # nothing finer than the level in work
        reached.append(len(whole))
    assert done.all()
    assert reached[-1] == lattice.depth


def test_half_a_level_is_a_lattice_too():
    plan = plan_of(1, 9, 9)
    plan = Plan(plan.shape, (1, 1, 1))
    blocks = list(plan.blocks())
    rows = {(b.alpha[0], b.beta[0]) for b in blocks[: 9 + 6]}  # 3 x 3, then the new alphas of 5 x 5
    assert rows == set(itertools.product([0, 2, 4, 6, 8], [0, 4, 8]))


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_bilinear_function_is_filled_exactly(plan, share):
    lattice, values = Lattice.of(plan), plane(plan)
    done = np.random.default_rng(0).uniform(size=values.shape) < share
    done[lattice.points(0)] = True
    filled = fill(np.where(done, values, 7.0), done, lattice)
    np.testing.assert_allclose(filled, values, rtol=0, atol=1e-14)
    assert np.array_equal(filled[done], values[done])


def test_nothing_is_filled_beyond_what_is_computed_or_from_what_diverged():
    plan = Plan((1, 9, 9), (1, 1, 1))
    lattice, values = Lattice.of(plan), plane(plan)
    done = np.zeros((9, 9), bool)
    done[:5, ::4] = True  # an older store: alpha by alpha, and stopped half-way
    filled = fill(values, done, lattice)
    np.testing.assert_allclose(filled[:5], values[:5], atol=1e-14)
    assert np.isnan(filled[5:]).all()
    values[0, 0], values[4, 8] = np.inf, np.nan
    filled = fill(values, done, lattice)
    assert np.isnan(filled[0, 0])
    assert np.isnan(filled[4, 8])
    assert np.isnan(filled[:4, 1:4]).all()  # in the cell of the corner (0, 0)
    assert np.isfinite(filled[4, :5]).all()
    np.testing.assert_allclose(filled[1:4, 4], values[1:4, 4], atol=1e-14)


def test_what_a_level_adds_is_used_before_what_is_farther_away():
    plan = Plan((1, 9, 9), (1, 1, 1))
    values = np.zeros((9, 9))
    values[2, 0] = 1.0  # of the second level
    done = np.zeros((9, 9), bool)
    done[::4, ::4] = done[2, 0] = True
    filled = fill(values, done, Lattice.of(plan))
    assert filled[1, 0] == filled[3, 0] == 0.5
    assert filled[2, 1] == 0.5
    assert filled[6, 0] == 0.0
