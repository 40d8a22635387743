"""`raymaml doctor` and `raymaml log`, as users run them."""

import json

import pytest

from raymaml.runlog import RunLog


@pytest.mark.ray
@pytest.mark.timeout(200)
def test_all_is_checked_with_a_cluster_of_its_own(command):
    ran = command("doctor", "--address", "local")
    lines = ran.out.splitlines()
    assert ran.code == 0, ran.out
    assert ran.err == ""
    names = [line[9:].split(":")[0] for line in lines]
    assert {"python", "torch", "runs", "cache", "memory", "/dev/shm", "processors", "gpu", "token", "cluster"} <= set(
        names
    )
    assert lines[names.index("cluster")].startswith("ok       cluster: --address local: 1 nodes, ")
    assert lines[-1].startswith("ok       nodes: 1 with the same versions")
    assert all(("; to do: " in line) == (not line.startswith("ok ")) for line in lines)


def test_a_cluster_that_does_not_answer_is_a_problem(command, tmp_path):
    ran = command("doctor", "--json", "--address", "127.0.0.1:1", "--out", tmp_path / "runs")
    checks = {check["name"]: check for check in map(json.loads, ran.out.splitlines())}
    assert ran.code == 1
    assert checks["cluster"]["state"] == "problem"
    assert "no Ray cluster answers at 127.0.0.1:1" in checks["cluster"]["text"]
    assert "nodes" not in checks
    assert checks["runs"]["text"].endswith(f"free for {tmp_path / 'runs'}")
    assert not (tmp_path / "runs").exists()


def test_without_ray_a_folder_that_is_none_is_a_problem(command, tmp_path):
    (tmp_path / "file").touch()
    ran = command("doctor", "--no-ray", "--out", tmp_path / "file")
    assert ran.code == 1
    assert [line for line in ran.out.splitlines() if line.startswith("PROBLEM")] == [
        f"PROBLEM  runs: {tmp_path / 'file'} is a file: {tmp_path / 'file'} cannot be made; "
        "to do: make it writable for you, or name another (RAYMAML_HOME)"
    ]
    assert "cluster: --address" not in ran.out


def test_the_public_name_is_the_function():
    import raymaml
    import raymaml.health.check

    assert callable(raymaml.doctor)
    assert callable(raymaml.log)


def test_the_log_of_a_run_is_printed(command, run_at_home):
    refused = command("log")
    assert refused.code == 2
    assert refused.err.startswith("raymaml: no log in ")
    refused = command("log", "--run", "tiny")
    assert refused.code == 2
    assert "log.jsonl is not there or empty" in refused.err
    log = RunLog(run_at_home / "log.jsonl")
    for number in range(3):
        log.write("progress", f"{number} of 3 blocks", done=number)
    ran = command("log", "--last", "2")
    assert ran.code == 0
    assert [line[22:] for line in ran.out.splitlines()] == [
        f"progress          {number} of 3 blocks" for number in (1, 2)
    ]
    ran = command("log", "--run", "tiny", "--json")
    assert [json.loads(line) for line in ran.out.splitlines()] == log.read()
