"""How far recomputed numbers are from stored ones, and what is too far; arrays only.

Measured with MAML on glyphs (Conv4, Conv4 augmented, Conv6), 3 to 5 points a side, 3 or 4 tasks, 0 to 10 steps, 1 and
15 query images, on an AVX-512 Xeon: relative differences of losses from those of float32 with one thread,

                                       [-1, 1]  largest  median      [-3, 3]  largest  median
    the same again                              0        0                    0        0
    float32, kernels for AVX2                   3.7e-2   3.4e-6               7.7e-1   8.5e-6
    float32, kernels for SSE4                   3.6e-2   2.3e-6
    float32, two threads                        8.5e-2   3.8e-5
    float64                                     2.6e-1   2.3e-4               7.5e-1   4.4e-4
    float64 by AVX-512 against SSE4             1.3e-13  4.4e-16

The inner loop amplifies rounding wherever a maximum or a ReLU switches, and an accuracy then moves by whole images.
So on the kind of machine that made them numbers must be equal to the bit, which shows any change. Elsewhere single
values of float32 say nothing, and only their median is judged; a single wrong value then goes unseen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Values = Mapping[str, Floats]  # name of an array of the store -> its values of one cell
Pair = tuple[str, Values, Values]  # what cell, its stored values, those found now

OTHER_MACHINE = {"float32": math.inf, "float64": 1e-9}  # for single values; float64 was 1.3e-13 off
MEDIAN_ELSEWHERE = 1e-3  # of float32 on another machine: 26 times the most that was measured
MEDIAN_OF_FLOAT64 = 1e-2  # of float32 against float64: 23 times the most that was measured
FLOOR = 1e-3  # nats: a smaller loss is rounding of logits of about 10, and has no relative error of its own


@dataclass(frozen=True)
class Difference:
    """Stored against recomputed values of some cells."""

    cells: int
    equal: int  # cells of which every value is equal; NaN equals NaN
    absolute: float  # the largest difference; infinite where one of two is not finite
    relative: float  # likewise, of losses relative to the larger of both, of accuracies absolute
    median: float  # of the relative differences of all but accuracies
    worst: str  # which array of which cell differs most; empty where none does
    one_sided: int  # values that are finite on one side alone
    absolute_finite: float  # as `absolute`, of the values that are finite on both sides
    relative_finite: float
    median_finite: float  # as `median`, likewise


def tolerance_of(precision: str, same_machine: bool) -> float:
    """The largest relative difference of a single value that is no mismatch, unless the user names one: see above."""
    return 0.0 if same_machine else OTHER_MACHINE[precision]


def difference(pairs: Sequence[Pair]) -> Difference:
    """Compare the stored values of at least one cell with those found now."""
    rows = [
        (_errors(name, stored[name], found[name]), f"{name} of {cell}", cell)
        for cell, stored, found in pairs
        for name in stored
    ]
    absolute, relative = (np.concatenate([errors[k] for errors, *_ in rows]) for k in (0, 1))
    largest, worst = max(((errors[1].max(), name) for errors, name, _ in rows), key=lambda row: row[0])
    finite = np.isfinite(absolute)
    judged = np.concatenate([np.full(errors[1].shape, "accuracy" not in name) for errors, name, _ in rows])
    unequal = {cell for errors, _, cell in rows if errors[0].any()}
    return Difference(
        cells=len(pairs),
        equal=len(pairs) - len(unequal),
        absolute=float(absolute.max()),
        relative=float(largest),
        median=float(np.median(relative[judged])),
        worst=worst if largest else "",
        one_sided=int((~finite).sum()),
        absolute_finite=float(absolute[finite].max(initial=0.0)),
        relative_finite=float(relative[finite].max(initial=0.0)),
        median_finite=float(np.median(relative[finite & judged])) if (finite & judged).any() else 0.0,
    )


def _errors(name: str, stored: Floats, found: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Absolute and relative differences, each (value,); infinite where one of two is not finite."""
    a, b = (np.asarray(values, np.float64).reshape(-1) for values in (stored, found))
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        absolute = np.where(same, 0.0, np.where(np.isfinite(a) & np.isfinite(b), np.abs(a - b), np.inf))
        scale = 1.0 if name == "accuracy" else np.maximum(np.maximum(np.abs(a), np.abs(b)), FLOOR)
        relative = np.where(absolute == 0.0, 0.0, np.where(np.isinf(absolute), np.inf, absolute / scale))
    return absolute, relative
