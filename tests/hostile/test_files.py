"""Every file that we read, harmed in many ways, before each command that reads it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hostile.checks import cases, check
from hostile.harm import harmed, replaced
from hostile.world import World
from hypothesis import given
from hypothesis import strategies as st

SURFACE = "here/surface.zarr"
SEED = "home/tiny/seed-5"
DRAW, EXPORT = "figure surface surface.zarr --formats svg", "export surface.zarr --format csv npz"
VERIFY = "verify surface.zarr --cells 1 --checkpoint ../home/tiny"
AROUND = "surface --run tiny --grid 3 --tasks 2 --query 1 2 --steps 0 1 --no-figure"
SHARP = "sharpness --run tiny --tasks 2 --query 1 --steps 1"
SCORE = "evaluate --run tiny --tasks 2 --query 1"
TABLE = "table 2"
TRAIN = "train --preset demo --updates 2 --validate-every 1 --val-tasks 2 --test-tasks 2 --query 1 --out ../home/tiny"
SET = "figure spread set.zarr --formats svg"
SHOW, CHECKED = "data show birds --way 2 --query 5", "data check birds"
PREPARE = "data prepare folder --root pictures --name mine --size 8"
BIRDS = "cache/prepared/birds.zarr"


@dataclass(frozen=True)
class Case:
    """A file, how it is written, and the commands that read it."""

    path: str  # below the world; may have * for one of several
    kind: str
    commands: tuple[str, ...]


CASES = [
    Case("home/tiny/run.json", "json", (AROUND, SCORE, TABLE, TRAIN, "figure 3")),
    Case(f"{SEED}/best/checkpoint.json", "json", (AROUND, SHARP, VERIFY)),
    Case(f"{SEED}/best/*.safetensors", "bytes", (AROUND, SHARP, VERIFY)),
    Case(f"{SEED}/result.json", "json", (TABLE, "figure 3", f"{TRAIN} --seeds 5")),
    Case(f"{SEED}/metrics.jsonl", "lines", ("figure 19 --data glyphs", TABLE)),
    Case(f"{SEED}/surfaces/*.zarr/zarr.json", "json", (AROUND,)),
    Case(f"{SEED}/surfaces/*.zarr/done/c/0/0/0", "bytes", (AROUND,)),
    Case(f"{SEED}/evaluations/*.zarr/zarr.json", "json", (SCORE, TABLE, "figure 3")),
    Case(f"{SEED}/evaluations/*.zarr/loss/zarr.json", "json", (SCORE, TABLE)),
    Case(f"{SEED}/evaluations/*.zarr/accuracy/c/*/*/*/*/*", "bytes", (SCORE, TABLE)),
    Case(f"{SEED}/sharpness/*.zarr/zarr.json", "json", (SHARP, "table 7 --data glyphs", "figure 13")),
    Case(f"{SEED}/sharpness/*.zarr/sharpness_standard/zarr.json", "json", (SHARP, "correlate")),
    Case(f"{SEED}/sharpness/*.zarr/done_standard/c/*", "bytes", (SHARP,)),
    Case(f"{SURFACE}/zarr.json", "json", (DRAW, EXPORT, VERIFY, "figure spread surface.zarr --formats svg")),
    Case(f"{SURFACE}/loss/zarr.json", "json", (DRAW, EXPORT, VERIFY)),
    Case(f"{SURFACE}/done/zarr.json", "json", (DRAW, EXPORT, VERIFY)),
    Case(f"{SURFACE}/task/zarr.json", "json", (EXPORT, VERIFY)),
    Case(f"{SURFACE}/loss/c/*/*/*/*/*", "bytes", (DRAW, EXPORT, VERIFY)),
    Case(f"{SURFACE}/done/c/*/*/*", "bytes", (DRAW, EXPORT, VERIFY)),
    Case(f"{SURFACE}/alpha/c/0", "bytes", (EXPORT, VERIFY)),
    Case("here/set.zarr/zarr.json", "json", (SET, "export set.zarr --format csv", VERIFY.replace("surface", "set"))),
    Case("here/set.zarr/seed-5-direction-1/zarr.json", "json", (SET, "export set.zarr --format csv")),
    Case(
        f"{BIRDS}/zarr.json", "json", (SHOW, CHECKED, "data list", PREPARE.replace("mine", "birds").replace("8", "16"))
    ),
    Case(f"{BIRDS}/images/zarr.json", "json", (SHOW, CHECKED, "train --data birds --preset demo --way 2 --query 5")),
    Case(f"{BIRDS}/images/c/0/0/0/0", "bytes", (SHOW, CHECKED)),
    Case(f"{BIRDS}/offsets/zarr.json", "json", (SHOW, CHECKED)),
    Case(f"{BIRDS}/offsets/c/0", "bytes", (SHOW, CHECKED)),
    Case(f"{BIRDS}/originals/0/c/0", "bytes", (SHOW, CHECKED)),
    Case("here/split.json", "json", (f"{PREPARE} --split-file split.json",)),
    Case("here/pictures/bird0/3.png", "bytes", (PREPARE, "data list --root pictures")),
    Case("here/results.csv", "csv", (f"{TABLE} --from results.csv", "table 7 --data glyphs --from results.csv")),
    Case("here/results.csv", "csv", ("correlate --from results.csv", "figure 3 --formats svg --from results.csv")),
]


@contextmanager
def harm(world: World, path: Path, data: st.DataObject, kind: str) -> Iterator[None]:
    """The world with one of its files harmed, which counts as what was there, and then as it was."""
    before, files = path.read_bytes(), dict(world.files)
    try:
        if data.draw(st.integers(0, 9)) == 9:
            replaced(path, data.draw)
        else:
            path.write_bytes(data.draw(harmed(before, kind)))
        world.files = world.snapshot()
        yield
    finally:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.write_bytes(before)
        world.files = files
        world.restore()
        _forget()


def _forget() -> None:
    """Drop what this process keeps of prepared sets: a user's next command is another process."""
    from raymaml.data import prepared

    prepared._open.cache_clear()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path}:{case.commands[0].split()[0]}")
def test_a_harmed_file_gives_one_line_or_works(world, case):
    @cases(case.path, normal=4, nightly=24)
    @given(data=st.data())
    def property_(data):
        path = data.draw(st.sampled_from(sorted(world.root.glob(case.path))))
        command = data.draw(st.sampled_from(case.commands))
        with harm(world, path, data, case.kind):
            _forget()
            check(world, command.split())

    property_()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path}:{case.commands[0].split()[0]}")
def test_the_whole_files_are_read_by_the_commands(world, case):
    assert list(world.root.glob(case.path))
    for command in case.commands:
        ran = check(world, command.split())
        expected = {0, 2} if "table 7" in command or "figure 13" in command or command == "correlate" else {0}
        refused = "no cluster is started" in ran.err  # all that is read is read before
        assert ran.code in expected or refused, (command, ran)
