import os
import time

import pytest

from raymaml.bench.workers import Seconds, in_turns, workers
from raymaml.errors import RaymamlError


def sleeping(seconds):
    return lambda: time.sleep(seconds)


def thread_counts(path):
    import torch

    def note():
        with open(path, "a") as lines:
            lines.write(f"{os.getpid()} {torch.get_num_threads()}\n")

    return note


def failing():
    raise ValueError("no such work")


def dying():
    os._exit(1)


@pytest.fixture(scope="module")
def two():
    with workers(2, 3, pinned=True) as started:
        yield started


def test_processes_work_side_by_side(two):
    two.prepare(sleeping, 0.5)
    (a, b), (c, d) = two.spans()
    assert b - a >= 0.5
    assert d - c >= 0.5
    assert max(a, c) < min(b, d)  # one after the other would not overlap
    assert two.repeat() >= 0.5


def test_each_process_has_its_threads(two, tmp_path):
    two.prepare(thread_counts, tmp_path / "log", warm=False)
    two.repeat()
    assert len((tmp_path / "log").read_text().splitlines()) == 2
    two.prepare(thread_counts, tmp_path / "log")
    rows = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
    assert len(rows) == 4
    assert len({pid for pid, _ in rows}) == 2
    assert {threads for _, threads in rows} == {"3"}


def test_some_of_the_processes_can_work_alone(two):
    two.prepare(sleeping, 0.0)
    assert len(two.first(1).spans()) == 1


def test_work_that_fails_says_why_and_the_process_goes_on(two):
    with pytest.raises(RuntimeError, match="^ValueError: no such work$"):
        two.prepare(failing)
    two.prepare(sleeping, 0.0)


def test_a_process_that_dies_ends_the_measurement():
    with workers(1, 1, pinned=False) as one, pytest.raises(RaymamlError, match="a process that was timed died"):
        one.prepare(dying)


def test_a_speedup_is_of_rates_at_their_best():
    seconds = Seconds([4.0, 2.0, 8.0], [3.0, 1.0, 2.0], one_units=4, other_units=10)
    assert (seconds.one_rate, seconds.other_rate) == (2.0, 10.0)
    assert seconds.speedup == 5.0
    assert seconds.median_speedup == 5.0
    slower = Seconds([4.0, 2.0, 2.0], [3.0, 1.0, 2.0], one_units=4, other_units=10)
    assert slower.median_speedup == 2.5


def test_both_are_timed_in_turns():
    order = []
    found = in_turns(lambda: order.append("a") or 1.0, lambda: order.append("b") or 2.0, 3)
    assert order == list("ababab")
    assert found == ([1.0] * 3, [2.0] * 3)
