"""The grid cut into blocks of whole Zarr chunks: integers only, no torch, no storage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

Range = tuple[int, int]  # start, stop

BLOCK_TASKS = 25  # the fewest whole chunks for the usual 10, 25, 50 or 100 tasks
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

    def blocks(self) -> Iterator[Block]:
        """Every block, all tasks of a part of the grid before the next part."""
        tasks, alphas, betas = (
            [(start, min(start + step, size)) for start in range(0, size, step)]
            for size, step in zip(self.shape, self.block_shape, strict=True)
        )
        return (Block(task, alpha, beta) for alpha in alphas for beta in betas for task in tasks)

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


def plan_of(tasks: int, alphas: int, betas: int) -> Plan:
    """Cut a grid into blocks of at most about BLOCK_EVALUATIONS cells along one row of the grid."""
    block_tasks = min(tasks, BLOCK_TASKS)
    block_betas = max(1, min(betas, BLOCK_EVALUATIONS // block_tasks))
    return Plan((tasks, alphas, betas), (block_tasks, 1, block_betas))
