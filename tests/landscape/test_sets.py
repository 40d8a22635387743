"""Several seeds and directions in one store."""

import dataclasses
import json

import pytest

from raymaml.errors import MismatchError, MissingError, SpecError
from raymaml.landscape import sets
from raymaml.landscape.store import create_or_open


@pytest.fixture
def specs(surface_spec):
    """Members of one set, not in order; a string sort would put seed 10 before seed 5."""
    pairs = [(10, 0), (5, 1), (5, 0)]
    return [
        dataclasses.replace(surface_spec, seed=seed, direction_seed=direction, checkpoint_digest=f"weights {seed}")
        for seed, direction in pairs
    ]


@pytest.fixture
def path(tmp_path, specs):
    """A set with all of them."""
    path = tmp_path / "set.zarr"
    for spec in specs:
        sets.claim(path, spec)
        create_or_open(sets.member_path(path, spec), spec, {})
    return path


def test_a_set_holds_its_surfaces_by_seed_and_direction(path, specs):
    found = sets.open_set(path)
    assert [(m.spec.seed, m.spec.direction_seed) for m in found.members] == [(5, 0), (5, 1), (10, 0)]
    assert {m.spec for m in found.members} == set(specs)
    assert sets.is_set(path)
    assert sets.members(path) == [m.path for m in found.members]


def test_a_surface_is_no_set(path):
    [member, *_] = sets.members(path)
    assert not sets.is_set(member)
    assert sets.members(member) == [member]
    with pytest.raises(SpecError, match="not a set of surfaces"):
        sets.open_set(member)


def test_a_set_refuses_a_surface_that_differs_in_more(path, specs):
    with pytest.raises(MismatchError, match="tasks is 3, asked for 4"):
        sets.claim(path, dataclasses.replace(specs[0], tasks=4))


def test_a_surface_that_was_moved_into_a_set_is_found_out(path, specs):
    stranger = dataclasses.replace(specs[0], task_seed=9)
    create_or_open(sets.member_path(path, dataclasses.replace(stranger, seed=7)), stranger, {})
    with pytest.raises(MismatchError, match="does not belong there"):
        sets.open_set(path)


def test_an_absent_or_empty_set_says_how_to_make_one(tmp_path, specs):
    for prepare in (lambda path: None, lambda path: sets.claim(path, specs[0])):
        prepare(tmp_path / "set.zarr")
        with pytest.raises(MissingError, match="raymaml surface --seeds"):
            sets.open_set(tmp_path / "set.zarr")


@pytest.mark.parametrize(("version", "advice"), [(2, "update raymaml"), (0, "move it away and compute it again")])
def test_a_set_of_another_format_is_refused(tmp_path, specs, version, advice):
    path = tmp_path / "set.zarr"
    sets.claim(path, specs[0])
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"]["format"] = version
    (path / "zarr.json").write_text(json.dumps(metadata))
    for use in (lambda: sets.open_set(path), lambda: sets.claim(path, specs[0])):
        with pytest.raises(SpecError, match=f"has format {version}, this version reads 1; {advice}"):
            use()


def test_what_is_held_is_the_set(tmp_path, specs):
    path = tmp_path / "set.zarr"
    assert sets.whole(sets.member_path(path, specs[0])) == path
    assert sets.whole(path) == path


def test_what_a_killed_creation_left_goes(tmp_path, specs):
    for name in (".set.zarr.0123abcd.partial", ".set.zarr.b.0123abcd.partial"):
        (tmp_path / name / "c").mkdir(parents=True)
    sets.claim(tmp_path / "set.zarr", specs[0])
    assert sorted(p.name for p in tmp_path.iterdir()) == [".set.zarr.b.0123abcd.partial", "set.zarr"]
