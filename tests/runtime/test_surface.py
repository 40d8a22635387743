import shutil

import numpy as np
import pytest

from raymaml import checkpoints, files
from raymaml.errors import ClusterError, MismatchError, RaymamlError
from raymaml.landscape import store as stores
from raymaml.landscape.request import surface_spec
from raymaml.landscape.trial import CLEARLY
from raymaml.runtime.replicas import Request
from raymaml.runtime.surface import compute, load_evaluator
from raymaml.specs import GridSpec

pytestmark = pytest.mark.ray


def one(spec, checkpoint, path, **options):
    [store] = compute([Request(spec, checkpoint, path)], **options)
    return store


@pytest.fixture(scope="module")
def centre(trained):
    return trained.seed(5).best


KINDS = [
    {"precision": "float32"},
    {"steps": (0, 2), "query": (1, 2), "first_task": 3, "precision": "float64"},
    {"steps": (0, 2), "around": "adapted", "part": "head", "precision": "float64"},
]


def spec_of(centre, changes):
    options = {"tasks": 2, "query": 1, "steps": 2, **changes}
    return surface_spec(checkpoints.load(centre), grid=GridSpec(6, 3), **options)


@pytest.fixture(scope="module", params=KINDS, ids=["one value", "axes", "adapted"])
def spec(request, centre):
    return spec_of(centre, request.param)


@pytest.fixture(scope="module")
def in_process(spec, centre, tmp_path_factory):
    """The plain loop over the plan's blocks, without Ray."""
    evaluator = load_evaluator(spec, centre)
    provenance = {
        "threads": 1,
        "direction_digest": evaluator.direction_digest,
        "execution": evaluator.execution.record(),
    }
    store = stores.create_or_open(tmp_path_factory.mktemp("plain") / "s.zarr", spec, provenance)
    for block in store.missing():
        store.write(block, evaluator.evaluate(block))
    return store


def assert_same(store, expected):
    for name in ("loss", "accuracy", "support_loss", "done"):
        assert np.array_equal(store.read(name), expected.read(name)), name


@pytest.mark.parametrize("actors", [1, 2])
def test_any_number_of_actors_gives_the_arrays_of_the_plain_loop(cluster, spec, centre, in_process, tmp_path, actors):
    seen = []
    store = one(spec, centre, tmp_path / "s.zarr", actors=actors, on_progress=seen.append)
    assert_same(store, in_process)
    assert [p.blocks for p in seen] == list(range(7))
    assert seen[-1].evaluations == 36
    assert seen[-1].evaluations_left == 0
    assert store.provenance["threads"] == 1


def test_the_usual_back_end_is_recorded(cluster, spec, centre, tmp_path):
    store = one(spec, centre, tmp_path / "s.zarr")
    assert store.provenance["execution"] == {"backend": "fused", "at_once": 1, "tf32": False}


def test_a_back_end_by_name_computes_its_tasks_in_the_same_company_everywhere(cluster, centre, tmp_path):
    spec = spec_of(centre, {"precision": "float32"})
    whole = one(spec, centre, tmp_path / "whole.zarr", backend="grouped", actors=1)
    assert whole.provenance["execution"] == {"backend": "grouped", "at_once": 4, "tf32": False}
    half = []

    def stop(progress):
        half.append(progress)
        if len(half) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one(spec, centre, tmp_path / "parts.zarr", backend="grouped", actors=2, on_progress=stop)
    with pytest.raises(MismatchError, match="was started with back end grouped, .* leave out --backend"):
        one(spec, centre, tmp_path / "parts.zarr", backend="plain")
    assert_same(one(spec, centre, tmp_path / "parts.zarr", actors=2), whole)


def test_back_ends_agree_in_float64(cluster, centre, tmp_path):
    spec = spec_of(centre, {"precision": "float64", "steps": (0, 2)})
    plain, *others = (
        one(spec, centre, tmp_path / f"{n}.zarr", backend=n) for n in ("plain", "fused", "grouped", "vmap")
    )
    for other in others:
        for name in ("loss", "accuracy", "support_loss"):
            np.testing.assert_allclose(other.read(name), plain.read(name), rtol=1e-9)
        assert not np.array_equal(other.read("loss"), plain.read("loss"))  # they did compute it another way


def test_a_large_surface_has_its_back_end_from_a_trial(cluster, centre, tmp_path, monkeypatch):
    monkeypatch.setattr("raymaml.landscape.trial.WORTH", 36)
    store = one(spec_of(centre, {}), centre, tmp_path / "s.zarr", actors=1)
    execution = store.provenance["execution"]
    seconds = execution["trial_seconds"]
    assert set(seconds) == {"fused", "grouped", "plain", "vmap"}
    fastest = min(seconds, key=seconds.get)
    clear = seconds[fastest] * CLEARLY < seconds["fused"]  # which of them it is depends on the machine
    assert execution["backend"] == (fastest if clear else "fused")


def test_killed_actors_are_replaced_and_lose_nothing(cluster, spec, centre, in_process, tmp_path, kill):
    killed = []

    def kill_an_actor(progress):
        if progress.blocks in (1, 3):
            killed.append(kill("ray::BlockActor"))

    store = one(spec, centre, tmp_path / "s.zarr", actors=2, on_progress=kill_an_actor)
    assert killed == [True, True]
    assert_same(store, in_process)


def test_a_stopped_surface_continues_with_what_is_missing(cluster, spec, centre, in_process, tmp_path):
    def stop(progress):
        if progress.blocks == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one(spec, centre, tmp_path / "s.zarr", actors=1, on_progress=stop)
    before = stores.open_store(tmp_path / "s.zarr")
    assert len(before.missing()) == 4
    begun = int(before.read("done").sum())
    seen = []
    store = one(spec, centre, tmp_path / "s.zarr", actors=1, on_progress=seen.append)
    assert seen[0].blocks == 2
    assert seen[-1].evaluations == 36 - begun
    assert_same(store, in_process)


def test_a_finished_surface_needs_no_cluster(spec, centre, in_process):
    store = one(spec, centre, in_process.path, address="127.0.0.1:1", on_progress=lambda p: pytest.fail("computed"))
    assert_same(store, in_process)


def test_a_checkpoint_that_changed_stops_a_resume(cluster, spec, trained, tmp_path):
    with pytest.raises(MismatchError, match="has changed since the surface was started"):
        one(spec, trained.seed(6).best, tmp_path / "s.zarr", actors=1)


def test_a_block_that_always_fails_is_named_and_the_rest_finishes(cluster, spec, centre, in_process, tmp_path):
    path = tmp_path / "s.zarr"
    stores.create_or_open(path, spec, in_process.provenance)
    blocked = path.joinpath("loss", "c", "0", "0", "0", "2", "1")  # task, step, query, alpha, beta
    blocked.joinpath("file").mkdir(parents=True)  # a folder where the chunk must go
    named = r"1 blocks failed, such as Block\(task=\(0, 2\), alpha=\(4, 6\), beta=\(2, 3\)\)"
    with pytest.raises(RaymamlError, match=named):
        one(spec, centre, path, actors=1)
    assert len(stores.open_store(path).missing()) == 1
    shutil.rmtree(blocked)
    assert_same(one(spec, centre, path, actors=1), in_process)


def test_more_actors_than_the_cluster_holds_are_refused(cluster, spec, centre, tmp_path):
    with pytest.raises(ClusterError, match="2 CPUs at 1 per actor: --actors must be from 1 to 2, got 3"):
        one(spec, centre, tmp_path / "s.zarr", actors=3)


def test_the_stored_provenance_names_the_weights(in_process, centre, spec):
    assert spec.checkpoint_digest == files.sha256(next(centre.glob("*.safetensors")))
    assert any(spec_of(centre, changes) == in_process.spec for changes in KINDS)


def test_a_resume_with_other_threads_is_refused(spec, centre, in_process):
    with pytest.raises(MismatchError, match="started with 1 threads per actor, .*; use --threads 1"):
        one(spec, centre, in_process.path, threads=2)


def test_a_resume_with_other_directions_is_refused(spec, centre, in_process, tmp_path):
    provenance = {**in_process.provenance, "direction_digest": "0"}
    stores.create_or_open(tmp_path / "s.zarr", spec, provenance)
    with pytest.raises(MismatchError, match="started with other directions than this installation draws"):
        one(spec, centre, tmp_path / "s.zarr")


def test_nothing_is_made_where_no_cluster_answers(spec, centre, tmp_path, monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ClusterError, match="no Ray cluster answers"):
        one(spec, centre, tmp_path / "s.zarr", address="127.0.0.1:1")
    assert not (tmp_path / "s.zarr").exists()
