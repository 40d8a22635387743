"""A page with a surface that turns, in one HTML file that needs no network; the only module with plotly."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go

from raymaml import files
from raymaml.analysis import Float64s, Floats

# Those of figures.solid: Okabe and Ito's blue and vermilion, no red-green pair, grey in between.
COLOURS = ((0.0, "#0072B2"), (0.5, "#E4E1DC"), (1.0, "#D55E00"))
LOG_FLOOR = 0.01  # colours do not tell values below it apart on a logarithmic scale; as in the figures


@dataclass(frozen=True)
class Shown:
    """One of the surfaces that the slider of a page chooses from."""

    label: str  # at the slider
    title: str  # lines, with what is particular to this one
    values: Floats  # (alpha, beta); what is not finite leaves a hole


def write(
    path: Path,
    surfaces: Sequence[Shown],
    *,
    alphas: Float64s,
    betas: Float64s,
    quantity: str,
    log: bool | None = False,
    name: str,
) -> None:
    """Write the page, of about 5 MB: it holds plotly's script.

    Args:
        path: of the file.
        surfaces: the last one is shown first; a slider chooses if there are several.
        alphas: (alpha,) ascending.
        betas: (beta,) ascending.
        quantity: what the height is, in words.
        log: whether the height starts logarithmic; buttons switch, and then a value of 0 or less leaves a hole. None:
            no buttons.
        name: of the page, in the browser's tab.
    """
    figure = go.Figure([_trace(shown, alphas, betas, quantity, bool(log)) for shown in surfaces])
    figure.data[-1].visible = True
    figure.update_layout(
        title={"text": _rich(surfaces[-1].title), "font": {"size": 13}, "x": 0.01, "xanchor": "left"},
        font={"family": "DejaVu Sans, Verdana, sans-serif", "size": 12},
        scene={
            "xaxis": {"title": {"text": "α (first direction)"}},
            "yaxis": {"title": {"text": "β (second direction)"}},
            "zaxis": {
                "title": {"text": quantity},
                "type": "log" if log else "linear",
                "exponentformat": "power",
                "nticks": 6,
            },
            "aspectmode": "cube",
            # From the corner of low alpha and low beta, and far enough for the labels of the axes.
            "camera": {"eye": {"x": -1.6, "y": -1.9, "z": 1.1}, "center": {"x": 0, "y": 0, "z": -0.15}},
        },
        margin={"l": 10, "r": 10, "t": 110, "b": 10},
        sliders=[_slider(surfaces)] if len(surfaces) > 1 else [],
        updatemenus=[] if log is None else [_buttons(log)],
        # Else a new place of the slider would turn the surface back.
        uirevision="kept",
    )
    body = figure.to_html(
        full_html=False,
        include_plotlyjs=True,
        include_mathjax=False,
        div_id="surface",  # the default is random: the same surface gives the same bytes
        default_height="96vh",
        config={"displaylogo": False, "responsive": True},
    )
    text = (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f"<title>{html.escape(name)}</title></head>\n<body>{body}</body>\n</html>\n"
    )
    files.write_text(path, text)


def _trace(shown: Shown, alphas: Float64s, betas: Float64s, quantity: str, log: bool) -> Any:
    heights = np.where(np.isfinite(shown.values), shown.values, np.nan).T  # plotly takes z[y, x]
    return go.Surface(
        x=alphas,
        y=betas,
        z=heights,
        surfacecolor=np.log10(np.maximum(heights, LOG_FLOOR)) if log else heights,
        colorscale=COLOURS,
        showscale=False,  # the height says it, on either scale
        connectgaps=False,
        visible=False,
        name=shown.label,
        hovertemplate=f"α %{{x:.4g}}<br>β %{{y:.4g}}<br>{quantity} %{{z:.5g}}<extra></extra>",
    )


def _slider(surfaces: Sequence[Shown]) -> dict[str, Any]:
    return {
        "active": len(surfaces) - 1,
        "pad": {"t": 10, "b": 10, "l": 40, "r": 40},
        "steps": [
            {
                "label": shown.label,
                "method": "update",
                "args": [
                    {"visible": [other is shown for other in surfaces]},
                    {"title.text": _rich(shown.title)},
                ],
            }
            for shown in surfaces
        ],
    }


def _buttons(log: bool) -> dict[str, Any]:
    kinds = ("linear", "log")
    return {
        "type": "buttons",
        "direction": "right",
        "active": kinds.index("log" if log else "linear"),
        "x": 1,
        "xanchor": "right",
        "y": 1,
        "yanchor": "top",
        "buttons": [
            {"label": f"{kind} height", "method": "relayout", "args": [{"scene.zaxis.type": kind}]} for kind in kinds
        ],
    }


def _rich(title: str) -> str:
    """Plotly reads some HTML in its texts: names of runs and data sets must not turn into it."""
    return html.escape(title, quote=False).replace("\n", "<br>")
