"""What a figure does not show, as lines of its title: a point that is left out must not go unnoticed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from raymaml.results import Result


def not_drawn(results: Sequence[Result], *, needs_loss: bool) -> list[str]:
    """A line for each reason why results cannot be drawn, with how many of each data set.

    Args:
        results: those that should be in a figure of sharpness.
        needs_loss: whether the figure shows the loss as well.
    """
    reasons: dict[str, Callable[[Result], bool]] = {
        "without sharpness": lambda result: result.sharpness is None,
        "diverged": lambda result: result.sharpness is not None and not drawable(result, needs_loss=needs_loss),
    }
    counts = {reason: of_each(filter(applies, results)) for reason, applies in reasons.items()}
    return [f"not drawn, since {reason}: {text}" for reason, text in counts.items() if text]


def drawable(result: Result, *, needs_loss: bool) -> bool:
    """Whether its sharpness, and its loss where that is needed, is a finite number."""
    known = result.sharpness is not None and math.isfinite(result.sharpness)
    return known and (math.isfinite(result.loss) or not needs_loss)


def of_each(results: Iterable[Result]) -> str:
    """How many there are of each data set; nothing where there is none."""
    return ", ".join(f"{n} of {data}" for data, n in sorted(Counter(result.data for result in results).items()))
