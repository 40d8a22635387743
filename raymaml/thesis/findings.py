"""Whether the thesis's findings hold on what was computed: each a rule with a verdict and the numbers behind it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from raymaml.analysis import Float64s, Floats, mean_and_interval
from raymaml.convexity import convex_share
from raymaml.correlation import Correlation, Variable, correlations
from raymaml.results import Result, Summary, over_seeds
from raymaml.specs import Backbone, Counts
from raymaml.tables.adaptation import Adaptation

Verdict = Literal["holds", "does not hold", "undecided"]
SIGNIFICANT = 0.05  # two-sided p


@dataclass(frozen=True)
class Finding:
    """A claim of the thesis and what was found here."""

    claim: str  # with its place in the thesis
    rule: str  # when it counts as true here
    verdict: Verdict
    numbers: tuple[str, ...]  # lines


def _verdict(true: bool) -> Verdict:
    return "holds" if true else "does not hold"


def _of_interval(gain: float, half: float) -> Verdict:
    return _verdict(gain > 0) if abs(gain) > half else "undecided"


def initial_loss(found: Sequence[Adaptation], way: int = 5) -> Finding:
    """The loss of the initialisation before any step, against guessing (recipe 5.6: 3 to 13 for the real data)."""
    guess = math.log(way)
    lines, above = [], []
    for (backbone, augment), seeds in _by_run(found).items():
        start = [mean_and_interval(one.loss[:, 0].astype(np.float64)) for one in seeds]
        above += [mean - half > guess for mean, half in start]
        first, last = (float(np.mean([one.means[at] for one in seeds])) for at in (0, -1))
        lines.append(
            f"{_run(backbone, augment)}: {first:.2f} nats at 0 steps (seeds {_list(mean for mean, _ in start)}), "
            f"{last:.2f} after {seeds[0].steps[-1]}"
        )
    return Finding(
        "Before any inner step the loss of the trained initialisation is far above guessing (z-axes of the published "
        "figures 4 to 7: 3 to 13 nats)",
        f"the 95 % interval over tasks lies above ln {way} = {guess:.3f} for every seed",
        _verdict(all(above)),
        tuple(lines),
    )


def adaptation_by_depth(found: Sequence[Adaptation]) -> Finding | None:
    """How far the loss falls in the inner loop, by backbone; None of one backbone."""
    runs = {key: seeds for key, seeds in _by_run(found).items() if key[1]}
    if len(runs) < 2:
        return None
    fall = {key[0]: float(np.mean([one.means[0] - one.means[-1] for one in seeds])) for key, seeds in runs.items()}
    return Finding(
        "Conv4's loss changes least in the inner loop (section 4.3.1)",
        "the mean fall over tasks and seeds of augmented runs is smallest for Conv4",
        _verdict(min(fall, key=lambda backbone: fall[backbone]) == "conv4"),
        tuple(f"{backbone}: {value:.2f} nats" for backbone, value in fall.items()),
    )


def feature_reuse(ranges: Mapping[tuple[str, int], Mapping[str, Floats]]) -> Finding:
    """Whether perturbing the head moves the loss more than perturbing the feature layers does.

    Args:
        ranges: (alpha, beta) losses of the parts `all`, `head` and `feature`, by (backbone and task, inner steps).
    """
    lines, larger = [], []
    for (what, step), parts in ranges.items():
        spans = {part: _span(values) for part, values in parts.items()}
        if step == 0:
            larger.append(spans["head"] > spans["feature"])
        lines.append(
            f"{what}, {step} steps: all {spans['all']:.2f}, head {spans['head']:.2f}, feature {spans['feature']:.2f}, "
            f"head / feature {spans['head'] / spans['feature']:.2f}"
        )
    return Finding(
        "The head has the larger part in the landscape at 0 steps: features are reused and the head is adapted "
        "(section 4.3.1, figures 6, 7, 17, 18)",
        "at 0 steps the loss spans more nats over the grid when the head is perturbed than when the feature layers "
        "are, for every backbone and task",
        _verdict(all(larger)),
        tuple(lines),
    )


def _span(values: Floats) -> float:
    finite = values[np.isfinite(values)].astype(np.float64)
    return float(finite.max() - finite.min()) if finite.size else math.nan


def convexity_by_queries(loss: Floats, queries: Counts) -> Finding:
    """Whether more query images make a task's landscape more convex.

    Args:
        loss: (task, query, alpha, beta).
        queries: query images per class.
    """
    shares = convex_share(loss)
    lines = [f"{count} per class: {_percent(shares[:, i])} of the grid" for i, count in enumerate(queries)]
    gain, half = mean_and_interval(shares[:, -1] - shares[:, 0])
    lines.append(f"{queries[-1]} against {queries[0]}, same tasks: {100 * gain:+.1f} ± {100 * half:.1f} points")
    return Finding(
        "The landscape becomes more convex with more query images (section 4.3.2, figure 10)",
        f"the share of the grid where second differences are convex, mean over {len(loss)} tasks, is higher with the "
        "most than with the fewest query images, and the paired 95 % interval excludes 0; undecided if it holds 0",
        _of_interval(gain, half),
        tuple(lines),
    )


def convexity_by_tasks(surfaces: Mapping[str, Floats], few: int) -> Finding:
    """Whether averaging over tasks makes the meta-loss more convex.

    Args:
        surfaces: (task, alpha, beta) losses by what they are of.
        few: the smaller number of tasks.
    """
    lines, rising = [], []
    for what, values in surfaces.items():
        groups = [values[i : i + few] for i in range(0, len(values) - few + 1, few)]
        one = float(convex_share(values).mean())
        some = float(np.mean([convex_share(group.mean(axis=0, dtype=np.float64)) for group in groups]))
        many = float(convex_share(values.mean(axis=0, dtype=np.float64)))
        rising.append(one < some < many)
        lines.append(f"{what}: {100 * one:.0f} % of one task, {100 * some:.0f} % of {few}, {100 * many:.0f} % of all")
    return Finding(
        "Averaging over tasks makes the meta-loss more convex (section 4.3.2, figure 8)",
        f"the convex share of the grid rises from one task to the mean over {few} and over all, on every surface",
        _verdict(all(rising)),
        tuple(lines),
    )


def augmentation_helps(results: Iterable[Result]) -> Finding | None:
    """Whether augmentation raises novel accuracy; None where nothing can be compared."""
    cells = _novel(results)
    pairs = {
        (data, method, backbone): (summary, cells[data, method, backbone, True])
        for (data, method, backbone, augment), summary in cells.items()
        if not augment and (data, method, backbone, True) in cells
    }
    if not pairs:
        return None
    return Finding(
        "Augmentation consistently raises accuracy (section 4.2)",
        "mean novel accuracy over seeds is higher with augmentation, for every method and backbone",
        _verdict(all(other.accuracy > one.accuracy for one, other in pairs.values())),
        tuple(
            f"{' '.join(key)}: {_accuracy(one)} without, {_accuracy(other)} with" for key, (one, other) in pairs.items()
        ),
    )


def maml_against_transfer(results: Iterable[Result]) -> Finding | None:
    """Whether MAML beats transfer learning on shallow backbones without augmentation; None without both."""
    cells = _novel(results)
    pairs = {
        (data, backbone): (summary, cells[data, "transfer", backbone, False])
        for (data, method, backbone, augment), summary in cells.items()
        if method == "maml"
        and not augment
        and backbone.startswith("conv")
        and (data, "transfer", backbone, False) in cells
    }
    if not pairs:
        return None
    return Finding(
        "MAML beats transfer learning on Conv backbones without augmentation (section 4.2)",
        "mean novel accuracy over seeds is higher for MAML, for every Conv backbone",
        _verdict(all(one.accuracy > other.accuracy for one, other in pairs.values())),
        tuple(
            f"{' '.join(key)}: MAML {_accuracy(one)}, transfer {_accuracy(other)}"
            for key, (one, other) in pairs.items()
        ),
    )


def augmentation_flattens(results: Iterable[Result]) -> Finding | None:
    """Whether augmentation lowers the sharpness; None where nothing can be compared."""
    cells = {
        (cell.data, cell.backbone, cell.split, cell.augment): summary
        for cell, summary in over_seeds(results).items()
        if (cell.method, cell.checkpoint) == ("maml", "best") and summary.sharpness is not None
    }
    pairs = {
        key[:3]: (one, cells[*key[:3], True]) for key, one in cells.items() if not key[3] and (*key[:3], True) in cells
    }
    if not pairs:
        return None
    return Finding(
        "Augmentation generally makes the meta-loss less sharp (section 5)",
        "mean sharpness over seeds is lower with augmentation, for every backbone and split",
        _verdict(all((other.sharpness or 0.0) < (one.sharpness or 0.0) for one, other in pairs.values())),
        tuple(
            f"{' '.join(key)}: {_sharpness(one)} without, {_sharpness(other)} with"
            for key, (one, other) in pairs.items()
        ),
    )


def accuracy_follows(
    results: Sequence[Result], x: Variable, place: str, *, augment: bool | None = None
) -> list[Finding]:
    """Whether novel accuracy falls as `x` rises, over runs: one finding for each data set.

    Args:
        results: of the runs.
        x: sharpness or loss on a split.
        place: in the thesis.
        augment: of augmented runs only, or of all (None).
    """
    found = correlations(results, [(x, Variable("novel", "accuracy"))], augment=augment)
    runs = "augmented runs" if augment else "all runs"
    return [
        Finding(
            f"Lower {x} goes with higher novel accuracy ({place}; {one.data}, {runs})",
            f"Pearson's r is negative with p < {SIGNIFICANT}; undecided if p is larger",
            _of_correlation(one),
            (_described(one),),
        )
        for one in found
    ]


def _of_correlation(one: Correlation) -> Verdict:
    if one.r is None or one.p is None or one.p >= SIGNIFICANT:
        return "undecided"
    return _verdict(one.r < 0)


def _described(one: Correlation) -> str:
    if one.r is None or one.p is None:
        return f"n = {one.n}: no r ({'; '.join(one.remarks) or 'not defined'})"
    return f"r = {one.r:.2f}, p = {one.p:.2g}, n = {one.n}"


def _by_run(found: Iterable[Adaptation]) -> dict[tuple[Backbone, bool], list[Adaptation]]:
    runs: dict[tuple[Backbone, bool], list[Adaptation]] = {}
    for one in found:
        runs.setdefault((one.backbone, one.augment), []).append(one)
    return runs


def _novel(results: Iterable[Result]) -> dict[tuple[str, str, str, bool], Summary]:
    return {
        (cell.data, cell.method, cell.backbone, cell.augment): summary
        for cell, summary in over_seeds(results).items()
        if (cell.split, cell.checkpoint) == ("novel", "best")
    }


def _run(backbone: str, augment: bool) -> str:
    return f"{backbone} {'aug' if augment else 'no aug'}"


def _list(values: Iterable[float]) -> str:
    return " ".join(f"{value:.2f}" for value in values)


def _percent(values: Float64s) -> str:
    mean, half = mean_and_interval(values)
    return f"{100 * mean:.1f} ± {100 * half:.1f} %"


def _accuracy(summary: Summary) -> str:
    return f"{100 * summary.accuracy:.2f} %{_sd(100 * summary.accuracy_sd, 2)}"


def _sharpness(summary: Summary) -> str:
    value, deviation = summary.sharpness, summary.sharpness_sd
    return f"{math.nan if value is None else value:.3f}{_sd(math.nan if deviation is None else deviation, 3)}"


def _sd(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f" (SD {value:.{digits}f})"


def as_text(findings: Sequence[Finding]) -> str:
    """All findings as Markdown."""
    lines = []
    for one in findings:
        lines += [
            f"## {one.claim}",
            "",
            f"**{one.verdict}**. Rule: {one.rule}.",
            "",
            *(f"- {n}" for n in one.numbers),
            "",
        ]
    return "\n".join(lines)
