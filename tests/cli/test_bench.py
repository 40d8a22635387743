"""`raymaml bench`: its figures are there; how large they are decides nothing here."""

import json
import os

import nightly
import pytest


def test_bench_prints_a_table_and_writes_its_figures(command, here):
    ran = command("bench", "--quick", "--only", "surface", "train", "--json", "figures.json")
    assert ran.code == 0
    assert ran.err.splitlines()[-1] == "wrote figures.json"
    rows = ran.out.splitlines()
    assert [row.split()[-1] in ("met", "missed") for row in rows[:4]] == [True] * 4
    assert "this was --quick: its figures mean little" in rows
    found = json.loads((here / "figures.json").read_text())
    for setting in ("conv4_84", "conv4_28"):
        one = found["surface"][setting]
        assert one["speedup"] == pytest.approx(one["our_evaluations_per_s"] / one["published_evaluations_per_s"])
        assert one["gemm_share"] == pytest.approx(one["gflops"] / found["peak"]["gemm_gflops"])
        assert one["gflops"] == pytest.approx(one["our_evaluations_per_s"] * one["gflop_needed"])
    assert found["train"]["speedup"] > 0
    assert found["peak"]["conv3x3_gflops"] > 0
    assert found["machine"]["cores"] == len(os.sched_getaffinity(0))
    assert {"torch", "ray", "processor"} <= set(found["machine"])
    assert "engine" not in found
    assert "driver" not in found


@pytest.mark.ray
@nightly.only("a minute")
def test_bench_measures_actors_and_the_driver(command, cluster, here, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    ran = command("bench", "--quick", "--only", "engine,driver", "--json", "figures.json")
    assert ran.code == 0, ran.err
    found = json.loads((here / "figures.json").read_text())
    assert {"overhead", "two_actors"} <= set(found["engine"])
    assert found["driver"]["blocks_per_s"] > 0
    assert "surface" not in found
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0"  # hidden for the measurement alone
