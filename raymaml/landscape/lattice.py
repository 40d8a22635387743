"""The nested lattices of grid points in which a surface is computed, from coarse to fine, and interpolation on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml.landscape.plan import Plan, Range, depth, levels_of

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Axis:
    """One axis of the grid, cut into places: the ranges of grid points that blocks cover along it."""

    ranges: tuple[Range, ...]

    @cached_property
    def levels(self) -> Ints:
        """The level of each place; see `plan.levels_of`."""
        return np.array(levels_of(len(self.ranges)))

    def places(self, level: int) -> Ints:
        """The places of the lattice of a level, which holds those of the levels before."""
        return np.flatnonzero(self.levels <= level)

    def points(self, level: int) -> Ints:
        """The grid points in these places."""
        return np.concatenate([np.arange(*self.ranges[place]) for place in self.places(level)])

    def firsts(self, level: int) -> Ints:
        """Where in `points` each of the places starts."""
        sizes = [stop - start for start, stop in (self.ranges[place] for place in self.places(level))]
        return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)

    def neighbours(self, level: int) -> tuple[Ints, Ints, Floats]:
        """Of each point of the next level: the points of this level around it, as indices, and the second one's share.

        A point of this level has itself on both sides, and the share 0.
        """
        known, asked = self.points(level), self.points(level + 1)
        after = np.searchsorted(known, asked)
        before = np.where(known[after] == asked, after, after - 1)
        gap = np.maximum(known[after] - known[before], 1)
        return before, after, (asked - known[before]) / gap


@dataclass(frozen=True)
class Lattice:
    """The grid (alpha, beta) of a plan as nested lattices of its blocks."""

    alpha: Axis
    beta: Axis

    @classmethod
    def of(cls, plan: Plan) -> Lattice:
        """The lattices in whose order the plan has its blocks."""
        _, alphas, betas = plan.ranges()
        return cls(Axis(tuple(alphas)), Axis(tuple(betas)))

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of places along alpha and beta."""
        return len(self.alpha.ranges), len(self.beta.ranges)

    @property
    def depth(self) -> int:
        """How many levels there are; the last is the whole grid."""
        return max(map(depth, self.shape))

    def points(self, level: int) -> tuple[npt.NDArray[Any], ...]:
        """Index of the grid points of a level in an array (alpha, beta)."""
        return np.ix_(self.alpha.points(level), self.beta.points(level))

    def places(self, level: int) -> tuple[npt.NDArray[Any], ...]:
        """Index of the places of a level in an array of places."""
        return np.ix_(self.alpha.places(level), self.beta.places(level))

    def spread(self, places: Bools) -> Bools:
        """Of an array over places, the same over the grid points in them."""
        sizes = [[stop - start for start, stop in axis.ranges] for axis in (self.alpha, self.beta)]
        return places.repeat(sizes[0], axis=0).repeat(sizes[1], axis=1)

    def predict(self, values: Floats, level: int) -> Floats:
        """Values at the points of the next level, bilinear between those at the points of `level`.

        Args:
            values: (alpha, beta) of the whole grid, NaN where there is none.
            level: from 0 to `depth` - 2.

        Returns:
            Over `points(level + 1)`; NaN where one of the values around is. Only elementwise arithmetic: a matrix
            product may round otherwise on another processor, and decisions hang on these numbers.
        """
        found: Floats = values[self.points(level)]
        for number, axis in enumerate((self.alpha, self.beta)):
            before, after, share = axis.neighbours(level)
            share = share.reshape((-1, 1) if number == 0 else (1, -1))
            found = found.take(before, number) * (1 - share) + found.take(after, number) * share
        return found


def fill(values: Floats, done: Bools, lattice: Lattice) -> Floats:
    """A surface with values between its computed points: level by level, bilinear on the level before.

    Args:
        values: (alpha, beta).
        done: (alpha, beta) whether each is computed.
        lattice: of the grid.

    Returns:
        (alpha, beta) float64: what is computed as it is, NaN where that is not finite; the rest interpolated, NaN where
        a value around it is not there or not finite. Nothing is extrapolated.
    """
    filled = np.where(done & np.isfinite(values), values, np.nan).astype(np.float64)
    for level in range(lattice.depth - 1):
        at = lattice.points(level + 1)
        filled[at] = np.where(done[at] | np.isfinite(filled[at]), filled[at], lattice.predict(filled, level))
    return filled
