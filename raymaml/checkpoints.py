"""Checkpoints: weights in safetensors, everything else in a JSON file that names them.

The JSON is replaced in one step after its weights are on disk, so a directory always holds one whole
checkpoint, whatever was killed when. Nothing is pickled: a checkpoint cannot run code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from raymaml import files
from raymaml.errors import MismatchError, MissingError, RaymamlError, SpecError
from raymaml.params import Params
from raymaml.specs import Score, TrainSpec

INFO = "checkpoint.json"
FORMAT = 1
WEIGHTS, OPTIMISER = "weights/", "optimiser/"


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one run after `step` updates, and what they scored."""

    spec: TrainSpec
    seed: int
    step: int
    params: Params
    val: Score | None = None
    best_accuracy: float | None = None  # of the run so far, on the validation tasks
    since_validation: Sequence[Sequence[float]] = ()  # (update, 2): query loss and accuracy, for the next metrics row
    optimiser: Mapping[str, Tensor] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    weights_digest: str = ""  # SHA-256 of the weights file; set by `load`


def exists(directory: Path) -> bool:
    """Whether the directory holds a checkpoint."""
    return (directory / INFO).is_file()


def save(directory: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint, then drop the files of the one it replaces."""
    weights = directory / f"step-{checkpoint.step:06d}.safetensors"
    tensors = {WEIGHTS + k: v.detach().cpu().contiguous() for k, v in checkpoint.params.items()}
    tensors |= {OPTIMISER + k: v.detach().cpu().contiguous() for k, v in checkpoint.optimiser.items()}
    files.replace(weights, lambda path: save_file(tensors, path))
    files.write_json(directory / INFO, _info(checkpoint, weights))
    for old in directory.glob("*.safetensors"):
        if old != weights:
            old.unlink(missing_ok=True)
    for leftover in directory.glob(".*.partial"):
        leftover.unlink(missing_ok=True)


def _info(checkpoint: Checkpoint, weights: Path) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "weights": weights.name,
        "weights_sha256": files.sha256(weights),
        "spec": checkpoint.spec.to_dict(),
        "seed": checkpoint.seed,
        "step": checkpoint.step,
        "val": checkpoint.val.to_dict() if checkpoint.val else None,
        "best_accuracy": checkpoint.best_accuracy,
        # JSON has no NaN; a diverged update is null.
        "since_validation": [[v if math.isfinite(v) else None for v in row] for row in checkpoint.since_validation],
        "provenance": dict(checkpoint.provenance),
    }


def load(directory: Path) -> Checkpoint:
    """Read a checkpoint and check that its weights are the ones that were written.

    Raises:
        MissingError: there is no checkpoint in the directory.
        SpecError: one of its files is damaged or of another format.
        MismatchError: the weights are not those that the JSON file was written for.
    """
    info = files.read_json(directory / INFO)
    try:
        return _read(directory, info)
    except RaymamlError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpecError(
            f"{directory / INFO} is not a checkpoint of format {FORMAT} ({error!r}): {files.ADVICE}"
        ) from error


def _read(directory: Path, info: dict[str, Any]) -> Checkpoint:
    if info["format"] != FORMAT:
        raise SpecError(f"{directory / INFO} has format {info['format']}, this version reads {FORMAT}; update raymaml")
    weights = directory / Path(info["weights"]).name  # a name, never a path out of the directory
    tensors = _read_tensors(weights, info["weights_sha256"])
    return Checkpoint(
        spec=TrainSpec.from_dict(info["spec"]),
        seed=int(info["seed"]),
        step=int(info["step"]),
        params={k.removeprefix(WEIGHTS): v for k, v in tensors.items() if k.startswith(WEIGHTS)},
        val=Score.from_dict(info["val"]) if info["val"] else None,
        best_accuracy=info["best_accuracy"],
        since_validation=[[math.nan if v is None else v for v in row] for row in info["since_validation"]],
        optimiser={k.removeprefix(OPTIMISER): v for k, v in tensors.items() if k.startswith(OPTIMISER)},
        provenance=info["provenance"],
        weights_digest=info["weights_sha256"],
    )


def _read_tensors(weights: Path, expected: str) -> dict[str, Tensor]:
    if not weights.is_file():
        raise MissingError(f"{weights} is not there: the checkpoint is incomplete; {files.ADVICE}")
    if files.sha256(weights) != expected:
        raise MismatchError(f"{weights} is corrupt: its SHA-256 is not the one in {INFO}; {files.ADVICE}")
    try:
        return load_file(weights)
    except (SafetensorError, OSError) as error:
        raise SpecError(f"{weights} is not a safetensors file ({error}): {files.ADVICE}") from error
