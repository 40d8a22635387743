import os
import sys
import time

import pytest
import ray

from raymaml.errors import MissingError, RaymamlError
from raymaml.landscape.plan import Block, Plan
from raymaml.runtime.pool import ATTEMPTS, Pool

pytestmark = pytest.mark.ray

ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

BLOCKS = sorted(Plan((1, 1, 8), (1, 1, 1)).blocks(), key=lambda block: block.beta)


class Recorder:
    """Appends each block it evaluates to a file; misbehaves as told by the block's place."""

    def __init__(self, path, *, raises=None, dies=None, prepare="fine"):
        self.path, self.raises, self.dies, self.how = path, raises, dies, prepare

    def prepare(self):
        if self.how == "missing":
            raise MissingError("no such run")
        if self.how == "dies":
            os._exit(1)

    def evaluate(self, block):
        place = block.beta[0]
        with open(self.path, "a") as lines:
            lines.write(f"{place}\n")
        if place == self.raises:
            raise ValueError("bad block")
        if place == self.dies:
            os._exit(1)


@pytest.fixture
def pool(cluster, tmp_path):
    def make(size=2, stopping=lambda: False, on_job=lambda b: None, num_cpus=0.1, **how):
        actor = ray.remote(num_cpus=num_cpus, max_restarts=0)(Recorder)
        return Pool(lambda: actor.remote(tmp_path / "log", **how), size, on_job, stopping)

    return make


def evaluated(tmp_path):
    return sorted(int(line) for line in (tmp_path / "log").read_text().split())


def test_every_block_is_evaluated_once(pool, tmp_path):
    seen = []
    outcome = pool(on_job=seen.append).run(BLOCKS)
    assert evaluated(tmp_path) == list(range(8))
    assert sorted(b.beta[0] for b in seen) == list(range(8))
    assert (outcome.finished, outcome.failed, outcome.stopped) == (8, {}, False)


@pytest.mark.parametrize("how", ["raises", "dies"])
def test_a_poison_job_is_set_aside_after_its_attempts(pool, tmp_path, how):
    outcome = pool(**{how: 3}).run(BLOCKS)
    assert evaluated(tmp_path) == sorted([0, 1, 2, 4, 5, 6, 7] + [3] * ATTEMPTS)
    assert list(outcome.failed) == [Block((0, 1), (0, 1), (3, 4))]
    assert outcome.finished == 7


def test_stopping_lets_blocks_in_flight_finish(pool, tmp_path):
    done = []
    outcome = pool(size=1, on_job=done.append, stopping=lambda: len(done) >= 3).run(BLOCKS)
    assert outcome.stopped
    assert outcome.finished == 3
    assert evaluated(tmp_path) == [0, 1, 2]


def test_further_jobs_are_asked_for_when_all_are_finished(pool, tmp_path):
    done, rounds = [], [BLOCKS[2:7], BLOCKS[7:], []]

    def more():
        assert len(done) in (2, 7, 8)  # nothing is in flight
        return rounds.pop(0)

    made = pool(on_job=done.append)
    made.more = more
    outcome = made.run(BLOCKS[:2])
    assert evaluated(tmp_path) == list(range(8))
    assert (outcome.finished, outcome.failed, outcome.stopped, rounds) == (8, {}, False, [])


def test_a_round_of_one_job_keeps_room_for_more_actors(pool, tmp_path):
    rounds = [BLOCKS[1:], []]
    made = pool(size=2)
    made.more = lambda: rounds.pop(0)
    assert made.run(BLOCKS[:1]).finished == 8
    assert evaluated(tmp_path) == list(range(8))


def test_stopping_between_rounds_says_that_there_is_more(pool):
    done, rounds = [], [BLOCKS[2:], []]
    made = pool(on_job=done.append, stopping=lambda: len(done) == 2)
    made.more = lambda: rounds.pop(0)
    outcome = made.run(BLOCKS[:2])
    assert (outcome.finished, outcome.stopped) == (2, True)


def test_no_further_jobs_are_begun_after_one_has_failed(pool, tmp_path):
    made = pool(raises=1)
    made.more = lambda: pytest.fail("asked for more")
    assert list(made.run(BLOCKS[:2]).failed) == [BLOCKS[1]]


@pytest.mark.timeout(60)
def test_an_actor_that_finds_no_room_is_not_waited_for(pool, tmp_path):
    outcome = pool(size=3, num_cpus=1).run(BLOCKS)  # the cluster has room for two
    assert evaluated(tmp_path) == list(range(8))
    assert outcome.finished == 8


def test_a_users_error_in_preparing_comes_back_as_it_is(pool):
    with pytest.raises(MissingError, match="^no such run$"):
        pool(prepare="missing").run(BLOCKS)


def test_actors_that_never_start_end_the_run(pool):
    start = time.monotonic()
    with pytest.raises(RaymamlError, match="actors keep dying while they start"):
        pool(size=1, prepare="dies").run(BLOCKS)
    assert time.monotonic() - start < 60
