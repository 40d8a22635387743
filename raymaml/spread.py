"""How far surfaces would be off with other tasks, seeds or directions, and paired differences of surfaces."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from raymaml.analysis import NORMAL_95, Bools, Float64s, Floats, mean_over_tasks
from raymaml.errors import SpecError


def standard_error(values: Floats, done: Bools) -> Float64s:
    """Standard error of the mean over tasks at each grid point, s / sqrt(n) with ddof 1.

    It holds for fresh tasks as well: at each point they are independent draws, only others at each point.

    Args:
        values: (task, alpha, beta).
        done: (task, alpha, beta) whether each has been computed.

    Returns:
        (alpha, beta) float64; NaN unless every task there is done and finite, and everywhere for one task.

    Raises:
        SpecError: the shapes differ, or there is no task.
    """
    mean_over_tasks(values, done)  # which checks the shapes
    whole = np.where(done & np.isfinite(values), values, np.nan).astype(np.float64)
    if len(whole) < 2:
        return np.full(whole.shape[1:], np.nan)
    error: Float64s = whole.std(axis=0, ddof=1) / math.sqrt(len(whole))
    return error


@dataclass(frozen=True)
class Spread:
    """What is common to surfaces of several seeds and direction pairs, and how far each kind of them lies apart."""

    mean: Float64s  # (...) over all seeds and directions
    seeds: Float64s | None  # (...) standard deviation over seeds; None for one seed
    directions: Float64s | None  # (...) standard deviation over direction pairs; None for one pair


def decompose(values: Floats) -> Spread:
    """Split the variation between surfaces into that of seeds and that of direction pairs.

    Seeds are compared by their means over direction pairs, and pairs by their means over seeds: the main effects of
    the two-way table of means. Deviations have ddof 1 and are those of one seed or pair, not of the mean.

    Args:
        values: (seed, direction, ...) such as (seed, direction, alpha, beta) means over tasks, or areas.

    Raises:
        SpecError: there is no seed or no direction.
    """
    if values.ndim < 2 or not values.shape[0] or not values.shape[1]:
        raise SpecError(f"a spread needs values (seed, direction, ...) with one of each, not {values.shape}")
    whole = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    return Spread(whole.mean(axis=(0, 1)), *(_deviation(whole.mean(axis=other)) for other in (1, 0)))


def _deviation(means: Float64s) -> Float64s | None:
    return means.std(axis=0, ddof=1) if len(means) > 1 else None


def rectangle(pairs: Iterable[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """The largest full rectangle in a table of (seed, direction) pairs: each of these seeds has each of the directions.

    Of several with as many surfaces, the one with more seeds, then with the lowest seeds and directions.

    Raises:
        SpecError: there is no pair.
    """
    of_seed: dict[int, frozenset[int]] = {}
    for seed, direction in pairs:
        of_seed[seed] = of_seed.get(seed, frozenset()) | {direction}
    if not of_seed:
        raise SpecError("a spread needs at least one surface")
    shared: set[frozenset[int]] = set()  # directions that some seeds have in common: the largest rectangle has such
    for directions in of_seed.values():
        shared |= {directions, *(directions & other for other in shared)}
    found = [(sorted(s for s in of_seed if of_seed[s] >= common), sorted(common)) for common in shared if common]
    return min(found, key=lambda r: (-len(r[0]) * len(r[1]), -len(r[0]), r))


@dataclass(frozen=True)
class Difference:
    """A surface minus another one, task by task."""

    mean: Float64s  # (alpha, beta) of the tasks' differences
    error: Float64s  # (alpha, beta) its standard error over tasks; NaN for one task

    @property
    def lower(self) -> Bools:
        """(alpha, beta) where the surface is below the other by more than 1.96 standard errors."""
        return self.mean < -NORMAL_95 * self.error  # NaN compares as False

    @property
    def higher(self) -> Bools:
        """(alpha, beta) where it is above the other by more than 1.96 standard errors."""
        return self.mean > NORMAL_95 * self.error


def paired_difference(values: Floats, other: Floats, done: Bools) -> Difference:
    """The mean of the per-task differences `values - other`, with the standard error of that mean.

    What tasks have in common, such as that some are harder than others, cancels in each pair, so the error is mostly
    far below that of either mean.

    Args:
        values: (task, alpha, beta).
        other: (task, alpha, beta) of the same tasks.
        done: (task, alpha, beta) whether both have been computed.

    Raises:
        SpecError: the shapes differ, or there is no task.
    """
    if values.shape != other.shape:
        raise SpecError(f"paired values need one shape, not {values.shape} and {other.shape}")
    with np.errstate(invalid="ignore"):  # inf - inf is NaN, a diverged cell
        differences = values.astype(np.float64) - other.astype(np.float64)
    return Difference(mean_over_tasks(differences, done), standard_error(differences, done))
