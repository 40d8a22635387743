"""Is it over-fitting? Accuracy over training, and the best against the last checkpoint (thesis, figures 19 and 20)."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from raymaml.analysis import Float64s
from raymaml.errors import SpecError
from raymaml.figures.panels import (
    GREY,
    SPLIT_COLOURS,
    Block,
    add_legend,
    add_panels,
    heading,
    legend_height,
    legend_width,
    mark,
    name_of,
    new_figure,
)
from raymaml.figures.style import DOUBLE, few_ticks, styled, title_height
from raymaml.results import BACKBONES, CHECKPOINTS, SPLITS, Curve, Result
from raymaml.specs import Backbone, Split

DASHES: dict[Split, str] = {"base": "-", "val": "--", "novel": "-"}
MOST_POINTS = 120  # of a curve: 2,400 noisy validations would be a solid band
LANE = 0.085  # inches between the seeds of one row
SIZE = 3.8  # points

Setting = tuple[Backbone, bool]  # backbone, augment


@styled()
def overfit(curves: Sequence[Curve], results: Sequence[Result], *, title: str, width: float = DOUBLE) -> Figure:
    """Draw accuracy over training, and below it the accuracy of the best and of the last checkpoint.

    Above: a panel for each backbone and augmentation. A thick line is the mean over the seeds, at the
    steps that all of them have; the band is the range of the seeds, thin lines are the seeds. A curve of
    more than 120 points is shown as means over equal numbers of them, and the title says so.

    Below: a row for each backbone and augmentation, a line for each seed from the best (filled) to the
    last checkpoint (open), on base and on novel tasks.

    A part without anything to draw is left out, and the title says so.

    Args:
        curves: of one data set.
        results: of the same; those that are not MAML's on base or novel tasks are not used.
        title: one or more lines above everything; wrapped to the figure's width.
        width: inches; below 5 the legend goes under the plots, and the panels stand two in a row.

    Raises:
        SpecError: there is neither a curve nor a seed with both checkpoints.
    """
    scored = [result for result in results if result.method == "maml" and result.split != "val"]
    scored = scored if _paired(scored) else []
    if not curves and not scored:
        raise SpecError("curves over training are needed, or results of both the best and the last checkpoint")
    window = _window(curves)
    title = "\n".join([title, *_remarks(curves, scored, window)])
    handles = _legend(curves, scored)
    upper, lower = _curve_block(curves, width), _pair_block(scored, width)
    top = title_height(title, width)
    heights = [block.height if block else 0.0 for block in (upper, lower)]
    figure = new_figure(title, width, top + sum(heights) + legend_height(handles, width))
    right = legend_width(handles, width)
    if upper:
        _draw_curves(add_panels(figure, upper, top, right), curves, upper.columns, window)
    if lower:
        (axes,) = add_panels(figure, lower, top + heights[0], right)
        _draw_pairs(axes, scored)
    add_legend(figure, handles, title)
    return figure


def _remarks(curves: Sequence[Curve], scored: Sequence[Result], window: int) -> list[str]:
    remarks = []
    if scored:
        seeds = sorted({result.seed for result in scored})
        remarks.append(f"a row of dots for each seed, from above: {', '.join(map(str, seeds))}")
    if not curves:
        remarks.append("no curves over training are stored: only the two checkpoints are shown")
    if not scored:
        remarks.append("no seed has results of both the best and the last checkpoint: only the curves are shown")
    if window > 1:
        remarks.append(f"each point of a curve is the mean of {window} consecutive validations")
    if alone := len(scored) - 2 * _paired(scored):
        remarks.append(f"{alone} results have no counterpart at the other checkpoint and stand alone")
    return remarks


def _paired(results: Sequence[Result]) -> int:
    """How many (setting, split, seed) have both checkpoints."""
    there = {(r.backbone, r.augment, r.split, r.seed, r.checkpoint) for r in results}
    return sum((*key[:4], "last") in there for key in there if key[4] == "best")


def _settings(items: Sequence[Curve | Result]) -> list[Setting]:
    """The combinations that are there: by augmentation, then from the smallest backbone."""
    found = {(item.backbone, item.augment) for item in items}
    return sorted(found, key=lambda setting: (setting[1], BACKBONES.index(setting[0])))


def _words(setting: Setting) -> str:
    return f"{name_of(setting[0])}, {'aug' if setting[1] else 'no aug'}"  # the thesis's words; longer ones overlap


# --- curves over training


def _curve_block(curves: Sequence[Curve], width: float) -> Block | None:
    if not curves:
        return None
    count = len(_settings(curves))
    most = 2 if width < 5 else 4
    # In one row if possible; else one for each augmentation, a backbone in each column.
    columns = count if count <= most else min(most, len({curve.backbone for curve in curves}))
    return Block(-(-count // columns), columns, left=0.5, gap=0.16, high=1.15, below=0.1, under=0.45)


def _draw_curves(panels: Sequence[Axes], curves: Sequence[Curve], columns: int, window: int) -> None:
    settings = _settings(curves)
    drawn = panels[: len(settings)]
    for axes in panels[len(settings) :]:
        axes.remove()
    for axes, setting in zip(drawn, settings, strict=True):
        heading(axes, _words(setting))
        for split in SPLITS:
            seeds = [c for c in curves if (c.backbone, c.augment) == setting and c.split == split]
            _draw_seeds(axes, split, [_smoothed(curve, window) for curve in seeds])
    _share_axes(drawn, columns)


def _window(curves: Sequence[Curve]) -> int:
    return -(-max((len(curve.steps) for curve in curves), default=1) // MOST_POINTS)


def _smoothed(curve: Curve, window: int) -> tuple[Float64s, Float64s]:
    """Steps and percentages, each the mean of `window` points; a rest that is shorter is one more point."""
    starts = np.arange(0, len(curve.steps), window)
    sizes = np.diff(np.append(starts, len(curve.steps)))
    steps, accuracy = (np.asarray(values, dtype=np.float64) for values in (curve.steps, curve.accuracy))
    return np.add.reduceat(steps, starts) / sizes, 100 * np.add.reduceat(accuracy, starts) / sizes


def _draw_seeds(axes: Axes, split: Split, seeds: Sequence[tuple[Float64s, Float64s]]) -> None:
    if not seeds:
        return
    colour = SPLIT_COLOURS[split]
    for steps, accuracy in seeds:
        axes.plot(steps, accuracy, color=colour, linewidth=0.4, alpha=0.6, marker="." if len(steps) == 1 else None)
    shared = sorted(set.intersection(*(set(steps) for steps, _ in seeds)))
    if len(seeds) > 1 and shared:
        values = np.array([accuracy[np.isin(steps, shared)] for steps, accuracy in seeds])  # (seed, step)
        axes.fill_between(shared, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, linewidth=0)
        axes.plot(shared, values.mean(axis=0), color=colour, linestyle=DASHES[split])
    elif len(seeds) == 1:
        axes.plot(*seeds[0], color=colour, linestyle=DASHES[split])


def _share_axes(panels: Sequence[Axes], columns: int) -> None:
    """The same limits everywhere, and numbers at the outer panels only."""
    bounds = np.array([(*axes.get_xlim(), *axes.get_ylim()) for axes in panels])
    for index, axes in enumerate(panels):
        axes.set(xlim=(0, bounds[:, 1].max()), ylim=(bounds[:, 2].min(), bounds[:, 3].max()))
        few_ticks(axes.xaxis, axes.yaxis)
        axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
        axes.grid(visible=True, color="#E4E4E4")
        if index % columns:
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel("accuracy (%)")
        if index + columns < len(panels):
            axes.tick_params(labelbottom=False)
        else:
            axes.set_xlabel("updates")


def _thousands(value: float, _: object) -> str:
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{value:g}"


# --- the best and the last checkpoint


def _pair_block(results: Sequence[Result], width: float) -> Block | None:
    if not results:
        return None
    rows, seeds = len(_settings(results)), len({result.seed for result in results})
    return Block(1, 1, left=1.1, gap=0.0, high=rows * (LANE * seeds + 0.11), below=0.45)


def _draw_pairs(axes: Axes, results: Sequence[Result]) -> None:
    settings, seeds = _settings(results), sorted({result.seed for result in results})
    offset = {seed: (i - (len(seeds) - 1) / 2) * LANE / (LANE * len(seeds) + 0.11) for i, seed in enumerate(seeds)}
    of = {(r.backbone, r.augment, r.split, r.seed, r.checkpoint): 100 * r.accuracy for r in results}
    for (row, setting), split, seed in itertools.product(enumerate(settings), SPLITS, seeds):
        ends = [of.get((*setting, split, seed, checkpoint)) for checkpoint in CHECKPOINTS]
        _draw_pair(axes, row + offset[seed], ends, SPLIT_COLOURS[split])
    heading(axes, "best and last checkpoint")
    axes.set(xlabel="query accuracy (%)", ylim=(len(settings) - 0.5, -0.5))
    axes.set_yticks(range(len(settings)), [_words(setting) for setting in settings])
    axes.tick_params(axis="y", length=0)
    few_ticks(axes.xaxis)
    axes.grid(visible=True, axis="x", color="#E4E4E4")
    for line in range(1, len(settings)):
        axes.axhline(line - 0.5, color="#E4E4E4", linewidth=0.4)
    axes.set_axisbelow(True)


def _draw_pair(axes: Axes, y: float, ends: Sequence[float | None], colour: str) -> None:
    best, last = ends
    if best is not None and last is not None:
        axes.plot([best, last], [y, y], color=colour, linewidth=0.7, alpha=0.7)
    for value, filled in ((best, True), (last, False)):
        if value is not None:
            axes.plot(value, y, **_dot(colour, filled))


def _dot(colour: str, filled: bool) -> dict[str, Any]:
    """The best checkpoint is a dot, the last a ring that is wide enough to be seen around it."""
    return {
        "linestyle": "none",
        "marker": "o",
        "markersize": SIZE if filled else SIZE + 1.2,
        "markeredgecolor": colour,
        "markeredgewidth": 0.0 if filled else 0.8,
        "markerfacecolor": colour if filled else "none",
    }


def _legend(curves: Sequence[Curve], results: Sequence[Result]) -> list[Artist]:
    splits = [s for s in SPLITS if s in {*(c.split for c in curves), *(r.split for r in results)}]
    handles = [mark(f"{s} tasks", color=SPLIT_COLOURS[s], linestyle=DASHES[s] if curves else "-") for s in splits]
    if curves:
        handles += [
            mark("mean over seeds", linestyle="-", linewidth=1.2),
            mark("range of the seeds", marker="s", markersize=7, alpha=0.25, markeredgewidth=0),
            mark("one seed", linestyle="-", linewidth=0.4),
        ]
    if results:
        handles += [mark("best checkpoint", **_dot(GREY, True)), mark("last checkpoint", **_dot(GREY, False))]
    return list(handles)
