import dataclasses

import numpy as np
import pytest

from raymaml import checkpoints, models
from raymaml.errors import ClusterError, MismatchError, RaymamlError, SpecError
from raymaml.runs import RunDir
from raymaml.runtime.replicas import Request
from raymaml.runtime.sharpness import compute, load_evaluator, measure_part
from raymaml.sharpness import store as stores
from raymaml.sharpness.read import sharpness_rows
from raymaml.sharpness.request import default_store, sharpness_spec
from raymaml.sharpness.spec import GRADIENT
from raymaml.specs import TransferSpec
from raymaml.verbs.sharpness import measure_sharpness

pytestmark = pytest.mark.ray

CHEAP = ("standard", "adaptive", "linf", "average", "averaged")


@pytest.fixture(scope="module")
def centre(trained):
    return trained.seed(5).best


@pytest.fixture(scope="module")
def spec(centre):
    """Eleven tasks: two parts, the second of one task."""
    return sharpness_spec(checkpoints.load(centre), tasks=11, query=1, steps=1, directions=2, probes=1)


def plain_loop(spec, centre, path):
    """Every measure of every part, last part first, without Ray."""
    evaluator = load_evaluator(spec, centre)
    parameters = sum(p.numel() for p in models.build(spec.model).parameters())
    store = stores.create_or_open(path, spec, {"threads": 1}, parameters)
    for names in ([*CHEAP[:-1], GRADIENT], ["averaged"]):
        for part in reversed(store.parts):
            measure_part(store, evaluator, part, names)
    return store


@pytest.fixture(scope="module")
def in_process(spec, centre, tmp_path_factory):
    return plain_loop(spec, centre, tmp_path_factory.mktemp("plain") / "s.zarr")


def one(spec, checkpoint, path, measures=CHEAP, **options):
    [store] = compute([Request(spec, checkpoint, path)], measures, **options)
    return store


def assert_same(store, expected, measures=CHEAP):
    values = ["loss0", "gradient_norm", *(f"{what}_{m}" for m in measures for what in ("loss", "sharpness", "done"))]
    for name in values:
        assert np.array_equal(store.read(name), expected.read(name)), name
        assert np.isfinite(store.read(name)).all(), name
    if "averaged" in measures:
        assert np.array_equal(store.mean_gradient(), expected.mean_gradient())


@pytest.mark.parametrize("actors", [1, 2])
def test_any_number_of_actors_gives_the_numbers_of_the_plain_loop(cluster, spec, centre, in_process, tmp_path, actors):
    seen = []
    store = one(spec, centre, tmp_path / "s.zarr", actors=actors, on_progress=seen.append)
    assert_same(store, in_process)
    assert [(p.jobs, p.jobs_total) for p in seen] == [(n, 4) for n in range(5)]
    assert store.provenance["threads"] == 1


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_stopped_measurement_continues_with_what_is_missing(cluster, spec, centre, in_process, tmp_path, after):
    def stop(progress):
        if progress.jobs == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        one(spec, centre, tmp_path / "s.zarr", actors=1, on_progress=stop)
    before = stores.open_store(tmp_path / "s.zarr")
    assert (len(before.missing("standard")), len(before.missing("averaged"))) == (
        [1, 0, 0][after - 1],
        [2, 2, 1][after - 1],
    )
    seen = []
    store = one(spec, centre, tmp_path / "s.zarr", actors=1, on_progress=seen.append)
    assert seen[-1].jobs == 4 - after
    assert_same(store, in_process)


def test_a_killed_actor_is_replaced_and_loses_nothing(cluster, spec, centre, in_process, tmp_path, kill):
    killed = []

    def kill_an_actor(progress):
        if progress.jobs in (1, 3):
            killed.append(kill("ray::SharpnessActor"))

    store = one(spec, centre, tmp_path / "s.zarr", actors=2, on_progress=kill_an_actor)
    assert any(killed)
    assert_same(store, in_process)


def test_double_precision_and_the_hessian_are_those_of_the_plain_loop(cluster, spec, centre, tmp_path):
    spec = dataclasses.replace(spec, tasks=2, precision="float64")
    store = one(spec, centre, tmp_path / "s.zarr", ["standard", "hessian"], actors=1)
    found = load_evaluator(spec, centre).part(range(2), ["standard", "hessian"])
    for name, row in found.items():
        assert np.array_equal(store.read(name), row), name
    assert np.isfinite(found["eigenvalue"]).all()
    assert store.missing("hessian") == []


def test_further_measures_go_into_the_same_store(cluster, spec, centre, in_process, tmp_path):
    one(spec, centre, tmp_path / "s.zarr", ["linf"], actors=1)
    written = {p: p.stat().st_mtime_ns for p in (tmp_path / "s.zarr").rglob("loss_linf/c/*")}
    store = one(spec, centre, tmp_path / "s.zarr", ["standard", "linf"], actors=1)
    assert_same(store, in_process, ["standard", "linf"])
    assert len(written) == 2
    assert {p: p.stat().st_mtime_ns for p in written} == written


def test_what_is_finished_needs_no_cluster(spec, centre, in_process):
    fail = dict(address="127.0.0.1:1", on_progress=lambda p: pytest.fail("computed"))
    assert_same(one(spec, centre, in_process.path, **fail), in_process)


def test_a_part_that_always_fails_is_named_and_the_rest_finishes(cluster, spec, centre, in_process, tmp_path):
    path = tmp_path / "s.zarr"
    stores.create_or_open(path, spec, in_process.provenance, in_process.group["gradient_sum"].shape[1])
    blocked = path / "loss0" / "c" / "1"
    blocked.mkdir(parents=True)  # a folder where the chunk's file must go
    with pytest.raises(RaymamlError, match="1 parts failed, such as part 1 of .*s.zarr: "):
        one(spec, centre, path, actors=1)
    assert stores.open_store(path).missing("gradient") == [1]
    assert stores.open_store(path).missing("averaged") == [0, 1]
    blocked.rmdir()
    assert_same(one(spec, centre, path, actors=1), in_process)


def test_a_run_is_measured_into_its_own_folder_and_read_back(cluster, trained):
    asked = dict(splits=("base", "novel"), measures=("standard",), tasks=2, query=1, steps=1)
    found = measure_sharpness(str(trained.path), **asked)
    assert [(s.spec.seed, s.spec.split) for s in found] == [(s, p) for s in (5, 6) for p in ("base", "novel")]
    assert [s.path for s in found] == [default_store(trained.seed(s.spec.seed), s.spec) for s in found]
    assert {s.spec.task_seed for s in found} == {0}
    rows = sharpness_rows(trained.path.parent)
    values = {(s.spec.seed, s.spec.split): s.read("sharpness_standard").mean() for s in found}
    assert {(row.seed, row.split): row.mean for row in rows} == values
    again = measure_sharpness(str(trained.path), **asked, on_progress=lambda p: pytest.fail("computed"))
    assert [s.path for s in again] == [s.path for s in found]


def test_a_checkpoint_that_changed_stops_a_resume(spec, trained, in_process):
    with pytest.raises(MismatchError, match="has changed since its sharpness was first measured"):
        one(spec, trained.seed(6).best, in_process.path)


def test_a_resume_with_other_threads_is_refused(spec, centre, in_process):
    with pytest.raises(MismatchError, match="started with 1 threads per actor, .*; use --threads 1"):
        one(spec, centre, in_process.path, threads=2)


def test_another_specification_is_refused(spec, centre, in_process):
    with pytest.raises(MismatchError, match="holds another measurement: rho is 0.05, asked for 0.1"):
        one(dataclasses.replace(spec, rho=0.1), centre, in_process.path)


def test_more_actors_than_the_cluster_holds_are_refused(cluster, spec, centre, tmp_path):
    with pytest.raises(ClusterError, match="2 CPUs at 1 per actor: --actors must be from 1 to 2, got 3"):
        one(spec, centre, tmp_path / "s.zarr", actors=3)
    assert not (tmp_path / "s.zarr").exists()


def test_a_transfer_run_is_refused(trained, tmp_path):
    spec = trained.spec()
    model = dataclasses.replace(spec.model, norm="running")
    run = RunDir(tmp_path / "other")
    run.claim(dataclasses.replace(spec, learner=TransferSpec(), model=model))
    with pytest.raises(SpecError, match="run other was trained with method transfer, .* name a MAML run with --run"):
        measure_sharpness(str(run.path))
    changed = dataclasses.replace(checkpoints.load(trained.seed(5).best), spec=run.spec())
    with pytest.raises(SpecError, match="this run was trained with method transfer"):
        sharpness_spec(changed)


def test_unknown_measures_are_refused(trained):
    for measures in ((), ("sharp",)):
        with pytest.raises(SpecError, match="measures must be some of standard, adaptive, linf, average, hessian"):
            measure_sharpness(str(trained.path), measures=measures)
