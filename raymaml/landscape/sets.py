"""Surfaces of several seeds and several direction pairs of one run, in one Zarr store.

    <name>.zarr/                       attributes: kind, format, shared
        seed-5-direction-0/            a surface, as in `store`
        seed-5-direction-1/
        ...

All surfaces of a set agree in everything but the seed, its weights and the directions. A set grows: another seed or
another pair of directions is one more surface in it, and what is there is not computed again.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zarr

from raymaml import files, zarr_groups
from raymaml.errors import MismatchError, MissingError
from raymaml.landscape.store import SurfaceStore, open_store
from raymaml.specs import SurfaceSpec, differences

KIND, FORMAT = "raymaml.surfaces", 1


@dataclass(frozen=True)
class SurfaceSet:
    """An open set: what its surfaces share, and the surfaces, by seed and then by direction seed."""

    path: Path
    shared: SurfaceSpec  # see `shared`
    members: tuple[SurfaceStore, ...]


def shared(spec: SurfaceSpec) -> SurfaceSpec:
    """What a surface has in common with others of its set: all but seed, weights and directions."""
    return dataclasses.replace(spec, seed=0, checkpoint_digest="", direction_seed=0)


def member_path(path: Path, spec: SurfaceSpec) -> Path:
    """Where a surface lies in the set at `path`."""
    return path / f"seed-{spec.seed}-direction-{spec.direction_seed}"


def whole(path: Path) -> Path:
    """What a driver holds while it computes the surface at `path`: the set that it belongs to, else the surface."""
    return path.parent if re.fullmatch(r"seed-\d+-direction-\d+", path.name) else path


def claim(path: Path, spec: SurfaceSpec) -> None:
    """Make the set at `path` that a surface belongs to, or check that it is that one; to make it, hold its lock.

    Raises:
        MismatchError: something else is there, or a set of other surfaces.
        SpecError: a set of another format, or a damaged one.
    """
    if not path.exists():
        files.remove_leftovers(path)
        zarr_groups.make(path, lambda folder: _create(folder, shared(spec)))
    there = _shared_of(path)
    if there != shared(spec):
        raise MismatchError(
            f"{path} holds other surfaces: {differences(there, shared(spec))}; name another store with --out"
        )


def is_set(path: Path) -> bool:
    """Whether a set of surfaces is at `path`, rather than one surface or something else."""
    return zarr_groups.kind_of(path) == KIND


def members(path: Path) -> list[Path]:
    """The surfaces of the set at `path`, by seed and direction seed; `path` itself where it is no set."""
    if not is_set(path):
        return [path]
    return sorted(path.glob("seed-*-direction-*"), key=lambda member: [int(n) for n in member.name.split("-")[1::2]])


def open_set(path: Path) -> SurfaceSet:
    """Open a set and all its surfaces.

    Raises:
        MissingError: there is nothing at `path`, or no surface in it.
        SpecError: it is no set, is damaged, or has a newer format.
        MismatchError: a surface in it is not of the set.
    """
    if not path.exists():
        raise MissingError(f"no surfaces at {path}; compute them: raymaml surface --seeds 5 6 7 --out {path}")
    found = SurfaceSet(path, _shared_of(path), tuple(open_store(member) for member in members(path)))
    if not found.members:
        raise MissingError(f"no surface in {path} yet; compute them: raymaml surface --seeds 5 6 7 --out {path}")
    for member in found.members:
        if shared(member.spec) != found.shared or member.path != member_path(path, member.spec):
            raise MismatchError(
                f"{member.path} does not belong there: {differences(found.shared, shared(member.spec))}"
            )
    return found


def _create(folder: Path, spec: SurfaceSpec) -> None:
    attributes: dict[str, Any] = {"kind": KIND, "format": FORMAT, "shared": spec.to_dict()}
    zarr.create_group(folder, attributes=attributes)


def _shared_of(path: Path) -> SurfaceSpec:
    with zarr_groups.reading(path, "set of surfaces"):
        attributes: dict[str, Any] = dict(zarr_groups.open_group(path).attrs)
        zarr_groups.check_format(path, attributes, KIND, FORMAT, "set of surfaces")
        return SurfaceSpec.from_dict(attributes["shared"])
