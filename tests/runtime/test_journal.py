"""What is logged of computations on Ray: starts, ends, lost actors, failures."""

import json
import platform
import shutil

import pytest

from raymaml import checkpoints
from raymaml.errors import RaymamlError
from raymaml.landscape import store as stores
from raymaml.landscape.request import surface_spec
from raymaml.runlog import Pace, RunLog
from raymaml.runs import RunDir
from raymaml.runtime import journal, train_journal
from raymaml.runtime.replicas import Request
from raymaml.runtime.surface import compute
from raymaml.runtime.train import train_seeds
from raymaml.specs import GridSpec

pytestmark = pytest.mark.ray


@pytest.fixture
def run(trained, tmp_path) -> RunDir:
    """A copy, without a log, of a run of seeds 5 and 6."""
    copy = RunDir(shutil.copytree(trained.path, tmp_path / "run"))
    copy.log.unlink(missing_ok=True)
    return copy


@pytest.fixture
def request_(run, tmp_path):
    spec = surface_spec(checkpoints.load(run.seed(5).best), grid=GridSpec(6, 3), tasks=2, query=1, steps=2)
    return Request(spec, run.seed(5).best, tmp_path / "elsewhere" / "s.zarr")


def events(run):
    return RunLog(run.log).read()


@pytest.fixture
def always(monkeypatch):
    """Progress is told at every job."""
    for module in (journal, train_journal):
        monkeypatch.setattr(module, "Pace", lambda: Pace(every=0))


def test_a_surface_is_logged_with_its_run_wherever_it_lies(cluster, run, request_, always, kill):
    killed = []

    def kill_one(progress):
        if progress.blocks == 2 and not killed:
            killed.append(kill("ray::BlockActor"))

    compute([request_], actors=1, on_progress=kill_one)
    assert killed == [True]
    found = events(run)
    assert [e["event"] for e in found if e["event"] != "progress"] == ["started", "to do", "actor replaced", "finished"]
    first = found[0]
    assert first["stores"] == [str(request_.path)]
    assert (first["blocks"], first["actors"], first["threads"], first["host"]) == (6, 1, 1, platform.node())
    assert first["cluster"]["cpus"] == 2
    assert first["versions"]["torch"]
    assert [(e["done"], e["of"]) for e in found if e["event"] == "progress"] == [(n, 6) for n in range(1, 7)]
    compute([request_])
    assert events(run) == found  # nothing was to be done
    assert [p.name for p in request_.path.parent.iterdir()] == ["s.zarr"]


def test_a_block_that_fails_is_logged_with_its_reason(cluster, run, request_):
    compute([request_], actors=1)
    shutil.rmtree(request_.path / "done" / "c")
    blocked = request_.path.joinpath("loss", "c", "0", "0", "0", "2", "1")
    blocked.unlink()
    blocked.joinpath("file").mkdir(parents=True)  # a folder where the chunk must go
    with pytest.raises(RaymamlError, match="1 blocks failed"):
        compute([request_], actors=1)
    failed, last = events(run)[-2:]
    assert (failed["event"], last["event"]) == ("job failed", "failed")
    assert failed["job"].startswith("Block(task=(0, 2), alpha=(4, 6)")
    assert failed["reason"] in last["error"]
    assert len(stores.open_store(request_.path).missing()) == 1


def test_what_a_user_stops_is_logged(cluster, run, request_):
    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute([request_], actors=1, on_progress=stop)
    assert [e["event"] for e in events(run)] == ["started", "to do", "stopped"]
    assert not list(request_.path.parent.glob(".*"))  # the lock is gone


@pytest.mark.timeout(300)
def test_a_training_is_logged_seed_by_seed(cluster, run, glyph_spec):
    (run.seed(6).path / "result.json").unlink()
    shutil.rmtree(run.seed(5).path)
    train_seeds(glyph_spec, [5, 6], run)
    found = events(run)
    assert [e["event"] for e in found[:3]] == ["started", "to do", "resumed"]
    assert found[1]["seeds"] == [5, 6]
    assert found[2]["text"] == "seed 6 goes on from update 2"
    ends = {e["seed"]: e for e in found if e["event"] == "seed finished"}
    assert {seed: e["test"] for seed, e in ends.items()} == {
        seed: run.seed(seed).read_result().to_dict() for seed in (5, 6)
    }
    assert ends[5]["text"].startswith("seed 5 is finished: novel accuracy ")
    assert found[-1]["event"] == "finished"


def test_states_of_seeds_are_told(run, always):
    told = train_journal.TrainingJournal([run.path])
    state = {"updates": 100, "val_accuracy": None, "tested": 0, "test_tasks": 9}
    told.progress({(run.path, 5): {**state, "step": 50}})
    told.progress({(run.path, 5): {**state, "step": 25, "val_accuracy": 0.5}})
    told.ended(run.path, 6, "no space")
    assert [e["text"] for e in events(run)] == [
        "seed 5: update 50/100",
        "seed 5 lost its worker after update 50; another goes on from the last checkpoint",
        "seed 5: update 25/100, val 50.0 %",
        "seed 6 failed: no space",
    ]


def test_other_versions_are_told_and_logged(cluster, run, request_, caplog):
    [store] = compute([request_], actors=1)
    metadata = request_.path / "zarr.json"
    values = json.loads(metadata.read_text())
    values["attributes"]["provenance"]["torch"] = "1.0"
    metadata.write_text(json.dumps(values))
    compute([request_], actors=1)
    assert not caplog.records  # nothing was added
    shutil.rmtree(request_.path / "done" / "c")
    compute([request_], actors=1)
    here = store.provenance["torch"]
    text = f"{request_.path} was begun with torch 1.0 (here {here}): the last bits of what is added may differ"
    assert [r.message for r in caplog.records] == [f"warning: {text}"]
    [event] = [e for e in events(run) if e["event"] == "other versions"]
    assert event["text"] == text
    assert event["begun"]["torch"] == "1.0"
