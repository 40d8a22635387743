"""The marks of a contour figure: how each looks, and what the legend says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from raymaml.analysis import sublevel_share
from raymaml.figures.grid import Grid, covers_centre, index_of_zero
from raymaml.figures.levels import Levels, short

# Nested areas are ordered, so one hue that darkens inwards, light enough for labels to be read on it.
FILLS = LinearSegmentedColormap.from_list("raymaml_fills", ["#5B9BC8", "#A9CDE3", "#E3F0F7"])
LINES = "#333333"

_Look = dict[str, Any]

# Diverged and not computed: face and hatch colour, hatch.
DIVERGED: _Look = {"facecolor": "#C4C4C4", "edgecolor": "#6E6E6E", "hatch": "//////", "linewidth": 0.0}
MISSING: _Look = {"facecolor": "white", "edgecolor": "#B4B4B4", "hatch": "....", "linewidth": 0.0}

# A point that is computed, where others are interpolated.
COMPUTED: _Look = {
    "color": "#333333",
    "marker": "o",
    "markersize": 1.2,
    "markeredgewidth": 0,
    "linestyle": "none",
    "zorder": 3,
}

# At (0, 0), the unperturbed parameters.
CROSS: _Look = {
    "color": "#C03A00",  # vermilion, darkened: on blue, for all kinds of colour vision
    "marker": "+",
    "markersize": 7,
    "markeredgewidth": 1.4,
    "linestyle": "none",
    "zorder": 4,
}


def legend_handles(grid: Grid, plan: Levels, quantity: str) -> list[Artist]:
    """One entry for each kind of mark that is on the figure, with the share of the grid it covers."""
    handles: list[Artist] = []
    between = ", interpolated" if grid.interpolated.any() else ""
    whole = f"the grid{between}" if grid.shown.all() else f"computed cells{between and ' and interpolated ones'}"
    for level, colour in zip(plan.fills, fill_colours(plan), strict=True):
        share = 100 * sublevel_share(grid.values, float(level), done=grid.shown)
        text = f"{quantity} ≤ {short(level)}: {share:.1f} % of {whole}"
        handles.append(Patch(facecolor=colour, edgecolor=LINES, linewidth=0.5, label=text))
    if plan.lines.size and not grid.flat:
        handles.append(Line2D([], [], color=LINES, linewidth=0.6, label=plan.note))
    if grid.diverged.any():
        share = 100 * grid.diverged.sum() / grid.done.sum()
        whole = "the grid" if grid.done.all() else "computed cells"
        handles.append(Patch(**DIVERGED, label=f"diverged: {share:.1f} % of {whole}"))
    if between:
        handles.append(Line2D([], [], **COMPUTED, label="computed; interpolated between"))
    if not grid.shown.all():
        handles.append(Patch(**MISSING, label="not computed yet"))
    if covers_centre(grid):
        handles.append(Line2D([], [], **CROSS, label=_centre_text(grid)))
    return handles


def fill_colours(plan: Levels) -> list[Any]:
    """A colour for each filled area, darkest first."""
    return [FILLS(position) for position in np.linspace(0, 1, max(len(plan.fills), 2))[: len(plan.fills)]]


def _centre_text(grid: Grid) -> str:
    """Legend text of the unperturbed parameters, with their value if they are a grid point."""
    a, b = index_of_zero(grid.alphas), index_of_zero(grid.betas)
    if a is None or b is None:
        return "centre (0, 0)"
    if not grid.done[a, b]:
        return "centre (0, 0): not computed yet"
    value = grid.values[a, b]
    return "centre (0, 0): diverged" if np.isnan(value) else f"centre (0, 0): {value:.5g}"
