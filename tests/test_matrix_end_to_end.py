"""`raymaml matrix` as a user runs it, killed at both ends of the work."""

import os
import re
import shlex
import signal
import time
from pathlib import Path

import pytest
import torch
from runtime.conftest import processes
from test_end_to_end import finish, interrupt, start

from raymaml import checkpoints, training
from raymaml.landscape import store as stores
from raymaml.landscape.scores import score
from raymaml.runs import RunDir

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

MATRIX = shlex.split(
    "matrix --preset demo --backbones conv4 --augment off --seeds 5 6 --updates 60 --epochs 1 "
    "--val-tasks 2 --test-tasks 3 --split novel --checkpoint best last --tasks 3"
)
NAMES = ("glyphs-maml-conv4-5way-1shot-demo", "glyphs-transfer-conv4-5way-1shot-demo")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("matrix")


def kill_a_worker(program, ready):
    """Kill -9 one training worker of this program's own cluster once `ready()` holds."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert program.poll() is None, program.communicate()
        mine = [p for p in processes("ray::RayTrainWorker") if session_of(p) == program.pid]
        if ready() and mine:
            os.kill(mine[0], signal.SIGKILL)
            return
        time.sleep(0.05)
    pytest.fail("no worker was there to kill")


def session_of(pid):
    """The session that a process was started in: that of the program which started the cluster."""
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def test_a_matrix_survives_kill_9_of_the_driver_and_of_a_worker(home, glyphs, tmp_path):
    maml, transfer = (RunDir(home / name) for name in NAMES)
    last = maml.seed(6).last
    interrupt(start(MATRIX, home), lambda: checkpoints.exists(last), signal.SIGKILL)
    assert not all(maml.seed(s).finished for s in (5, 6))

    program = start(MATRIX, home)
    # Its first checkpoint is its last: to wait for that would leave a fraction of a second for the kill.
    kill_a_worker(program, transfer.seed(5).path.exists)
    code, out, err = finish(program)
    assert code == 0, err
    assert re.findall(r"glyphs-(\w+)-conv4-5way-1shot-demo, seed (\d): novel accuracy", out) == [
        ("maml", "5"), ("maml", "6"), ("transfer", "5"), ("transfer", "6"),
    ]  # fmt: skip
    for run in (maml, transfer):
        for seed in (5, 6):
            plain = RunDir(tmp_path / run.path.name)
            training.train(run.spec(), glyphs, seed=seed, directory=plain.seed(seed))
            for which in ("last", "best"):
                ours, theirs = (checkpoints.load(getattr(r.seed(seed), which)).params for r in (run, plain))
                assert all(torch.equal(ours[n], theirs[n]) for n in theirs)
            found = list(run.seed(seed).evaluations.glob("novel-best-3tasks-*.zarr"))
            # The evaluation is that of the run's own test: the same tasks, steps and weights; float32 in the store.
            [evaluated], test = [score(stores.open_store(p)) for p in found], run.seed(seed).read_result()
            assert (evaluated.accuracy, evaluated.loss) == pytest.approx((test.accuracy, test.loss), rel=1e-6)


def test_a_finished_matrix_does_nothing(home):
    def written():
        return {p: p.stat().st_mtime_ns for p in Path(home).rglob("*") if p.is_file()}

    before = written()
    code, out, err = finish(start(MATRIX, home))
    assert code == 0, err
    assert err.count("seeds left: none") == 2
    assert len(out.splitlines()) == 5
    assert written() == before
    code, out, err = finish(start([*MATRIX, "--dry-run"], home))
    assert code == 0, err
    assert re.search(r"^all +0 +0 +0\.00$", out, re.MULTILINE), out
