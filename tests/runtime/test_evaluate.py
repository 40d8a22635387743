import numpy as np
import pytest
import torch

from raymaml import backends, checkpoints, learners, models
from raymaml.errors import MissingError, SpecError
from raymaml.landscape.scores import score
from raymaml.params import cast
from raymaml.specs import TaskSpec
from raymaml.tasks import TaskSampler
from raymaml.verbs.evaluate import evaluate

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def stores(cluster, trained):
    return evaluate(str(trained.path), splits=("base", "novel"), checkpoints=("best", "last"), tasks=30, query=1)


def test_every_value_is_the_plain_task_evaluation(stores, trained, glyphs):
    assert [(s.spec.seed, s.spec.checkpoint, s.spec.split) for s in stores] == [
        (seed, which, split) for seed in (5, 6) for which in ("best", "last") for split in ("base", "novel")
    ]
    for store in stores:
        seed, spec = trained.seed(store.spec.seed), trained.spec()
        loaded = checkpoints.load(seed.best if store.spec.checkpoint == "best" else seed.last)
        model = models.build(spec.model)
        weights = cast(loaded.params, torch.float64)
        sampler = TaskSampler(glyphs, store.spec.split, TaskSpec(5, 1, 1), seed=0, dtype=torch.float64)
        learner = learners.build(spec.learner, backends.preferred(model, "cpu"))
        for number in (0, 29):
            loss, accuracy = learner.evaluate(model, weights, sampler.task(number), spec.test_steps)
            assert store.read("loss")[number, 0, 0, 0, 0] == loss
            assert store.read("accuracy")[number, 0, 0, 0, 0] == accuracy
        values = store.read("accuracy")[:, 0, 0, 0, 0]
        found = score(store)
        assert found.accuracy == values.mean()
        assert found.accuracy_ci95 == pytest.approx(1.96 * np.std(values, ddof=1) / np.sqrt(30))


def test_the_same_again_computes_nothing(stores, trained):
    again = evaluate(
        str(trained.path), splits=("base", "novel"), checkpoints=("best", "last"), tasks=30, query=1,
        on_progress=lambda p: pytest.fail("computed"), address="127.0.0.1:1",
    )  # fmt: skip
    assert [s.path for s in again] == [s.path for s in stores]


def test_the_runs_own_test_is_an_evaluation(cluster, trained):
    spec = trained.spec()
    [store] = evaluate(str(trained.path), [6], tasks=spec.test_tasks, query=spec.test_query)
    assert score(store) == trained.seed(6).read_result()


def test_what_is_not_there_is_refused(trained):
    with pytest.raises(MissingError, match="no finished seed 9"):
        evaluate(str(trained.path), [9])
    with pytest.raises(SpecError, match="the base split of glyphs has classes with 20 images: too few"):
        evaluate(str(trained.path), [5], splits=("base",), query=25)
