import numpy as np
import pytest

from raymaml.landscape.plan import Block, Plan, plan_of


@pytest.mark.parametrize(
    ("shape", "block"),
    [((3, 3, 2), (2, 1, 2)), ((100, 51, 51), (25, 1, 4)), ((1, 1, 1), (1, 1, 1)), ((7, 2, 9), (3, 2, 4))],
)
def test_blocks_cover_every_cell_once(shape, block):
    count = np.zeros(shape, int)
    for b in Plan(shape, block).blocks():
        count[b.slices] += 1
        assert count[b.slices].shape == b.shape
        assert Plan(shape, block).holds(b)
        assert all(start % step == 0 for (start, _), step in zip((b.task, b.alpha, b.beta), block, strict=True))
    assert (count == 1).all()


@pytest.mark.parametrize(
    "block",
    [
        Block((0, 2), (0, 1), (1, 2)),
        Block((0, 1), (0, 1), (0, 2)),
        Block((2, 4), (0, 1), (0, 2)),
        Block((4, 6), (0, 1), (0, 2)),
    ],
    ids=["shifted", "short", "beyond the edge", "outside"],
)
def test_other_boxes_are_not_held(block):
    assert not Plan((3, 3, 4), (2, 1, 2)).holds(block)


def test_all_tasks_of_a_part_of_the_grid_come_first():
    blocks = list(Plan((4, 2, 2), (2, 1, 2)).blocks())
    assert blocks[:2] == [Block((0, 2), (0, 1), (0, 2)), Block((2, 4), (0, 1), (0, 2))]


@pytest.mark.parametrize(
    ("tasks", "alphas", "betas"), [(100, 51, 51), (10, 11, 11), (1, 40, 40), (150, 3, 2), (4, 1, 1)]
)
def test_a_block_is_a_few_seconds_of_work(tasks, alphas, betas):
    plan = plan_of(tasks, alphas, betas)
    assert plan.shape == (tasks, alphas, betas)
    assert all(b.evaluations <= 100 for b in plan.blocks())
    assert all(b <= s for b, s in zip(plan.block_shape, plan.shape, strict=True))


@pytest.mark.parametrize(
    ("shape", "block"),
    [
        ((100, 51, 51), (100, 1, 1)),
        ((150, 51, 51), (75, 1, 1)),
        ((25, 51, 51), (25, 2, 2)),
        ((1, 41, 41), (1, 2, 2)),
        ((1000, 1, 1), (25, 1, 1)),
        ((3, 1, 9), (3, 1, 2)),
    ],
)
def test_a_block_is_all_tasks_of_a_point_or_of_four(shape, block):
    assert plan_of(*shape).block_shape == block


def test_blocks_whose_points_share_an_adaptation_have_four():
    assert plan_of(100, 51, 51, shared=True).block_shape == (25, 2, 2)


def test_a_grid_of_points_has_no_more_chunks_than_rows_of_four_had():
    point, row = plan_of(100, 51, 51), Plan((100, 51, 51), (25, 1, 4))
    assert (len(list(point.blocks())), len(list(row.blocks()))) == (2601, 2652)
    assert len(list(plan_of(25, 51, 51).blocks())) == 676


def test_a_block_counts_its_cells():
    assert Block((0, 3), (1, 2), (4, 8)).evaluations == 12
