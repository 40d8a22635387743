import dataclasses
import threading
import time

import pytest
import torch

from raymaml import checkpoints, training
from raymaml.errors import ClusterError, MismatchError, RaymamlError
from raymaml.runs import RunDir
from raymaml.runtime import train as runtime_train
from raymaml.runtime.train import train_seeds

pytestmark = pytest.mark.ray


def assert_same_weights(run, other, seed):
    for which in ("last", "best"):
        ours, theirs = (checkpoints.load(getattr(r.seed(seed), which)) for r in (run, other))
        assert all(torch.equal(ours.params[n], theirs.params[n]) for n in theirs.params)
        assert ours.step == theirs.step


def test_seeds_side_by_side_equal_the_plain_loop(cluster, glyph_spec, trained, tmp_path):
    run, states = RunDir(tmp_path / "run"), []
    scores = train_seeds(glyph_spec, [5, 6], run, on_progress=states.append)
    for seed in (5, 6):
        assert_same_weights(run, trained, seed)
        assert scores[seed] == trained.seed(seed).read_result()
    assert states[-1][5]["step"] == states[-1][6]["step"] == 2
    assert not list(run.path.rglob(".ray-train"))
    again = train_seeds(glyph_spec, [5, 6], run, address="127.0.0.1:1", on_progress=lambda s: pytest.fail("trained"))
    assert again == scores


def test_two_workers_of_one_seed_give_the_weights_of_one(cluster, glyph_spec, trained, tmp_path):
    run = RunDir(tmp_path / "run")
    train_seeds(glyph_spec, [5], run, workers_per_seed=2)
    assert_same_weights(run, trained, 5)


def test_a_killed_worker_resumes_to_the_same_weights(cluster, longer, glyphs, tmp_path, kill):
    plain, run = RunDir(tmp_path / "plain"), RunDir(tmp_path / "run")
    training.train(longer, glyphs, seed=5, directory=plain.seed(5))
    killed = threading.Event()

    def kill_when_under_way():
        while not killed.is_set():
            if checkpoints.exists(run.seed(5).last) and kill("ray::RayTrainWorker"):
                killed.set()
            time.sleep(0.05)

    thread = threading.Thread(target=kill_when_under_way, daemon=True)
    thread.start()
    train_seeds(longer, [5], run)
    assert killed.is_set()
    assert_same_weights(run, plain, 5)
    assert [r["step"] for r in run.seed(5).read_metrics()] == list(range(2, 31, 2))


def test_a_user_error_on_a_worker_comes_back_as_its_line(cluster, glyph_spec, tmp_path):
    wrong = dataclasses.replace(glyph_spec, data_digest="0" * 64)
    with pytest.raises(RaymamlError, match="seed 5: data set glyphs has other images on this node"):
        train_seeds(wrong, [5], RunDir(tmp_path / "run"))


def test_what_the_cluster_cannot_hold_is_refused(cluster, glyph_spec, tmp_path):
    with pytest.raises(
        ClusterError, match="--workers-per-seed must be from 1 to 4, as the cluster's CPUs allow, got 9"
    ):
        train_seeds(glyph_spec, [5], RunDir(tmp_path / "run"), workers_per_seed=9)


def test_another_run_in_the_folder_is_refused_before_anything_starts(glyph_spec, trained, monkeypatch):
    monkeypatch.setattr(runtime_train, "session", lambda address: pytest.fail("connected"))
    with pytest.raises(MismatchError, match="updates is 2, asked for 3"):
        train_seeds(dataclasses.replace(glyph_spec, updates=3), [5], trained)
