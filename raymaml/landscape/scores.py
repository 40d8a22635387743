"""The score of an evaluation, from its store."""

from __future__ import annotations

import numpy as np

from raymaml.analysis import score_of
from raymaml.landscape.store import SurfaceStore
from raymaml.specs import Score


def score(store: SurfaceStore) -> Score:
    """Mean accuracy over the tasks of an evaluation with its 95 % interval, and the mean loss."""
    return score_of(
        np.stack([store.read(name)[:, -1, -1, 0, 0].astype(np.float64) for name in ("loss", "accuracy")], axis=1)
    )
