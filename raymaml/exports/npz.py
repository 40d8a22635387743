"""NumPy's `.npz`: every task's values with their axes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from raymaml import files


def write(
    path: Path,
    arrays: Mapping[str, npt.NDArray[Any]],
    *,
    spec: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> None:
    """Write arrays under their names, and `spec` and `provenance` as JSON strings, in shape ().

    No object is pickled: `numpy.load(path)` reads all of it, and `json.loads(str(found["spec"]))` the specification.
    """
    texts: dict[str, Any] = {"spec": np.array(json.dumps(spec)), "provenance": np.array(json.dumps(provenance))}

    def fill(temporary: Path) -> None:
        with temporary.open("wb") as file:  # given a path, NumPy would add .npz to it
            np.savez_compressed(file, **texts, **cast(dict[str, Any], arrays))

    files.replace(path, fill)
