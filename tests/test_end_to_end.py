"""The program as a user runs it: real Ray Train, real actors, interrupted and started again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from raymaml import backends, checkpoints, runs, training
from raymaml.landscape import store as stores
from raymaml.runs import RunDir
from raymaml.runtime.surface import load_evaluator

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

RAYMAML = Path(sys.executable).with_name("raymaml")
TRAIN = [
    "train",
    "--seeds",
    "5",
    "6",
    "--updates",
    "100",
    "--query",
    "1",
    "--validate-every",
    "2",
    "--val-tasks",
    "2",
    "--test-tasks",
    "2",
]
SURFACE = ["surface", "--grid", "40x3", "--tasks", "3", "--query", "2", "--steps", "0", "2"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


def start(arguments, home):
    environment = {**os.environ, "RAYMAML_HOME": str(home)}
    # Its own session, so that a signal to the program does not reach pytest.
    return subprocess.Popen(
        [RAYMAML, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(program):
    out, err = program.communicate(timeout=240)
    return program.returncode, out, err


def interrupt(program, ready, number):
    """Send a signal as soon as `ready()` holds; the program must still be running then."""
    deadline = time.monotonic() + 240
    while not ready():
        assert program.poll() is None, program.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(program.pid, number)
    return finish(program)


def test_train_survives_ctrl_c_and_kill(home, glyphs, tmp_path):
    run = RunDir(home / "glyphs-maml-conv4-5way-1shot-quick")
    last = run.seed(6).last
    code, out, err = interrupt(start(TRAIN, home), lambda: checkpoints.exists(last), signal.SIGINT)
    assert (code, out) == (130, "")
    assert "interrupted; what was computed is kept: run the same command again to continue" in err
    assert "Traceback" not in err
    before = checkpoints.load(last).step
    interrupt(start(TRAIN, home), lambda: checkpoints.load(last).step > before, signal.SIGKILL)
    assert not run.seed(6).finished
    code, out, err = finish(start(TRAIN, home))
    assert code == 0, err
    assert [line.split(":")[0] for line in out.splitlines()] == ["seed 5", "seed 6"]
    plain = RunDir(tmp_path / "plain")
    for seed in (5, 6):
        training.train(run.spec(), glyphs, seed=seed, directory=plain.seed(seed))
        ours, theirs = (checkpoints.load(r.seed(seed).last).params for r in (run, plain))
        assert all(torch.equal(ours[n], theirs[n]) for n in theirs)


def test_a_finished_run_says_so_and_does_nothing(home):
    code, out, err = finish(start(TRAIN, home))
    assert code == 0
    assert err.count("is finished already: nothing to do") == 2
    assert len(out.splitlines()) == 2


def test_surface_takes_the_newest_run_and_survives_ctrl_c_and_kill(home, tmp_path, monkeypatch):
    def done():
        found = list(home.glob("*/seed-5/surfaces/*.zarr"))
        return int(stores.open_store(found[0]).read("done").sum()) if found else 0

    code, out, err = interrupt(start(SURFACE, home), lambda: done() > 0, signal.SIGINT)
    assert (code, out) == (130, "")
    assert "finishing the blocks in flight" in err
    assert "Traceback" not in err
    assert "seed 5, best checkpoint" in err
    assert "warning: (0, 0), the unperturbed weights, is not on this grid" in err
    before = done()
    assert 0 < before < 360
    interrupt(start(SURFACE, home), lambda: done() > before, signal.SIGKILL)
    assert before < done() < 360
    code, out, err = finish(start(SURFACE, home))
    assert code == 0, err
    paths = [Path(line) for line in out.splitlines()]
    assert [p.suffix for p in paths] == [".zarr", ".png", ".pdf", ".svg", ".png", ".pdf", ".svg"]
    assert all(p.exists() for p in paths)
    assert_equals_the_plain_loop(stores.open_store(paths[0]), home)


def assert_equals_the_plain_loop(store, home):
    seed = RunDir(next(home.iterdir())).seed(5)
    blocks = list(store.plan.blocks())[::7]
    evaluator = load_evaluator(store.spec, seed.best, "cpu", backends.recorded(store.provenance["execution"]))
    for block in blocks:
        task, *point = block.slices
        for name, values in evaluator.evaluate(block)._asdict().items():
            stored = store.read(name)[task, ..., *point]
            assert np.array_equal(stored, values)
    assert not list(store.path.rglob("*.partial"))


def test_the_same_surface_again_computes_nothing(home):
    code, out, err = finish(start([*SURFACE, "--no-figure"], home))
    assert code == 0, err
    assert "blocks" not in err
    assert len(out.splitlines()) == 1


def test_the_store_says_what_it_is(home, monkeypatch):
    monkeypatch.setenv("RAYMAML_HOME", str(home))
    path = next(home.glob("*/seed-5/surfaces/*.zarr"))
    attributes = json.loads((path / "zarr.json").read_text())["attributes"]
    assert attributes["spec"]["run"] == runs.find(None).spec().digest
    assert attributes["spec"]["data_digest"]
    assert attributes["provenance"]["threads"] == 1
    assert {"torch", "ray", "zarr", "numpy", "raymaml", "processor"} <= set(attributes["provenance"])
