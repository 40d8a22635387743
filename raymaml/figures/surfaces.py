"""Loss surfaces as contour lines with filled sub-level sets, and as 3-D views; and saving figures."""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import PolyCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import Bbox

from raymaml.analysis import (
    LOG_FLOOR,
    Bools,
    Float64s,
    Floats,
    contour_levels,
    decade_levels,
    finer_step,
    level_multiple,
    needs_log,
    sublevel_share,
)
from raymaml.errors import SpecError
from raymaml.figures.style import DOUBLE, set_title, styled, text_width, title_height

ALPHA, BETA = "α (first direction)", "β (second direction)"

# As coolwarm, from Okabe and Ito's blue to their vermilion: no red-green pair, grey in between.
COOLWARM = LinearSegmentedColormap.from_list("raymaml_coolwarm", ["#0072B2", "#E4E1DC", "#D55E00"])

# Nested areas are ordered, so one hue that darkens inwards, light enough for labels to be read on it.
FILLS = LinearSegmentedColormap.from_list("raymaml_fills", ["#5B9BC8", "#A9CDE3", "#E3F0F7"])

_Look = dict[str, Any]

# Diverged and not computed: face and hatch colour, hatch.
DIVERGED: _Look = {"facecolor": "#C4C4C4", "edgecolor": "#6E6E6E", "hatch": "//////", "linewidth": 0.0}
MISSING: _Look = {"facecolor": "white", "edgecolor": "#B4B4B4", "hatch": "....", "linewidth": 0.0}

SHORTEST = 0.7  # inches of line that take a label; a shorter one would be all gap
MOST_LABELLED = 12  # levels with inline labels; more do not fit into 4 inches


@dataclass(frozen=True)
class _Grid:
    """A surface that fits its axes, with everything that cannot be drawn as NaN."""

    alphas: Float64s  # (alpha,) ascending
    betas: Float64s  # (beta,) ascending
    values: Floats  # (alpha, beta) NaN where diverged or not done
    done: Bools  # (alpha, beta)

    @property
    def diverged(self) -> Bools:
        return self.done & np.isnan(self.values)

    @property
    def range(self) -> tuple[float, float] | None:
        """Lowest and highest value, None if there is no finite one."""
        finite = self.values[np.isfinite(self.values)]
        return (float(finite.min()), float(finite.max())) if finite.size else None

    @property
    def flat(self) -> bool:
        """Whether all values are the same up to float32 rounding: contours of that are noise."""
        low, high = self.range or (0.0, 0.0)
        return high - low <= 1e-6 * max(1.0, abs(low), abs(high))


@dataclass(frozen=True)
class _Levels:
    """The contour lines and thresholds of one figure, and the scale they are drawn on."""

    lines: Float64s  # (level,) ascending
    fills: Float64s  # (threshold,) ascending
    log: bool
    note: str

    def scale(self, values: Floats) -> Float64s:
        """Values as they are drawn: between grid points we interpolate on this scale."""
        plain = np.asarray(values, dtype=np.float64)
        return np.log10(np.maximum(plain, LOG_FLOOR)) if self.log else plain


@styled()
def contour(
    surface: Floats,
    *,
    alphas: Sequence[float] | Floats,
    betas: Sequence[float] | Floats,
    title: str,
    levels: Sequence[float] | Floats | None = None,
    fills: Sequence[float] | Floats | None = None,
    quantity: str = "query loss",
    done: Bools | None = None,
    width: float = DOUBLE,
) -> Figure:
    """Draw contour lines and filled sub-level sets of a surface; the legend gives their shares of the grid.

    Lines lie every 0.2 from 0.01 as in the thesis (figs 10 to 12), further apart if there would be
    more than 40, closer if fewer than 3, and at 1, 2, 5, 10, ... if the range is so wide that the
    basin would have none; the legend says which.

    Args:
        surface: (alpha, beta) values; NaN and infinite ones are diverged and are hatched grey.
        alphas: (alpha,) ascending, along x.
        betas: (beta,) ascending, along y.
        title: one or more lines above everything; wrapped to the figure's width.
        levels: of the contour lines instead of the default.
        fills: thresholds of the filled areas; by default up to 4 of the levels between the minimum
            and the median.
        quantity: what the values are, for the legend.
        done: (alpha, beta) cells that are computed, None for all; the others are dotted.
        width: inches; below 5 the legend goes under the plot.

    Raises:
        SpecError: fewer than 2 x 2 grid points, shapes that do not fit, or values that do not ascend.
    """
    grid = _grid(surface, alphas, betas, done)
    plan = _plan(grid, levels, fills)
    title = "\n".join([title, *_progress(grid)])
    handles = _legend(grid, plan, quantity)
    figure, axes = _flat_figure(grid, title, handles, width)
    _hatch(axes, grid)
    _fill(axes, grid, plan)
    if grid.range is None:
        _say(axes, _nothing(grid, quantity))
    elif grid.flat:
        _say(axes, f"constant to 6 digits: {_text(grid.range[0])}")
    else:
        _lines(axes, grid, plan)
    if _covers_centre(grid):
        axes.plot([0], [0], **_cross())
    return figure


@styled()
def surface_3d(
    surface: Floats,
    *,
    alphas: Sequence[float] | Floats,
    betas: Sequence[float] | Floats,
    title: str,
    quantity: str = "query loss",
    done: Bools | None = None,
    z_limits: tuple[float, float] | None = None,
) -> Figure:
    """Draw a surface in 3-D, seen from above the corner of low alpha and low beta, coloured by height.

    Cells that diverged or are not computed leave holes. A range too wide for even spacing is drawn
    on a logarithmic height; the axis says so.

    Args:
        surface: (alpha, beta) values.
        alphas: (alpha,) ascending.
        betas: (beta,) ascending.
        title: one or more lines above everything; wrapped to the figure's width.
        quantity: what the values are, for the axis and the colour bar.
        done: (alpha, beta) cells that are computed, None for all.
        z_limits: (low, high) of height and colour, the same for surfaces to be compared; values
            outside are drawn at the limit, and the figure says how many.

    Raises:
        SpecError: fewer than 2 x 2 grid points, shapes that do not fit, values that do not ascend, or
            z_limits that are not finite and ascending.
    """
    grid = _grid(surface, alphas, betas, done)
    limits = _height_range(grid, z_limits)
    log = needs_log(*limits)
    notes = [*_progress(grid), *_cut_off(grid, limits if z_limits else None)]
    figure, axes = _solid_figure("\n".join([title, " · ".join(notes)]) if notes else title)
    shown = np.clip(grid.values, *limits)
    if log:
        limits = (math.log10(max(limits[0], LOG_FLOOR)), math.log10(limits[1]))
        shown = np.log10(np.maximum(shown, LOG_FLOOR))
    label = f"{quantity} (log scale)" if log else quantity
    _label_solid(axes, grid, limits, label, log)
    if grid.range is None:
        axes.text2D(0.5, 0.5, _nothing(grid, quantity), transform=axes.transAxes, ha="center")
        return figure
    drawn = _draw_solid(axes, grid, shown, limits)
    _colour_bar(figure, drawn, label, log)
    return figure


def save(figure: Figure, stem: Path, formats: Sequence[str] = ("png", "pdf", "svg")) -> list[Path]:
    """Write `stem`.png, .pdf and .svg (PNG at 200 dpi), each complete or not at all.

    The same figure gives the same bytes: no dates and no random ids are written.

    Returns:
        The files, in the order of `formats`.

    Raises:
        SpecError: a format other than png, pdf and svg.
    """
    unknown = [name for name in formats if name not in _METADATA]
    if unknown:
        raise SpecError(f"a figure can be saved as png, pdf or svg, not {', '.join(unknown)}")
    stem.parent.mkdir(parents=True, exist_ok=True)
    return [_save_one(figure, stem, name) for name in formats]


_METADATA: dict[str, dict[str, Any]] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


@styled()
def _save_one(figure: Figure, stem: Path, name: str) -> Path:
    target = stem.with_name(f"{stem.name}.{name}")  # not with_suffix: a stem may be called lr0.1
    part = stem.with_name(f".{stem.name}.{uuid.uuid4().hex}.part")
    try:
        figure.savefig(part, format=name, dpi=200, metadata=_METADATA[name])
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


# --- the grid -----------------------------------------------------------------------------------


def _grid(
    surface: Floats, alphas: Sequence[float] | Floats, betas: Sequence[float] | Floats, done: Bools | None
) -> _Grid:
    x, y = np.asarray(alphas, dtype=np.float64), np.asarray(betas, dtype=np.float64)
    if surface.shape != (x.size, y.size) or x.ndim != 1 or y.ndim != 1:
        raise SpecError(f"a surface of {x.size} alphas × {y.size} betas is needed, not one of {surface.shape}")
    if min(surface.shape) < 2:
        raise SpecError(
            f"a surface is drawn from at least 2 × 2 grid points, not {x.size} × {y.size}: "
            "compute a grid with more points"
        )
    if not (_ascends(x) and _ascends(y)):
        raise SpecError("alphas and betas must be finite and ascending")
    if done is None:
        done = np.ones(surface.shape, dtype=np.bool_)
    if done.shape != surface.shape:
        raise SpecError(f"done must have the shape of the surface {surface.shape}, not {done.shape}")
    return _Grid(x, y, np.where(done & np.isfinite(surface), surface, np.nan), done)


def _ascends(values: Float64s) -> bool:
    return bool(np.isfinite(values).all() and (np.diff(values) > 0).all())


def _covers_centre(grid: _Grid) -> bool:
    return all(bool(axis[0] <= 0 <= axis[-1]) for axis in (grid.alphas, grid.betas))


def _index_of_zero(axis: Float64s) -> int | None:
    """Index of the grid line at 0; linspace(-1, 1, 51) may miss it by a rounding error."""
    nearest = int(np.abs(axis).argmin())
    return nearest if abs(axis[nearest]) < 1e-9 * (axis[-1] - axis[0]) else None


def _progress(grid: _Grid) -> list[str]:
    """Say how much of the grid is there, none if all of it is; 99.6 % must not read 100 %."""
    share = grid.done.mean()
    return [] if share == 1 else [f"{math.floor(100 * share)} % computed"]


def _text(value: float) -> str:
    """Write a level as short as it is exact: 0.81, 20, 1e6."""
    return f"{value:.6g}".replace("e+0", "e").replace("e+", "e").replace("e-0", "e-")


# --- contours: levels ---------------------------------------------------------------------------


def _plan(grid: _Grid, levels: Sequence[float] | Floats | None, fills: Sequence[float] | Floats | None) -> _Levels:
    lines, log, note = _line_levels(grid.range, levels)
    areas = _default_fills(grid, lines) if fills is None else _given("fills", fills)
    return _Levels(lines, areas, log, note)


def _line_levels(
    bounds: tuple[float, float] | None, levels: Sequence[float] | Floats | None
) -> tuple[Float64s, bool, str]:
    """Contour levels, whether the scale is logarithmic, and what the legend says about them."""
    if levels is not None:
        return _given("levels", levels), False, "contour lines"
    if bounds is None:
        return np.empty(0), False, ""
    if needs_log(*bounds):
        lines = decade_levels(*bounds)
        ratio = lines[1] / lines[0]
        where = "at 1, 2, 5, 10, …" if ratio < 5 else f"at every factor of {_text(ratio)}"
        return lines, True, f"lines {where} (log scale)"
    step = finer_step(*bounds)
    return contour_levels(*bounds, step), False, f"lines every {_text(step * level_multiple(*bounds, step))}"


def _given(name: str, values: Sequence[float] | Floats) -> Float64s:
    """Levels from the caller, ascending and each once."""
    levels = np.unique(np.asarray(values, dtype=np.float64))
    if levels.ndim != 1 or not np.isfinite(levels).all():
        raise SpecError(f"{name} must be finite numbers, not {list(values)}")
    return levels


def _default_fills(grid: _Grid, lines: Float64s) -> Float64s:
    """Up to 4 of the levels from the minimum to the median: the basin, not the walls.

    The lowest level above the minimum if the median lies under it too.
    """
    finite = grid.values[np.isfinite(grid.values)]
    if not finite.size or grid.flat:
        return np.empty(0)
    inside: Float64s = lines[(lines > finite.min()) & (lines < finite.max())]
    basin: Float64s = inside[inside <= np.median(finite)]
    if not basin.size:
        return inside[:1]
    picked = np.unique(np.linspace(0, basin.size - 1, 4).round().astype(np.int64))
    return np.take(basin, picked)


# --- contours: drawing --------------------------------------------------------------------------


def _flat_figure(grid: _Grid, title: str, handles: list[Artist], width: float) -> tuple[Figure, Axes]:
    """Make a figure with axes of equal aspect; the legend is at the right, or below a narrow plot.

    Everything is placed in inches from the text's own size, so nothing can overlap.
    """
    labels = [str(handle.get_label()) for handle in handles]
    left, bottom, right, top = 0.58, 0.48, 0.12, title_height(title, width)
    row = 0.148
    if width < 5:
        bottom += row * len(handles)
    else:
        right += max(text_width(label, 7.0) for label in labels) + 0.55
    wide = width - left - right
    high = wide * _aspect(grid)
    if high > 1.5 * wide:  # a tall grid would run off the page
        wide, high = wide * 1.5 * wide / high, 1.5 * wide
    height = bottom + high + top
    figure = Figure(figsize=(width, height))
    set_title(figure, title)
    axes = figure.add_axes((left / width, bottom / height, wide / width, high / height))
    axes.set(xlabel=ALPHA, ylabel=BETA, xlim=grid.alphas[[0, -1]], ylim=grid.betas[[0, -1]])
    _few_ticks(axes.xaxis, axes.yaxis)
    corner = (0.1 / width, 0.06 / height) if width < 5 else ((left + wide + 0.12) / width, 1 - top / height)
    figure.legend(
        handles=handles,
        loc="lower left" if width < 5 else "upper left",
        bbox_to_anchor=corner,
        borderaxespad=0,
        borderpad=0,
    )
    return figure, axes


def _few_ticks(*axes: Axis) -> None:
    for axis in axes:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def _aspect(grid: _Grid) -> float:
    """Height by width of the plot: that of the grid, unless one side is over 4 times the other.

    An equal aspect would then leave a sliver in which nothing can be read.
    """
    aspect = float(np.ptp(grid.betas) / np.ptp(grid.alphas))
    return aspect if 0.25 <= aspect <= 4 else 1.0


def _hatch(axes: Axes, grid: _Grid) -> None:
    """Draw the cells without a value; contours later cover what lies between values.

    Contours reach from grid point to grid point, so next to a missing point up to a whole step stays
    empty. Tiles of a whole step fill that; tiles of half a step then give each kind its own half.
    """
    for reach in (1.0, 0.5):
        for mask, look in ((~grid.done, MISSING), (grid.diverged, DIVERGED)):
            if mask.any():
                axes.add_collection(PolyCollection(list(_tiles(grid, mask, reach)), **look, zorder=0.5))


def _tiles(grid: _Grid, mask: Bools, reach: float) -> Float64s:
    """(tile, 4, 2) corners of rectangles around the grid points in `mask`, `reach` steps to each side."""
    (x0, x1), (y0, y1) = (_bounds(axis, reach) for axis in (grid.alphas, grid.betas))
    a, b = np.nonzero(mask)
    corners = [(x0[a], y0[b]), (x1[a], y0[b]), (x1[a], y1[b]), (x0[a], y1[b])]
    return np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)


def _bounds(axis: Float64s, reach: float) -> tuple[Float64s, Float64s]:
    """Where the tile of each grid line starts and ends; at the edge of the grid, on the line."""
    steps = reach * np.diff(axis)
    return axis - np.append(0, steps), axis + np.append(steps, 0)


def _fill(axes: Axes, grid: _Grid, plan: _Levels) -> None:
    """White wherever there are values (it covers the hatching), then each threshold's colour."""
    if grid.range is None:
        return
    low, high = plan.scale(np.array(grid.range))
    inside = [
        (float(plan.scale(np.array(level))), colour)
        for level, colour in zip(plan.fills, _fill_colours(plan), strict=True)
        if level >= grid.range[0]
    ]
    bounds = [low - 1.0, *(level for level, _ in inside)]
    bounds.append(max(high, bounds[-1]) + 1.0)
    axes.contourf(
        grid.alphas,
        grid.betas,
        plan.scale(grid.values).T,  # contour functions take Z[y, x]
        levels=bounds,
        colors=[*(colour for _, colour in inside), "white"],
        corner_mask=True,
        zorder=1,
    )


def _fill_colours(plan: _Levels) -> list[Any]:
    return [FILLS(position) for position in np.linspace(0, 1, max(len(plan.fills), 2))[: len(plan.fills)]]


def _lines(axes: Axes, grid: _Grid, plan: _Levels) -> None:
    """Contour lines with inline labels: on each of up to 12 levels, on every second or third of more."""
    assert grid.range is not None
    inside = plan.lines[(plan.lines > grid.range[0]) & (plan.lines < grid.range[1])]
    if not inside.size:
        return  # matplotlib warns where no line is in the data
    drawn = axes.contour(
        grid.alphas,
        grid.betas,
        plan.scale(grid.values).T,
        levels=plan.scale(inside),
        colors="#333333",
        linewidths=0.6,
        linestyles="solid",  # negative ones, as logarithms are, would be dashed
        corner_mask=True,
        zorder=2,
    )
    _label_lines(axes, grid, drawn, [_text(level) for level in inside])


def _label_lines(axes: Axes, grid: _Grid, drawn: ContourSet, texts: list[str]) -> None:
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


def _obstacles(grid: _Grid) -> Float64s:
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


def _nothing(grid: _Grid, quantity: str) -> str:
    return f"no finite {quantity}" if grid.done.all() else f"no finite {quantity} yet"


def _say(axes: Axes, text: str) -> None:
    axes.text(
        0.5,
        0.65,  # above the cross at the centre
        text,
        transform=axes.transAxes,
        ha="center",
        va="center",
        bbox={"facecolor": "white", "edgecolor": "#888888", "linewidth": 0.5, "boxstyle": "round,pad=0.4"},
    )


# --- contours: legend ---------------------------------------------------------------------------


def _legend(grid: _Grid, plan: _Levels, quantity: str) -> list[Artist]:
    handles: list[Artist] = []
    whole = "the grid" if grid.done.all() else "computed cells"
    for level, colour in zip(plan.fills, _fill_colours(plan), strict=True):
        share = 100 * sublevel_share(grid.values, float(level), done=grid.done)
        text = f"{quantity} ≤ {_text(level)}: {share:.1f} % of {whole}"
        handles.append(Patch(facecolor=colour, edgecolor="#333333", linewidth=0.5, label=text))
    if plan.lines.size and not grid.flat:
        handles.append(Line2D([], [], color="#333333", linewidth=0.6, label=plan.note))
    if grid.diverged.any():
        share = 100 * grid.diverged.sum() / grid.done.sum()
        handles.append(Patch(**DIVERGED, label=f"diverged: {share:.1f} % of {whole}"))
    if not grid.done.all():
        handles.append(Patch(**MISSING, label="not computed yet"))
    if _covers_centre(grid):
        handles.append(Line2D([], [], **_cross(), label=_centre_text(grid)))
    return handles


def _cross() -> _Look:
    return {
        "color": "#C03A00",  # vermilion, darkened: on blue, for all kinds of colour vision
        "marker": "+",
        "markersize": 7,
        "markeredgewidth": 1.4,
        "linestyle": "none",
        "zorder": 4,
    }


def _centre_text(grid: _Grid) -> str:
    """Legend text of the unperturbed parameters, with their value if they are a grid point."""
    a, b = _index_of_zero(grid.alphas), _index_of_zero(grid.betas)
    if a is None or b is None:
        return "centre (0, 0)"
    if not grid.done[a, b]:
        return "centre (0, 0): not computed yet"
    value = grid.values[a, b]
    return "centre (0, 0): diverged" if np.isnan(value) else f"centre (0, 0): {value:.5g}"


# --- 3-D ----------------------------------------------------------------------------------------


def _height_range(grid: _Grid, z_limits: tuple[float, float] | None) -> tuple[float, float]:
    """Limits of height and colour: the caller's, or the data's, widened if they are one value."""
    if z_limits is not None:
        low, high = z_limits
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise SpecError(f"z_limits must be finite and ascending, not {low} and {high}")
        return low, high
    low, high = grid.range or (0.0, 1.0)
    pad = 0.1 * max(abs(low), 1.0) if low == high else 0.0
    return low - pad, high + pad


def _cut_off(grid: _Grid, limits: tuple[float, float] | None) -> list[str]:
    """Say what is not seen at its own height."""
    notes = []
    done = max(int(grid.done.sum()), 1)
    if grid.diverged.any():
        notes.append(f"{100 * grid.diverged.sum() / done:.1f} % diverged (holes)")
    if limits is None:
        return notes
    for outside, side, limit in (
        (grid.values < limits[0], "below", limits[0]),
        (grid.values > limits[1], "above", limits[1]),
    ):
        if outside.any():
            notes.append(f"{100 * outside.sum() / done:.1f} % {side} {_text(limit)}, drawn at {_text(limit)}")
    return notes


def _solid_figure(title: str) -> tuple[Figure, Any]:
    """Make a figure with 3-D axes; `Any`, as mpl_toolkits has no types."""
    width, view = 6.0, 3.75
    top = title_height(title, width)
    height = view + top
    figure = Figure(figsize=(width, height))
    set_title(figure, title)
    axes: Any = figure.add_subplot(projection="3d")
    # The box is larger than the room: matplotlib leaves wide margins around a 3-D view.
    axes.set_position((-0.1 / width, -0.03 / height, 5.3 / width, (view + 0.4) / height))
    axes.set_box_aspect((1, 1, 0.72), zoom=0.94)
    axes.patch.set_visible(False)
    axes.view_init(elev=28, azim=-58)
    return figure, axes


def _label_solid(axes: Any, grid: _Grid, limits: tuple[float, float], label: str, log: bool) -> None:
    axes.set(xlabel=ALPHA, ylabel=BETA, zlabel=label, zlim=limits)
    axes.set(xlim=grid.alphas[[0, -1]], ylim=grid.betas[[0, -1]])
    _few_ticks(axes.xaxis, axes.yaxis)
    if log:
        axes.zaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.zaxis.set_major_formatter(_powers())
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0.97, 0.97, 0.97, 1.0))


def _draw_solid(axes: Any, grid: _Grid, shown: Floats, limits: tuple[float, float]) -> Any:
    x, y = np.meshgrid(grid.alphas, grid.betas, indexing="ij")
    return axes.plot_surface(
        x,
        y,
        shown,
        cmap=COOLWARM,
        vmin=limits[0],
        vmax=limits[1],
        rstride=1,  # the default draws every n-th point of a grid over 50 × 50
        cstride=1,
        linewidth=0.15,
        edgecolor=(0.25, 0.25, 0.25, 0.35),
        rasterized=shown.size > 10_000,  # 10,000 polygons make a PDF of megabytes
    )


def _colour_bar(figure: Figure, drawn: Any, label: str, log: bool) -> None:
    width, height = figure.get_size_inches()
    bar = figure.colorbar(
        drawn,
        cax=figure.add_axes((5.2 / width, 1.0 / height, 0.13 / width, 2.0 / height)),
        format=_powers() if log else None,
        ticks=MaxNLocator(6, integer=log),
    )
    bar.set_label(label)


def _powers() -> FuncFormatter:
    return FuncFormatter(lambda value, _: f"$10^{{{value:.3g}}}$")
