"""Adaptive surfaces on real actors: the chosen cells of the whole surface, whatever happens on the way."""

import json

import numpy as np
import pytest
import zarr

from raymaml import adaptive_record, checkpoints
from raymaml.errors import SpecError
from raymaml.landscape import adaptive
from raymaml.landscape import store as stores
from raymaml.landscape.adaptive_record import mean_of, missing
from raymaml.landscape.lattice import Lattice
from raymaml.landscape.plan import Plan
from raymaml.landscape.request import surface_spec
from raymaml.runtime.replicas import Request
from raymaml.runtime.surface import compute, load_evaluator
from raymaml.specs import GridSpec
from raymaml.verbs.surface import surface

pytestmark = pytest.mark.ray

COARSE, FINE = 0.3, 0.1  # nats


@pytest.fixture(autouse=True)
def _single_points(monkeypatch):
    """Blocks of one point also for one task: a small grid then has enough of them to leave some out."""
    monkeypatch.setattr(stores, "plan_of", lambda *shape, shared: Plan(shape, (shape[0], 1, 1)))


@pytest.fixture(scope="module")
def centre(trained):
    return trained.seed(5).best


@pytest.fixture(scope="module")
def spec(centre):
    return surface_spec(checkpoints.load(centre), grid=GridSpec(17, 13), tasks=1, query=1, steps=1, precision="float64")


@pytest.fixture(scope="module")
def in_process(spec, centre, tmp_path_factory):
    """All of the surface, by the plain loop."""
    evaluator = load_evaluator(spec, centre)
    path = tmp_path_factory.mktemp("plain") / "s.zarr"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stores, "plan_of", lambda *shape, shared: Plan(shape, (shape[0], 1, 1)))
        store = stores.create_or_open(path, spec, {"threads": 1, "direction_digest": evaluator.direction_digest})
    for block in store.missing():
        store.write(block, evaluator.evaluate(block))
    return store


def needed(whole, tolerance):
    """What the values of the whole surface ask for."""
    lattice = Lattice.of(whole.plan)
    return lattice.spread(adaptive.needed(*mean_of(whole), lattice, tolerance))


def one(spec, centre, path, **options):
    [store] = compute([Request(spec, centre, path)], actors=2, **options)
    return store


def assert_part_of(store, whole, cells):
    assert np.array_equal(store.read("done")[0].astype(bool), cells)
    for name in ("loss", "accuracy", "support_loss"):
        found, expected = store.read(name), whole.read(name)
        assert np.array_equal(found[..., cells], expected[..., cells]), name
        assert np.isnan(found[..., ~cells]).all(), name


def test_adaptive_is_interrupted_continued_refined_and_completed(cluster, spec, centre, in_process, tmp_path, kill):
    coarse, fine = needed(in_process, COARSE), needed(in_process, FINE)
    assert 81 < coarse.sum() < fine.sum() < 221  # each tolerance leaves something out
    path, killed = tmp_path / "s.zarr", []

    def stop(progress):
        if progress.blocks == 20:
            killed.append(kill("ray::BlockActor"))
        if progress.blocks == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one(spec, centre, path, adaptive=COARSE, on_progress=stop)
    assert killed == [True]
    assert adaptive_record(path) is None  # nothing is said of what is unfinished
    begun = int(stores.open_store(path).read("done").sum())
    metadata = (path / "zarr.json").read_bytes()
    seen = []
    store = one(spec, centre, path, adaptive=COARSE, on_progress=seen.append)
    assert_part_of(store, in_process, coarse)
    assert (seen[0].blocks, seen[-1].blocks, seen[-1].evaluations_left) == (begun, coarse.sum(), 0)
    assert seen[-1].evaluations == coarse.sum() - begun
    assert {p.blocks_most for p in seen} == {221}
    assert len({p.blocks_total for p in seen}) > 1  # it grew
    record = adaptive_record(path)
    assert record == adaptive.measure(*mean_of(in_process), Lattice.of(in_process.plan), COARSE)
    assert (record.points, record.grid_points) == (coarse.sum(), 221)

    # The same, or a larger tolerance: nothing to compute, and no cluster is needed for that.
    for tolerance in (COARSE, 2 * COARSE):
        compute([Request(spec, centre, path)], address="127.0.0.1:1", adaptive=tolerance)
        assert adaptive_record(path) == record

    store = one(spec, centre, path, adaptive=FINE, on_progress=seen.append)
    assert_part_of(store, in_process, fine)
    assert adaptive_record(path).tolerance == FINE
    assert zarr.open_group(path / "adaptive", mode="r").attrs["tolerance"] == FINE

    seen.clear()
    store = one(spec, centre, path, on_progress=seen.append)
    assert seen[-1].evaluations == 221 - fine.sum()  # no cell was computed again
    assert_part_of(store, in_process, np.ones((17, 13), bool))
    assert adaptive_record(path) is None  # nothing is interpolated any more
    assert (path / "zarr.json").read_bytes() == metadata


def test_a_block_that_always_fails_ends_the_rounds(cluster, spec, centre, in_process, tmp_path):
    path = tmp_path / "s.zarr"
    stores.create_or_open(path, spec, in_process.provenance)
    blocked = path.joinpath("loss", "c", "0", "0", "0", "8")
    blocked.parent.mkdir(parents=True)
    blocked.touch()
    with pytest.raises(Exception, match=r"blocks failed, such as Block\(task=\(0, 1\), alpha=\(8, 9\)"):
        one(spec, centre, path, adaptive=COARSE)
    assert adaptive_record(path) is None


def test_a_damaged_record_is_one_line(spec, in_process, tmp_path):
    store = stores.create_or_open(tmp_path / "s.zarr", spec, {})
    file = store.path / "adaptive" / "zarr.json"
    file.parent.mkdir()
    whole = {"kind": "raymaml.adaptive", "format": 1, "tolerance": 0.1, "points": 3, "grid_points": 9, "held_back": 0}
    whole |= {"max_error": None, "mean_error": None, "not_finite": 0}
    file.write_text(json.dumps({"attributes": whole}))
    assert adaptive_record(store.path).points == 3
    for attributes, message in (
        ({**whole, "format": 2}, "has kind raymaml.adaptive and format 2, this version reads raymaml.adaptive 1"),
        ({**whole, "more": 1}, "is damaged: .*; remove it, and run the same raymaml surface again"),
        ({**whole, "tolerance": "x"}, "is damaged"),
        ([], "is damaged"),
    ):
        file.write_text(json.dumps({"attributes": attributes}))
        with pytest.raises(SpecError, match=message):
            adaptive_record(store.path)
    assert len(missing(store, 0.1)) >= 81


def test_a_bad_tolerance_is_refused_before_anything_is_looked_for():
    with pytest.raises(SpecError, match="--adaptive needs a tolerance in nats above 0"):
        surface("no such run", adaptive=-1.0)
