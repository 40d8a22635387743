"""The grid cut into blocks of whole Zarr chunks: integers only, no torch, no storage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Range = tuple[int, int]  # start, stop

BLOCK_TASKS = 25  # where a block is a patch of 2 x 2 points, or a share of the tasks of one point
BLOCK_EVALUATIONS = 100  # 2-4 s for Conv4 at 28 px on one core: what a crash can lose


@dataclass(frozen=True)
class Block:
    """A box of cells (task, alpha, beta) that one actor evaluates and writes as one chunk."""

    task: Range
    alpha: Range
    beta: Range

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Where the block lies in an array (task, alpha, beta)."""
        return slice(*self.task), slice(*self.alpha), slice(*self.beta)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of tasks, alphas and betas."""
        return tuple(stop - start for start, stop in (self.task, self.alpha, self.beta))  # type: ignore[return-value]

    @property
    def evaluations(self) -> int:
        """Number of cells."""
        tasks, alphas, betas = self.shape
        return tasks * alphas * betas


@dataclass(frozen=True)
class Plan:
    """How an array (task, alpha, beta) is cut: blocks on a regular lattice, cut short at the edges."""

    shape: tuple[int, int, int]
    block_shape: tuple[int, int, int]

    def ranges(self) -> tuple[list[Range], list[Range], list[Range]]:
        """Where the blocks start and stop along tasks, alphas and betas."""
        tasks, alphas, betas = (
            [(start, min(start + step, size)) for start in range(0, size, step)]
            for size, step in zip(self.shape, self.block_shape, strict=True)
        )
        return tasks, alphas, betas

    def blocks(self) -> Iterator[Block]:
        """Every block, from coarse to fine: all blocks of a level (see `levels_of`) before the next level.

        Within a level the alphas are refined first, so that each half of it ends in a whole lattice too. All tasks of a
        part of the grid come before the next part.
        """
        tasks, alphas, betas = self.ranges()
        along_alpha, along_beta = levels_of(len(alphas)), levels_of(len(betas))
        for level in range(max(depth(len(alphas)), depth(len(betas)))):
            for new_beta in (False, True):
                rows = [
                    a for a, at in zip(alphas, along_alpha, strict=True) if (at <= level if new_beta else at == level)
                ]
                columns = [
                    b for b, at in zip(betas, along_beta, strict=True) if (at == level if new_beta else at < level)
                ]
                yield from (Block(task, alpha, beta) for alpha in rows for beta in columns for task in tasks)

    def block_of(self, cell: tuple[int, int, int]) -> Block:
        """The block that a cell (task, alpha, beta) lies in."""
        starts = (at // step * step for at, step in zip(cell, self.block_shape, strict=True))
        return Block(
            *((s, min(s + step, size)) for s, step, size in zip(starts, self.block_shape, self.shape, strict=True))
        )

    def holds(self, block: Block) -> bool:
        """Whether the block is one of `blocks()`."""
        axes = zip((block.task, block.alpha, block.beta), self.block_shape, self.shape, strict=True)
        return all(
            start % step == 0 and 0 <= start < size and stop == min(start + step, size)
            for (start, stop), step, size in axes
        )


def depth(count: int) -> int:
    """How many levels it takes to reach each of `count` places; see `levels_of`."""
    return max(1, (count - 2).bit_length()) if count > 1 else 1


def levels_of(count: int) -> list[int]:
    """The level of each of `count` places along an axis: level 0 is both ends and the middle.

    Level l has the places k (count - 1) / 2^(l + 1), rounded down: each level halves the gaps of the one before, and
    gaps of a level differ by at most 1. All gaps are 1 after `depth(count)` levels.
    """
    found = [0] * count
    for level in reversed(range(depth(count))):
        for k in range(2 ** (level + 1) + 1):
            found[k * (count - 1) >> (level + 1)] = level
    return found


def plan_of(tasks: int, alphas: int, betas: int, *, shared: bool = False) -> Plan:
    """Cut a grid into blocks of at most BLOCK_EVALUATIONS cells: all tasks of one point, or of 2 x 2 points.

    Blocks as small as a point make a lattice of single points, from coarse to fine. A 51 x 51 grid of 100 tasks has
    2,601 blocks of 100 x 1 x 1, and 10,404 chunks in its four arrays; 25 x 1 x 4 made 2,652 and 10,608. With up to 25
    tasks a block of one point would be too little work for its four files, hence 2 x 2 points: 2,704 chunks.

    Args:
        tasks: at each point.
        alphas: of the grid.
        betas: of the grid.
        shared: whether the points of a block share an adaptation, as around the adapted weights: 2 x 2 points always.
    """
    one_point = alphas * betas == 1
    side = 2 if (shared or tasks <= BLOCK_TASKS) and not one_point else 1
    most = BLOCK_TASKS if side == 2 or one_point else BLOCK_EVALUATIONS  # an evaluation is shared by many actors
    parts = -(-tasks // most)
    return Plan((tasks, alphas, betas), (-(-tasks // parts), min(side, alphas), min(side, betas)))
