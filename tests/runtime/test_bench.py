import json

import pytest

from raymaml.bench.workers import workers
from raymaml.landscape.plan import plan_of
from raymaml.runtime import bench
from raymaml.runtime.bench import Effort

pytestmark = pytest.mark.ray


def test_the_engine_is_compared_with_the_same_blocks_without_ray(cluster):
    effort = Effort(blocks=2, tasks=1, steps=0, rounds=1)
    with workers(2, 1, pinned=True) as ours:
        found = bench.engine(ours, effort)
    [rates] = found["evaluations_per_s"]
    assert found["overhead"] == pytest.approx(rates["2"]["in_process"] / rates["2"]["actors"] - 1)
    assert found["two_actors"] == pytest.approx(rates["2"]["actors"] / rates["1"]["actors"])
    assert found["two_processes"] == pytest.approx(rates["2"]["in_process"] / rates["1"]["in_process"])
    assert found["startup_seconds"] > 0
    assert (found["actors"], found["block_evaluations"]) == (2, 1)
    json.dumps(found, allow_nan=False)


def test_one_core_has_no_second_actor(cluster):
    with workers(1, 1, pinned=True) as ours:
        found = bench.engine(ours, Effort(blocks=1, tasks=1, steps=0, rounds=1))
    assert found["two_actors"] is found["two_processes"] is None
    assert found["overhead"] > -1


def test_the_driver_hands_out_and_records_every_block(cluster):
    found = bench.driver(Effort(driver_blocks=50, driver_actors=3))
    assert (found["blocks"], found["actors"]) == (50, 3)
    assert found["blocks_per_s"] == pytest.approx(50 / found["seconds"])
    blocks = len(list(plan_of(100, 51, 51).blocks()))
    assert found["blocks_per_s_of_a_gpu"] == pytest.approx(blocks / 300)
    assert found["gpus"] == int(found["blocks_per_s"] / found["blocks_per_s_of_a_gpu"])
    assert found["blocks_per_s_needed"] == pytest.approx(3 * blocks / 300)
    assert 0 < found["planning_seconds"] < found["seconds"]
    json.dumps(found, allow_nan=False)
