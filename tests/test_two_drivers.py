"""Two real programs on one store and on one run: the second is refused, and goes on once the first is dead."""

import os
import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nightly
import numpy as np
import pytest

from raymaml import checkpoints, training
from raymaml.landscape import store as stores
from raymaml.presets import train_spec
from raymaml.runlog import RunLog
from raymaml.runs import RunDir
from raymaml.runtime.surface import load_evaluator

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600), nightly.only("four minutes")]

RAYMAML = Path(sys.executable).with_name("raymaml")
SURFACE = "surface --run RUN --grid 40x3 --tasks 3 --query 2 --steps 0 2 --no-figure"
TRAIN = (
    "train --seeds 6 --out RUN --preset demo --updates 1500 --query 1 --validate-every 100 --val-tasks 2 --test-tasks 2"
)


@pytest.fixture
def run(glyphs, tmp_path) -> RunDir:
    """A run of which seed 5 is finished."""
    spec = train_spec(glyphs, "demo", updates=2, query=1, validate_every=2, val_tasks=2, test_tasks=2)
    run = RunDir(tmp_path / "run")
    run.claim(spec)
    training.train(spec, glyphs, seed=5, directory=run.seed(5))
    return run


@pytest.fixture
def start(tmp_path):
    """Start a program; all are ended after the test."""
    started = []

    def program(command):
        arguments = [word.replace("RUN", str(tmp_path / "run")) for word in command.split()]
        process = subprocess.Popen(
            [RAYMAML, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        started.append(process)
        return process

    yield program
    for process in started:
        process.kill()
        process.wait()


def wait(first, ready):
    deadline = time.monotonic() + 240
    while not ready():
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def assert_refused(second, first, what):
    out, err = second.communicate(timeout=120)
    assert (second.returncode, out) == (2, "")
    assert re.fullmatch(
        rf"raymaml: .*{what} is being computed by process {first.pid} on {re.escape(platform.node())}, for "
        r"0:\d\d:\d\d \(last sign of life \d+ s ago; raymaml .*\): wait for it, or stop it there and run this again,.*",
        err.splitlines()[-1],
    ), err
    assert first.poll() is None


def hidden(run):
    return [path.name for path in run.path.rglob(".*")]


def test_a_surface_has_one_driver_at_a_time(start, run):
    def done():
        found = list(run.seed(5).surfaces.glob("*.zarr"))
        return int(stores.open_store(found[0]).read("done").sum()) if found else 0

    first = start(SURFACE)
    wait(first, lambda: done() > 0)
    os.kill(first.pid, signal.SIGSTOP)  # or it would be finished before the second has started
    began = time.monotonic()
    assert_refused(start(SURFACE), first, r"/run/seed-5/surfaces/.*\.zarr")
    assert time.monotonic() - began < 60  # without waiting for a cluster
    [store] = run.seed(5).surfaces.glob("*.zarr")
    reader = start(f"export {store} --format npz")  # needs no lock
    assert reader.wait(120) == 0
    os.kill(first.pid, signal.SIGKILL)  # a zombie until the end of the test
    leftover = store.with_name(f".{store.name}.abcdefgh.partial")  # of a creation that was killed
    leftover.mkdir()
    assert 0 < done() < 360
    third = start(SURFACE)
    out, err = third.communicate(timeout=240)
    assert (third.returncode, out.strip()) == (0, str(store)), err
    assert hidden(run) == []
    opened = stores.open_store(store)
    evaluator = load_evaluator(opened.spec, run.seed(5).best)
    for block in list(opened.plan.blocks())[::13]:
        task, *point = block.slices
        for name, values in evaluator.evaluate(block)._asdict().items():
            assert np.array_equal(opened.read(name)[task, ..., *point], values)
    events = RunLog(run.log).read()
    kinds = [(event["event"], event.get("pid")) for event in events if event["event"] in ("started", "finished")]
    assert kinds == [("started", first.pid), ("started", third.pid), ("finished", third.pid)]
    [taken] = [event for event in events if event["event"] == "taken over"]
    assert f"{store} was left by process {first.pid} on {platform.node()}, which ended after 0:0" in taken["text"]
    left = [event["left"] for event in events if event["event"] == "to do"]
    assert left[0] == 40
    assert 0 < left[1] < 40


def test_a_seed_has_one_driver_at_a_time(start, tmp_path, glyphs):
    run = RunDir(tmp_path / "run")
    last = run.seed(6).last
    first = start(TRAIN)
    wait(first, lambda: checkpoints.exists(last))
    assert_refused(start(TRAIN), first, "/run/seed-6")
    os.kill(first.pid, signal.SIGKILL)
    assert not run.seed(6).finished
    third = start(TRAIN)
    wait(third, lambda: any(e["event"] == "taken over" for e in RunLog(run.log).read()))
    os.kill(third.pid, signal.SIGINT)
    out, err = third.communicate(timeout=120)
    assert (third.returncode, out) == (130, ""), err
    assert not any(name.endswith(".lock") for name in hidden(run))
    events = RunLog(run.log).read()
    assert [e["event"] for e in events if e["event"] != "progress"] == [
        *("started", "to do"),
        *("started", "to do", "resumed", "taken over", "stopping", "stopped"),
    ]
    [resumed] = [e for e in events if e["event"] == "resumed"]
    assert resumed["step"] > 0
