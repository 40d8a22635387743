import dataclasses
import json
import threading
import time

import numpy as np
import pytest
import reference
import torch

from raymaml import checkpoints, models, training
from raymaml.analysis import score_of
from raymaml.params import cast
from raymaml.runs import SeedDir
from raymaml.specs import Score
from raymaml.tasks import TaskSampler
from raymaml.training import Solo, Trainer, in_task_order, train


def weights(directory):
    return checkpoints.load(directory).params


def assert_identical(a, b):
    assert list(a) == list(b)
    assert all(torch.equal(a[n], b[n]) for n in a)


@pytest.fixture(scope="module")
def whole(spec, images, tmp_path_factory):
    directory = SeedDir(tmp_path_factory.mktemp("whole") / "seed-5")
    train(spec, images, seed=5, directory=directory)
    return directory


class CrashError(Exception):
    """Stands for kill -9: nothing after it runs."""


@pytest.mark.parametrize(
    "crash_at", ["update 1", "update 3", "best 2", "last 2", "last 4", "metrics 4", "test", "result"]
)
def test_a_crash_anywhere_resumes_to_identical_weights(spec, images, tmp_path, monkeypatch, whole, crash_at):
    directory = SeedDir(tmp_path / "seed-5")
    with monkeypatch.context() as patched:
        _crash(patched, crash_at)
        with pytest.raises(CrashError):
            train(spec, images, seed=5, directory=directory)
    assert not directory.finished
    score = train(spec, images, seed=5, directory=directory)
    assert_identical(weights(directory.last), weights(whole.last))
    assert_identical(weights(directory.best), weights(whole.best))
    assert score == whole.read_result()
    assert [_without_time(r) for r in directory.read_metrics()] == [_without_time(r) for r in whole.read_metrics()]


def test_checkpoints_between_validations_lose_nothing_either(spec, images, tmp_path, monkeypatch, whole):
    directory = SeedDir(tmp_path / "seed-5")
    monkeypatch.setattr(training, "SAVE_EVERY", 1)
    with monkeypatch.context() as patched:
        _crash(patched, "update 3")
        with pytest.raises(CrashError):
            train(spec, images, seed=5, directory=directory)
    last = checkpoints.load(directory.last)
    assert (last.step, len(last.since_validation), last.val) == (3, 1, None)
    train(spec, images, seed=5, directory=directory)
    assert_identical(weights(directory.last), weights(whole.last))
    assert_identical(weights(directory.best), weights(whole.best))
    assert [_without_time(r) for r in directory.read_metrics()] == [_without_time(r) for r in whole.read_metrics()]


def _without_time(row):
    return {k: v for k, v in row.items() if k != "seconds"}


def _crash(patched, when):
    kind, _, step = when.partition(" ")
    if kind == "update":
        update = Trainer.update
        patched.setattr(Trainer, "update", lambda t: _raise() if t.step == int(step) else update(t))
    elif kind == "test":
        patched.setattr(Trainer, "test", lambda t, on_task: _raise())
    elif kind == "metrics":  # a line cut in the middle
        append = SeedDir.append_metrics

        def cut(self, row):
            append(self, row)
            if row["step"] == int(step):
                self.metrics.write_text(self.metrics.read_text()[:-20])
                _raise()

        patched.setattr(SeedDir, "append_metrics", cut)
    elif kind == "result":
        write = training.files.write_json  # which checkpoints use too
        patched.setattr(
            training.files,
            "write_json",
            lambda path, values: _raise() if path.name == "result.json" else write(path, values),
        )
    else:  # between the weights and the JSON that names them
        info = checkpoints._info

        def half(checkpoint, path):
            return _raise() if checkpoint.step == int(step) and path.parent.name == kind else info(checkpoint, path)

        patched.setattr(checkpoints, "_info", half)


def _raise():
    raise CrashError


def test_the_first_update_is_adam_on_the_summed_reference_gradient(spec, images, tmp_path):
    trainer = Trainer(spec, images, 5, SeedDir(tmp_path / "seed-5"), Solo(), torch.device("cpu"))
    before = {n: v.clone() for n, v in trainer.params.items()}
    sampler = TaskSampler(images, "base", spec.task, seed=5, dtype=torch.float64)
    grads = [reference.meta_gradient(before, sampler.task(j), spec.learner.inner_lr, 5, 1) for j in range(4)]
    total = {n: sum(g[n] for g in grads) for n in before}
    trainer.update()
    for name, value in trainer.params.items():
        # Adam's first step by formula: m / (1 - b1) = g, v / (1 - b2) = g^2.
        expected = before[name] - spec.outer_lr * total[name] / (total[name].abs() + 1e-8)
        torch.testing.assert_close(value, expected, rtol=0, atol=1e-6)
        # A bias before batch statistics has no part in the loss; its gradient is rounding, if any.
        assert not torch.equal(value, before[name]) or total[name].abs().max() < 1e-14


def test_no_task_is_used_twice(spec, images, tmp_path, monkeypatch):
    used = []
    task = TaskSampler.task
    monkeypatch.setattr(TaskSampler, "task", lambda s, i: (used.append((s.split, s.seed, i)), task(s, i))[1])
    trainer = Trainer(spec, images, 6, SeedDir(tmp_path / "seed-6"), Solo(), torch.device("cpu"))
    trainer.update()
    trainer.update()
    assert used == [("base", 6, i) for i in range(8)]


def test_mean_instead_of_sum_divides_the_gradient(spec, images, tmp_path):
    flat = {}
    for reduce in ("sum", "mean"):
        changed = dataclasses.replace(spec, learner=dataclasses.replace(spec.learner, outer_reduce=reduce))
        trainer = Trainer(changed, images, 5, SeedDir(tmp_path / reduce / "seed-5"), Solo(), torch.device("cpu"))
        trainer.update()
        flat[reduce] = torch.cat([p.grad.flatten() for p in trainer.params.values()])
    torch.testing.assert_close(flat["sum"], flat["mean"] * 4)


class Thread:
    """One of several workers of a group, as threads: the same arithmetic as torch.distributed, no processes."""

    def __init__(self, rank, size, slots, barrier):
        self.rank, self.size, self.slots, self.barrier = rank, size, slots, barrier

    def all_gather(self, rows):
        self.slots[self.rank] = rows
        self.barrier.wait()
        found = list(self.slots)
        self.barrier.wait()
        return found


def in_threads(size, work):
    slots, barrier, results = [None] * size, threading.Barrier(size, timeout=60), [None] * size

    def run(rank):
        results[rank] = work(Thread(rank, size, slots, barrier))

    threads = [threading.Thread(target=run, args=(r,)) for r in range(size)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    return results


@pytest.mark.parametrize("size", [2, 3, 5])
def test_several_workers_give_the_weights_of_one(spec, images, tmp_path, whole, size):
    directory = SeedDir(tmp_path / "seed-5")
    scores = in_threads(size, lambda group: train(spec, images, seed=5, directory=directory, group=group))
    assert_identical(weights(directory.last), weights(whole.last))
    assert scores == [whole.read_result()] * size


@pytest.mark.parametrize("size", [2, 3])
def test_augmented_images_do_not_depend_on_the_workers_or_on_a_crash(spec, images, tmp_path, monkeypatch, size):
    augmented = dataclasses.replace(spec, augment=True, updates=4)
    alone, shared = SeedDir(tmp_path / "alone"), SeedDir(tmp_path / "shared")
    train(augmented, images, seed=5, directory=alone)
    with monkeypatch.context() as patched:
        _crash(patched, "update 3")
        in_threads(size, lambda group: _stopped(augmented, images, shared, group))
    in_threads(size, lambda group: train(augmented, images, seed=5, directory=shared, group=group))
    assert_identical(weights(shared.last), weights(alone.last))
    plain = SeedDir(tmp_path / "plain")
    train(dataclasses.replace(augmented, augment=False), images, seed=5, directory=plain)
    assert not torch.equal(weights(plain.last)["head.weight"], weights(alone.last)["head.weight"])


def _stopped(spec, images, directory, group):
    with pytest.raises(CrashError):
        train(spec, images, seed=5, directory=directory, group=group)


def test_no_worker_tests_weights_that_rank_0_has_not_written_yet(spec, images, tmp_path, monkeypatch, whole):
    save = checkpoints.save

    def slow(directory, checkpoint):
        time.sleep(0.3)
        save(directory, checkpoint)

    monkeypatch.setattr(checkpoints, "save", slow)
    directory = SeedDir(tmp_path / "seed-5")
    scores = in_threads(2, lambda group: train(spec, images, seed=5, directory=directory, group=group))
    assert scores == [whole.read_result()] * 2


def test_a_best_accuracy_of_zero_is_remembered(spec, images, tmp_path):
    directory = SeedDir(tmp_path / "seed-5")
    for _ in range(2):
        trainer = Trainer(spec, images, 5, directory, Solo(), torch.device("cpu"))
        trainer.update()
        trainer.save(Score(0.0, 0.0, None, 3))
    assert checkpoints.load(directory.last).step == 2
    assert checkpoints.load(directory.best).step == 1


def test_a_diverged_run_is_saved_between_validations_too(spec, images, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SAVE_EVERY", 1)
    directory = SeedDir(tmp_path / "seed-5")
    wild = dataclasses.replace(spec, outer_lr=1e200)
    with monkeypatch.context() as patched:
        _crash(patched, "update 5")
        with pytest.raises(CrashError):
            train(wild, images, seed=5, directory=directory)
    assert np.isnan(checkpoints.load(directory.last).since_validation[0][0])
    train(wild, images, seed=5, directory=directory)
    assert directory.read_metrics()[-1]["train_loss"] is None


@pytest.mark.parametrize(("size", "count"), [(1, 4), (2, 4), (2, 5), (3, 4), (5, 3)])
def test_rows_come_back_in_task_order(size, count):
    found = in_threads(
        size, lambda group: in_task_order(group, count, lambda some: [torch.tensor([i, 10.0 * i]) for i in some])
    )
    assert [f.tolist() for f in found] == [[[i, 10.0 * i] for i in range(count)]] * size


def test_the_initial_weights_are_the_seeds(spec, images, tmp_path):
    for seed in (5, 6):
        trainer = Trainer(spec, images, seed, SeedDir(tmp_path / f"seed-{seed}"), Solo(), torch.device("cpu"))
        assert_identical(trainer.params, cast(models.initial_params(trainer.model, seed), torch.float64))


def test_another_seed_is_another_run(spec, images, tmp_path, whole):
    directory = SeedDir(tmp_path / "seed-6")
    train(spec, images, seed=6, directory=directory)
    assert not torch.equal(weights(directory.last)["head.weight"], weights(whole.last)["head.weight"])


def test_training_learns(spec, images, tmp_path):
    longer = dataclasses.replace(spec, updates=40, validate_every=20, val_tasks=20, test_tasks=50)
    directory = SeedDir(tmp_path / "seed-5")
    train(longer, images, seed=5, directory=directory)
    first, last = directory.read_metrics()
    assert last["train_loss"] < 0.8 * first["train_loss"]
    assert last["val_loss"] < first["val_loss"]


def mean_loss(spec, images, params, split, count, *, query, steps):
    task = dataclasses.replace(spec.task, query=query)
    sampler = TaskSampler(images, split, task, seed=0, dtype=torch.float64)
    losses = [reference.query_loss(params, sampler.task(i), spec.learner.inner_lr, steps) for i in range(count)]
    return pytest.approx(np.mean(losses), rel=1e-7)


def test_validation_is_on_the_first_val_tasks_with_the_training_steps(spec, images, whole):
    last = checkpoints.load(whole.last)
    assert last.val.loss == mean_loss(spec, images, last.params, "val", 3, query=2, steps=5)


def test_the_best_weights_are_kept_and_tested_on_novel_tasks(spec, images, tmp_path):
    directory = SeedDir(tmp_path / "seed-5")
    trainer = Trainer(spec, images, 5, directory, Solo(), torch.device("cpu"))
    for accuracy in (0.5, 0.7, 0.7, 0.6):
        trainer.update()
        trainer.save(Score(accuracy, 0.1, 1.0, 3))
    best = checkpoints.load(directory.best)
    assert (best.step, checkpoints.load(directory.last).step) == (2, 4)
    assert trainer.test(lambda i: None).loss == mean_loss(spec, images, best.params, "novel", 3, query=15, steps=10)


def test_the_training_loss_is_the_mean_of_updates_and_tasks(spec, images, tmp_path):
    trainer = Trainer(spec, images, 5, SeedDir(tmp_path / "seed-5"), Solo(), torch.device("cpu"))
    sampler = TaskSampler(images, "base", spec.task, seed=5, dtype=torch.float64)
    losses = []
    for update in range(2):
        before = {n: v.clone() for n, v in trainer.params.items()}
        losses += [
            reference.query_loss(before, sampler.task(4 * update + j), spec.learner.inner_lr, 5) for j in range(4)
        ]
        trainer.update()
    row = training._metrics_row(2, trainer.rows, {"val": Score(0.5, 0.1, 1.0, 3)}, 1.0)
    assert row["train_loss"] == pytest.approx(np.mean(losses), rel=1e-7)


def test_threads_are_pinned(spec, images, tmp_path):
    torch.set_num_threads(2)
    train(dataclasses.replace(spec, updates=1), images, seed=5, directory=SeedDir(tmp_path / "seed-5"))
    assert torch.get_num_threads() == 1


def test_the_files_of_a_finished_seed(spec, whole):
    rows = whole.read_metrics()
    assert [row["step"] for row in rows] == [2, 4, 6]
    assert all(np.isfinite(row[k]) for row in rows for k in row)
    best = checkpoints.load(whole.best)
    assert best.val.accuracy == max(row["val_accuracy"] for row in rows)
    assert best.spec == spec
    assert best.provenance["threads"] == 1
    assert {"torch", "ray", "raymaml"} <= set(best.provenance)
    assert json.loads(whole.result.read_text())["test"]["tasks"] == 3
    assert not list(whole.path.rglob("*.partial"))
    assert len(list(whole.path.rglob("*.safetensors"))) == 2


def test_progress_is_reported(spec, images, tmp_path):
    states = []
    train(spec, images, seed=5, directory=SeedDir(tmp_path / "seed-5"), report=states.append)
    assert states[0] == {"step": 0, "updates": 6, "val_accuracy": None, "tested": 0, "test_tasks": 3}
    assert [s["step"] for s in states if s["tested"] == 0][-1] == 6
    assert states[-1]["tested"] == 3
    assert states[-1]["val_accuracy"] is not None


def test_a_diverged_run_keeps_going_and_says_so(spec, images, tmp_path):
    wild = dataclasses.replace(spec, outer_lr=1e200)
    directory = SeedDir(tmp_path / "seed-5")
    score = train(wild, images, seed=5, directory=directory)
    assert score.loss is None
    assert directory.read_metrics()[-1]["val_loss"] is None
    assert directory.read_metrics()[-1]["train_loss"] is None
    assert checkpoints.load(directory.last).step == 6


def test_a_score_by_hand():
    rows = np.array([[1.0, 0.5], [2.0, 0.7], [3.0, 0.9]])
    score = score_of(rows)
    assert (score.accuracy, score.loss, score.tasks) == (pytest.approx(0.7), 2.0, 3)
    assert score.accuracy_ci95 == pytest.approx(1.96 * 0.2 / 3**0.5)
    assert score_of(np.array([[np.nan, 0.2], [1.0, 0.2]])).loss is None
