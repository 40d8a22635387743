"""Sets of surfaces: the numbers of the plain loop, whatever was interrupted or added."""

import numpy as np
import pytest

from raymaml import checkpoints
from raymaml.errors import ClusterError, MismatchError, MissingError, SpecError
from raymaml.landscape import sets
from raymaml.landscape.plan import plan_of
from raymaml.landscape.request import surface_spec
from raymaml.runtime.surface import load_evaluator
from raymaml.specs import GridSpec
from raymaml.verbs.surface import surface, surfaces

pytestmark = pytest.mark.ray

SHARED = {"tasks": 2, "query": 1, "steps": 1, "precision": "float64"}


def by_the_plain_loop(run, seed, direction):
    """Losses (task, alpha, beta), in this process and without a store."""
    folder = run.seed(seed).best
    spec = surface_spec(checkpoints.load(folder), grid=GridSpec(4, 2), direction_seed=direction, **SHARED)
    evaluator, losses = load_evaluator(spec, folder), np.full((2, 4, 2), np.nan)
    for block in plan_of(2, 4, 2).blocks():
        losses[block.slices] = evaluator.evaluate(block).loss[:, 0, 0]
    return losses


def pairs_of(found):
    return [(m.spec.seed, m.spec.direction_seed) for m in found.members]


def compute(run, seeds, directions, path, **options):
    return surfaces(str(run.path), seeds, directions, grid=(4, 2), out=path, actors=1, **SHARED, **options)


def test_a_set_that_was_stopped_and_grown_holds_the_surfaces_of_the_plain_loop(cluster, trained, tmp_path):
    path = tmp_path / "set.zarr"

    def stop(progress):
        if progress.blocks == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute(trained, [5, 6], [0], path, on_progress=stop)
    assert sum(len(member.missing()) for member in sets.open_set(path).members) == 1
    seen, started = [], []
    found = compute(trained, [6], [0, 3], path, on_start=lambda *what: started.append(what), on_progress=seen.append)
    assert pairs_of(found) == [(5, 0), (6, 0), (6, 3)]
    assert [p.blocks for p in seen] == [1, 2, 3, 4]  # of one surface one block was there; of the other none
    [(seeds, specs, where)] = started
    assert ([s.seed for s in seeds], [s.direction_seed for s in specs], where) == ([6], [0, 3], path)
    for member in found.members:
        expected = by_the_plain_loop(trained, member.spec.seed, member.spec.direction_seed)
        assert np.array_equal(member.surface("loss"), expected)
    # Each surface is that of `surface`, to the byte: what is in a set is a store like any other.
    alone = surface(str(trained.path), 6, direction_seed=3, grid=(4, 2), out=tmp_path / "one.zarr", actors=1, **SHARED)
    assert alone.spec == found.members[2].spec
    assert np.array_equal(alone.read("loss"), found.members[2].read("loss"))
    # A finished set needs no cluster.
    again = surfaces(
        str(trained.path), [5, 6], grid=(4, 2), out=path, address="127.0.0.1:1",
        on_progress=lambda p: pytest.fail("computed"), **SHARED,
    )  # fmt: skip
    assert pairs_of(again) == pairs_of(found)


def test_a_set_lies_with_its_run_whatever_the_seeds(trained):
    places = []

    def stop(seeds, specs, path):
        places.append(path)
        raise KeyboardInterrupt

    for seeds, directions in ((None, [0]), ([6], [4, 2])):
        with pytest.raises(KeyboardInterrupt):
            surfaces(str(trained.path), seeds, directions, grid=(4, 2), on_start=stop, **SHARED)
    assert places[0] == places[1]
    assert places[0].parent == trained.path / "surfaces"
    assert places[0].name.startswith("novel-4x2-2tasks-")


def test_what_cannot_be_a_set_is_refused_before_anything_is_made(cluster, trained, tmp_path):
    path = tmp_path / "set.zarr"
    for directions in ([], [1, 1], [0, -1]):
        with pytest.raises(SpecError, match="needs different whole numbers from 0 up"):
            compute(trained, [5], directions, path)
    with pytest.raises(MissingError, match="no finished seed 9"):
        compute(trained, [5, 9], [0], path)
    assert not path.exists()
    sets.claim(path, surface_spec(checkpoints.load(trained.seed(5).best), grid=GridSpec(3, 2), **SHARED))
    with pytest.raises(MismatchError, match="holds other surfaces: grid.alphas is 3, asked for 4"):
        compute(trained, [5], [0], path)
    assert sets.members(path) == []


def test_no_set_is_made_where_no_cluster_answers(trained, tmp_path, monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ClusterError, match="no Ray cluster answers"):
        surfaces(str(trained.path), [5, 6], grid=(4, 2), out=tmp_path / "s.zarr", address="127.0.0.1:1", **SHARED)
    assert not (tmp_path / "s.zarr").exists()
