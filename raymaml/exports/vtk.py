"""VTK's XML structured grid (.vts), which ParaView opens; written here, since VTK's own library has 140 MB.

Arrays are base64, which holds every digit, NaN and infinity as they are.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymaml import files
from raymaml.analysis import Float64s
from raymaml.exports.means import Means

TYPES = {"f8": "Float64", "u1": "UInt8", "i8": "Int64"}


def write(path: Path, means: Means, quantity: str = "loss") -> None:
    """Write the means over tasks as a surface over the plane of alpha and beta.

    Points are (alpha, beta, height), alpha fastest. The height is the mean of `quantity`, not scaled or cut: ParaView's
    filters Transform and Warp do that. A point without a finite mean stands at the worst finite one (the highest loss,
    the lowest accuracy; 0 if there is none), since a NaN in a coordinate breaks the drawing of the whole surface.

    Point data: `loss`, `accuracy` and `support_loss` as they are, NaN and infinite ones included; `loss_stderr`,
    `accuracy_stderr`, `support_loss_stderr`; `tasks_done`; `computed` is 1 where all tasks are, `diverged` is 1
    where they are and the mean of `quantity` is not finite. The filter Threshold on these two leaves such points out.

    Args:
        path: of the file.
        means: what to write.
        quantity: `loss`, `accuracy` or `support_loss`.
    """
    chosen = means.of(quantity).mean
    data: dict[str, npt.NDArray[Any]] = {quantity: chosen}  # first: what ParaView colours by
    for name in ("loss", "accuracy", "support_loss"):
        data[name], data[f"{name}_stderr"] = means.of(name)
    data["tasks_done"] = means.tasks_done.astype(np.int64)
    data["computed"] = means.computed.astype(np.uint8)
    data["diverged"] = (means.computed & ~np.isfinite(chosen)).astype(np.uint8)
    x, y = np.meshgrid(means.alphas, means.betas, indexing="ij")
    points = np.stack([x, y, _heights(chosen, quantity)], axis=-1)
    text = _document(points, data, quantity)
    files.write_text(path, text)


def _heights(values: Float64s, quantity: str) -> Float64s:
    finite = values[np.isfinite(values)]
    worst = 0.0 if not finite.size else finite.min() if quantity == "accuracy" else finite.max()
    return np.where(np.isfinite(values), values, worst)


def _document(points: Float64s, data: Mapping[str, npt.NDArray[Any]], active: str) -> str:
    """The file, of points (alpha, beta, 3) and point data (alpha, beta)."""
    extent = f"0 {points.shape[0] - 1} 0 {points.shape[1] - 1} 0 0"
    return "\n".join(
        [
            '<?xml version="1.0"?>',
            '<VTKFile type="StructuredGrid" version="1.0" byte_order="LittleEndian" header_type="UInt64">',
            f'<StructuredGrid WholeExtent="{extent}"><Piece Extent="{extent}">',
            f'<PointData Scalars="{active}">',
            *(_array(name, values) for name, values in data.items()),
            "</PointData>",
            f"<Points>{_array('points', points, 3)}</Points>",
            "</Piece></StructuredGrid>",
            "</VTKFile>\n",
        ]
    )


def _array(name: str, values: npt.NDArray[Any], components: int = 1) -> str:
    """An array (alpha, beta) or (alpha, beta, component) as VTK orders it: the first axis of the grid fastest."""
    kind = TYPES[values.dtype.str[1:]]
    raw = np.ascontiguousarray(np.swapaxes(values, 0, 1)).astype(values.dtype.newbyteorder("<")).tobytes()
    text = base64.b64encode(struct.pack("<Q", len(raw)) + raw).decode("ascii")
    return (
        f'<DataArray type="{kind}" Name="{name}" NumberOfComponents="{components}" format="binary">{text}</DataArray>'
    )
