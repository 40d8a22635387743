"""Write figures to files, each whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from raymaml import files
from raymaml.errors import SpecError
from raymaml.figures.style import styled

_METADATA: dict[str, dict[str, Any]] = {"png": {}, "pdf": {"CreationDate": None}, "svg": {"Date": None}}


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
    return [_save_one(figure, stem, name) for name in formats]


@styled()
def _save_one(figure: Figure, stem: Path, name: str) -> Path:
    target = stem.with_name(f"{stem.name}.{name}")  # not with_suffix: a stem may be called lr0.1
    files.replace(target, lambda path: figure.savefig(path, format=name, dpi=200, metadata=_METADATA[name]))
    return target
