"""Which points of a grid are computed if the mean surface may be interpolated between them, and the error that is made.

A lattice of 5 x 5 blocks is refined to 9 x 9. From then on a cell of a lattice is refined only if one of the values
that the next level has inside it or on its sides differs from the interpolation between the cell's corners by more than
the tolerance, or is not finite. Its four parts, and all cells that touch such a value, are then tested in the same way.
The test is of values that are computed, one level finer than the lattice that it accepts, hence on the safe side where
the surface is smooth: halving a gap makes the error of linear interpolation a quarter.

Whether a cell is refined follows from values at its own corners, sides and middle alone. So the choice depends on the
values and the tolerance only, and a smaller tolerance chooses the same points and more.

A fixed random share of the grid is held back: computed in any case, but used for no decision. Those of its points that
the refinement left out are a random sample of all that it left out, and give the error that is stated.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from raymaml import streams
from raymaml.errors import SpecError
from raymaml.landscape.lattice import Axis, Bools, Floats, Lattice, fill

BASE = 1  # level whose cells are all tested: 5 x 5 blocks, by the 9 x 9 of the next
HELD_BACK = 25  # one block in so many
FEWEST_HELD_BACK = 20  # of none above an error, at most 3 / 20 of the points are, with 95 % confidence (rule of three)


@dataclass(frozen=True)
class Record:
    """What an adaptive surface consists of, and the error reached: in nats, of the mean loss over tasks."""

    tolerance: float
    points: int  # of the grid that were chosen, with those held back
    grid_points: int
    held_back: int  # points that the refinement left out, computed as a check
    max_error: float | None  # over these: interpolated from the others, minus computed; None: there are none
    mean_error: float | None
    not_finite: int  # of these have no finite value, or none around them; in neither error

    def text(self) -> str:
        """In words."""
        head = f"{self.points:,} of {self.grid_points:,} points, tolerance {self.tolerance:g} nats"
        if self.max_error is None:
            return f"{head}; no point was left to check the interpolation on"
        lost = f", {self.not_finite} not finite" if self.not_finite else ""
        return (
            f"{head}; interpolation error on {self.held_back} held-back points{lost}: "
            f"mean {self.mean_error:.2g}, at most {self.max_error:.2g} nats"
        )


def check_tolerance(tolerance: float | None) -> None:
    """Refuse what is no tolerance; None is none.

    Raises:
        SpecError: it is not a positive finite number.
    """
    if tolerance is not None and not (math.isfinite(tolerance) and tolerance > 0):
        raise SpecError(f"--adaptive needs a tolerance in nats above 0, such as 0.02, got {tolerance:g}")


def needed(values: Floats, done: Bools, lattice: Lattice, tolerance: float) -> Bools:
    """The blocks that are needed, as far as the values so far tell: more values, more blocks, until all are done.

    Args:
        values: (alpha, beta) mean loss over tasks.
        done: (alpha, beta) whether each is computed.
        lattice: of the grid.
        tolerance: nats.

    Returns:
        Over the places of blocks, (alpha, beta).
    """
    return chosen(values, done, lattice, tolerance) | held_back(lattice)


def held_back(lattice: Lattice) -> Bools:
    """The blocks that are computed in any case, as a check: the same for each grid of this size."""
    count = math.prod(lattice.shape)
    share = min(count, max(-(-count // HELD_BACK), FEWEST_HELD_BACK))
    found = np.zeros(count, np.bool_)
    found[streams.permutation(count, "held-back", *lattice.shape)[:share]] = True
    return found.reshape(lattice.shape)


def chosen(values: Floats, done: Bools, lattice: Lattice, tolerance: float) -> Bools:
    """The blocks that the refinement asks for; arguments and result as in `needed`."""
    base = min(BASE, lattice.depth - 1)
    found = np.zeros(lattice.shape, np.bool_)
    found[lattice.places(base)] = True
    active = np.ones([len(_cells(axis, base)) for axis in (lattice.alpha, lattice.beta)], np.bool_)
    for level in range(base, lattice.depth - 1):
        active = _refine(found, active, values, done, lattice, tolerance, level)
    return found


def _refine(
    found: Bools, active: Bools, values: Floats, done: Bools, lattice: Lattice, tolerance: float, level: int
) -> Bools:
    """Add the blocks that test the active cells of a level to `found`; returns the active cells of the next level."""
    axes = lattice.alpha, lattice.beta
    in_coarse = [_touches(axis.places(level + 1), _cells(axis, level)) for axis in axes]
    in_fine = [_touches(axis.places(level + 1), _cells(axis, level + 1)) for axis in axes]
    parts = [_inside(_cells(axis, level + 1), _cells(axis, level)) for axis in axes]
    tests = _any(in_coarse[0], active, in_coarse[1].T)
    at = lattice.places(level + 1)
    found[at] |= tests
    bad = tests & (_errors(values, done, lattice, level) > tolerance)
    refined = active & _any(in_coarse[0].T, bad, in_coarse[1])
    return _any(parts[0], refined, parts[1].T) | _any(in_fine[0].T, bad, in_fine[1])


def _cells(axis: Axis, level: int) -> list[tuple[int, int]]:
    """First and last place of each cell along an axis; an axis of one place is one cell."""
    places = axis.places(level).tolist()
    return list(itertools.pairwise(places)) or [(places[0], places[0])]


def _touches(places: np.ndarray, cells: list[tuple[int, int]]) -> Floats:
    """(place, cell) 1 where the place is in the cell or at its end."""
    return np.array([[first <= place <= last for first, last in cells] for place in places], np.float64)


def _inside(fine: list[tuple[int, int]], coarse: list[tuple[int, int]]) -> Floats:
    """(fine cell, coarse cell) 1 where one is part of the other."""
    return np.array([[a <= first and last <= b for a, b in coarse] for first, last in fine], np.float64)


def _any(left: Floats, mask: Bools, right: Floats) -> Bools:
    """Whether anything that `left` and `right` connect is in the mask; counts, hence exact as a matrix product."""
    found: Bools = left @ mask.astype(np.float64) @ right > 0
    return found


def _errors(values: Floats, done: Bools, lattice: Lattice, level: int) -> Floats:
    """Of each block of the next level the largest error of a value predicted from `level`; infinite if not finite.

    What is not computed, or has nothing computed around it, counts as without error: its neighbours decide.
    """
    at = lattice.points(level + 1)
    known = np.where(done & np.isfinite(values), values, np.nan).astype(np.float64)
    errors: Floats = np.nan_to_num(np.abs(known[at] - lattice.predict(known, level)), nan=0.0)
    errors[done[at] & ~np.isfinite(values[at])] = np.inf
    for number, axis in enumerate((lattice.alpha, lattice.beta)):
        errors = np.maximum.reduceat(errors, axis.firsts(level + 1), axis=number)
    return errors


def measure(values: Floats, done: Bools, lattice: Lattice, tolerance: float) -> Record:
    """The record of a surface of which all that is `needed` is done: from the chosen points alone, whatever else is.

    Args:
        values: (alpha, beta) mean loss over tasks.
        done: (alpha, beta) whether each is computed.
        lattice: of the grid.
        tolerance: nats.
    """
    by_refinement = chosen(values, done, lattice, tolerance)
    spare = lattice.spread(held_back(lattice) & ~by_refinement)
    used = lattice.spread(by_refinement)
    errors = np.abs(fill(values, used & done, lattice) - values)[spare]
    finite = errors[np.isfinite(errors)]
    return Record(
        tolerance=tolerance,
        points=int((used | spare).sum()),
        grid_points=values.size,
        held_back=int(spare.sum()),
        max_error=float(finite.max()) if finite.size else None,
        mean_error=float(finite.mean()) if finite.size else None,
        not_finite=int(errors.size - finite.size),
    )
