"""How every figure looks: one rc dict, colours, sizes, and titles that are never cut."""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.textpath import TextPath
from matplotlib.ticker import MaxNLocator

SINGLE = 3.4  # inches: one column of a two-column paper
DOUBLE = 7.0  # inches: both columns
TITLE_SIZE = 8.5  # points
LINE = 1.25  # line height in font sizes

# Okabe and Ito (2008): distinguishable with all common forms of colour blindness.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

# DejaVu Sans comes with matplotlib and has Latin, Greek and Cyrillic; the others only where installed,
# for class names in other scripts (alphabets of Omniglot).
FONTS = ("DejaVu Sans", "Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Arial Unicode MS", "Unifont")

RC: dict[Any, Any] = {  # Any: the type of its keys differs between versions of matplotlib
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "figure.titlesize": TITLE_SIZE,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.0,
    "grid.linewidth": 0.4,
    "hatch.linewidth": 0.5,
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.unicode_minus": True,
    "figure.facecolor": "white",
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # TrueType: journals refuse Type 3
    "svg.fonttype": "path",  # looks the same without our fonts
    "svg.hashsalt": "raymaml",  # ids inside the file repeat from run to run
}

_LOCK = threading.RLock()  # rcParams are global: two threads would restore each other's


@contextmanager
def styled() -> Iterator[None]:
    """Apply the style inside a `with` block or, as `@styled()`, a function; one thread at a time."""
    with _LOCK, mpl.rc_context():
        mpl.rcParams.update(RC)
        mpl.rcParams["font.family"] = list(_fonts())
        yield


@lru_cache(maxsize=4096)  # titles are wrapped once to know their height, and again to be set
def text_width(text: str, size: float) -> float:
    """Width of one line of text in inches, in the style's font at `size` points; `$` is a dollar."""
    if not text.strip():
        return 0.0
    font = FontProperties(family=list(_fonts()))
    return float(TextPath((0, 0), drawable(text).replace("$", r"\$"), size=size, prop=font).get_extents().x1) / 72


def wrap(text: str, width: float, size: float) -> str:
    """Break the lines of `text` that are wider than `width` inches; given line breaks stay."""
    return "\n".join(piece for line in text.split("\n") for piece in _wrap_line(line, width, size))


def set_title(figure: Figure, text: str) -> float:
    """Put `text` at the figure's top left, wrapped to its width; return the height it takes in inches.

    `$` is a dollar: run names must not turn into mathematics.
    """
    width, height = figure.get_size_inches()
    margin = 0.08
    lines = wrap(drawable(text), width - 2 * margin, TITLE_SIZE)
    figure.suptitle(
        lines,
        x=margin / width,
        y=1 - margin / height,
        ha="left",
        va="top",
        parse_math=False,
        linespacing=LINE,
    )
    return title_height(text, width)


def title_height(text: str, width: float) -> float:
    """Inches that `set_title` needs at the top of a figure `width` inches wide."""
    if not text.strip():
        return 0.1
    count = len(wrap(drawable(text), width - 0.16, TITLE_SIZE).split("\n"))
    return count * TITLE_SIZE * LINE / 72 + 0.2


def few_ticks(*axes: Axis) -> None:
    """Put at most six ticks on each axis, at round values."""
    for axis in axes:
        axis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))


def drawable(text: str) -> str:
    """`text` with each character that no installed font has written as its code point, e.g. U+3042."""
    known = _characters()
    return "".join(c if c in "\n " or ord(c) in known else f"U+{ord(c):04X}" for c in text)


def _wrap_line(line: str, width: float, size: float) -> list[str]:
    """Pieces of one line, each at most `width` inches: the fewest characters a line must give up."""
    full = text_width(line, size)
    if full <= width:
        return [line]
    most = int(len(line) * width / full) + 8  # where to start: a line of average letters, and a little more
    for count in range(min(most, len(line)), 1, -1):
        pieces = textwrap.wrap(line, count)
        if all(text_width(piece, size) <= width for piece in pieces):
            return pieces
    return textwrap.wrap(line, 1)


@lru_cache(maxsize=1)
def _fonts() -> tuple[str, ...]:
    """Return those of FONTS that are installed: matplotlib logs a warning for each that is not."""
    installed = set(fontManager.get_font_names())
    return tuple(name for name in FONTS if name in installed)


@lru_cache(maxsize=1)
def _characters() -> frozenset[int]:
    paths = [Path(fontManager.findfont(FontProperties(family=[name]))) for name in _fonts()]
    return frozenset(code for path in paths for code in get_font(str(path)).get_charmap())
