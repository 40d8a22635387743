"""Numbers written into contour lines, where they are clear of everything else."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from raymaml.analysis import Float64s
from raymaml.figures.grid import Grid

SHORTEST = 0.7  # inches of line that take a label; a shorter one would be all gap
MOST_LABELLED = 12  # levels with inline labels; more do not fit into 4 inches


def label_lines(axes: Axes, grid: Grid, drawn: ContourSet, texts: list[str]) -> None:
    """Put a label into each long enough piece of line, where it is clear of everything else.

    clabel's own choice looks at one line at a time: it writes over the cross and the frame.
    """
    every = math.ceil(len(texts) / MOST_LABELLED)
    names = dict(zip(drawn.levels, texts, strict=True))
    to_inches = axes.transData + axes.figure.dpi_scale_trans.inverted()
    frame = axes.bbox.transformed(axes.figure.dpi_scale_trans.inverted())
    taken = [to_inches.transform(_obstacles(grid))]
    spots = []
    for path in drawn.get_paths()[::every]:
        for piece in path.to_polygons(to_inches, closed_only=False):
            spot = _label_spot(np.asarray(piece), np.concatenate(taken), frame)
            if spot is not None:
                taken.append(spot[None])
                spots.append(to_inches.inverted().transform(spot))
    if spots:  # without any, clabel would choose by itself
        labels = axes.clabel(drawn, list(names)[::every], inline=True, fontsize=6.5, fmt=names, manual=spots)
        for label in labels:
            label.set_path_effects([withStroke(linewidth=1.2, foreground=(1, 1, 1, 0.7))])


def _obstacles(grid: Grid) -> Float64s:
    """(point, 2) what labels keep away from: the centre and all grid points without a value."""
    a, b = np.nonzero(np.isnan(grid.values))
    return np.column_stack([np.append(grid.alphas[a], 0.0), np.append(grid.betas[b], 0.0)])


def _label_spot(piece: Float64s, taken: Float64s, frame: Bbox) -> Float64s | None:
    """Find the point of one piece of line, in inches, that is best for a label; None if all are bad.

    Good is straight over a label's length and far, up to half an inch, from `taken` and the frame.
    """
    along = np.append(0, np.cumsum(np.hypot(*np.diff(piece, axis=0).T)))
    if along[-1] < SHORTEST:
        return None
    half = 0.15  # inches: half of "0.81" at 6.5 points
    at = np.arange(half, along[-1] - half, 0.05)
    before, here, after = (_along(piece, along, at + shift) for shift in (-half, 0.0, half))
    straight = np.hypot(*(after - before).T) / (2 * half)
    clear = np.hypot(*np.moveaxis(here[:, None] - taken, -1, 0)).min(axis=1)
    edge = np.minimum(here - frame.min, frame.max - here).min(axis=1)
    score = straight * np.minimum(np.minimum(clear, edge * 1.5), 0.5)
    best = int(score.argmax())
    return here[best] if clear[best] > 0.2 and edge[best] > 0.12 else None


def _along(piece: Float64s, along: Float64s, at: Float64s) -> Float64s:
    """(point, 2) points of a line at given lengths from its start."""
    return np.column_stack([np.interp(at, along, piece[:, axis]) for axis in (0, 1)])
