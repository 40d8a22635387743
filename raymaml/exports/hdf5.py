"""HDF5 as the scripts of github.com/tomgoldstein/loss-landscape read it (Li et al. 2018); the only module with h5py.

Their `plot_2D.py` and `h52vtp.py` read `xcoordinates`, `ycoordinates` and the surface that `--surf_name` names, and
lay it on `numpy.meshgrid(x, y)`, so a surface must have shape (y, x). Their own `plot_surface.py` makes arrays of shape
(x, y) but fills them in that flat order, which comes to the same on square grids and is wrong on others. We write
(beta, alpha): x is alpha and y is beta, on every grid. `h52vtp.py` itself takes only square grids (it takes the square
root of the number of points); ours that are not square go to ParaView with `exports.vtk`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from raymaml import files
from raymaml.analysis import Float64s
from raymaml.exports.means import Means

NOT_COMPUTED = -1.0  # what their scripts write for it


def write(path: Path, means: Means, *, directions: str, spec: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
    """Write means over tasks.

    Datasets: `xcoordinates` (alpha,), `ycoordinates` (beta,), `train_loss` (beta, alpha) the query loss in nats,
    `train_acc` (beta, alpha) the query accuracy in percent, `support_loss` (beta, alpha) in nats, and `dir_file`. The
    names are theirs whatever the split, since that is what their plots look for. A cell that is not computed is -1 as
    theirs; one that diverged stays NaN or infinite, which matplotlib leaves blank, where -1 would be drawn as a hole
    down to below zero.

    Args:
        path: of the file.
        means: what to write.
        directions: stands in `dir_file`, where their files name a file of directions; their plots do not open it.
        spec: becomes the attribute `spec`, as JSON; `step`, `query` and `tasks` say which part of it this is.
        provenance: becomes the attribute `provenance`, as JSON.
    """
    surfaces = {
        "train_loss": means.loss.mean,
        "train_acc": 100 * means.accuracy.mean,
        "support_loss": means.support_loss.mean,
    }

    def fill(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            file["dir_file"] = directions
            file["xcoordinates"], file["ycoordinates"] = means.alphas, means.betas
            for name, surface in surfaces.items():
                file[name] = _laid(surface, means)
            file.attrs["spec"], file.attrs["provenance"] = json.dumps(spec), json.dumps(provenance)
            for name in ("step", "query", "tasks"):
                file.attrs[name] = getattr(means, name)

    files.replace(path, fill)


def _laid(surface: Float64s, means: Means) -> Float64s:
    return np.where(means.computed, surface, NOT_COMPUTED).T
