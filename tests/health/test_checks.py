"""Each check, told what it would find."""

import os
import time
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from raymaml.health import auth, cluster, gpu, host, packages, storage
from raymaml.health.check import size
from raymaml.health.gpu import Seen
from raymaml.health.host import Limits
from raymaml.process import _start_of

GIB = 2**30


def test_sizes():
    assert [size(n) for n in (0, 200 * 2**20, 3 * 2**29)] == ["0 MiB", "200 MiB", "1.5 GiB"]


@pytest.mark.parametrize(
    ("version", "state"), [("3.11.7", "ok"), ("3.14.0rc1", "ok"), ("3.10.14", "problem"), ("3.11.0rc1", "problem")]
)
def test_python(version, state):
    assert packages.python(">=3.11", version).state == state


@pytest.mark.parametrize(
    ("version", "state", "text"),
    [
        ("2.60.0", "ok", "2.60.0 (needed: <3,>=2.60)"),
        ("2.59.1", "problem", "2.59.1, needed is <3,>=2.60"),
        ("3.0", "problem", "3.0, needed is <3,>=2.60"),
        (None, "problem", "is not installed, needed is <3,>=2.60"),
    ],
)
def test_a_package(version, state, text):
    found = packages.package(Requirement("ray[default]>=2.60,<3"), version)
    assert (found.name, found.state, found.text) == ("ray", state, text)


def test_all_packages_but_those_of_extras():
    def version_of(name):
        if name == "torch":
            raise metadata.PackageNotFoundError
        return "2.0"

    lines = ["torch>=2.9", "numpy>=2.0", 'pytest>=8; extra == "test"', 'colorama; sys_platform == "win32"']
    found = list(packages.check_packages(lambda _: lines, version_of, lambda: ">=3.11"))
    assert [(c.name, c.state) for c in found] == [("python", "ok"), ("torch", "problem"), ("numpy", "ok")]


def test_this_environment_has_what_is_needed():
    found = list(packages.check_packages())
    assert {"python", "ray", "torch", "zarr"} <= {c.name for c in found}
    assert [c for c in found if c.state != "ok"] == []


def test_what_is_not_installed_has_no_bounds():
    def requires(name):
        raise metadata.PackageNotFoundError

    assert [c.state for c in packages.check_packages(requires)] == ["warning"]


@pytest.mark.parametrize(("free", "state"), [(100 * GIB, "ok"), (9 * GIB, "warning"), (GIB - 1, "problem")])
def test_space(free, state):
    assert storage.space("runs", Path("a"), free).state == state


@pytest.mark.parametrize(("shift", "state"), [(-3.0, "ok"), (14.0, "ok"), (16.0, "warning"), (-600.0, "warning")])
def test_clock(shift, state):
    assert storage.clock(Path("a"), shift).state == state


def test_a_folder_that_need_not_exist_is_checked_and_not_made(tmp_path):
    found = list(storage.check_folder("runs", tmp_path / "a" / "b"))
    assert [(c.name, c.state) for c in found] == [("runs", "ok"), ("locks", "ok"), ("clock", "ok")]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_links(tmp_path, monkeypatch):
    def link(*args):
        raise OSError

    monkeypatch.setattr(os, "link", link)
    assert [c.state for c in storage.check_folder("runs", tmp_path)][1] == "warning"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").touch()
    [found] = storage.check_folder("runs", tmp_path / "file" / "runs")
    assert (found.state, found.text) == (
        "problem",
        f"{tmp_path / 'file'} is a file: {tmp_path}/file/runs cannot be made",
    )


def test_a_folder_that_cannot_be_written():
    [found] = storage.check_folder("cache", Path("/proc/self"))  # not even for root
    assert found.state == "problem"
    assert found.text.startswith("/proc/self cannot be written: ")
    assert "RAYMAML_CACHE" in found.advice


@pytest.mark.parametrize(
    ("available", "limits", "state", "text"),
    [
        (8 * GIB, Limits(), "ok", "8.0 GiB available"),
        (3 * GIB - 1, Limits(), "warning", "3.0 GiB available"),
        (GIB, Limits(), "problem", "1.0 GiB available"),
        (8 * GIB, Limits(4 * GIB, GIB), "ok", "3.0 GiB available (the container's limit is 4.0 GiB)"),
        (8 * GIB, Limits(4 * GIB, 3 * GIB), "problem", "1.0 GiB available (the container's limit is 4.0 GiB)"),
    ],
)
def test_memory(available, limits, state, text):
    found = host.memory(available, limits, 2)
    assert (found.state, found.text) == (state, text)


def test_memory_for_fewer_actors():
    assert host.memory(9 * GIB, Limits(), 16).advice == "16 actors of 1 GiB may not fit: use --actors 8"


@pytest.mark.parametrize(("free", "state"), [(GIB, "ok"), (64 * 2**20, "warning"), (None, "warning")])
def test_shared_memory(free, state):
    assert host.shared_memory(free).state == state


@pytest.mark.parametrize(("share", "state"), [(None, "ok"), (16.0, "ok"), (1.5, "warning")])
def test_processors(share, state):
    found = host.processors(16, Limits(processors=share))
    assert found.state == state
    assert found.advice == ("use --actors 1" if share == 1.5 else "")


@pytest.mark.parametrize(("variable", "state"), [(None, "ok"), ("2", "ok"), ("many", "warning")])
def test_threads(variable, state):
    assert host.threads(variable, 2).state == state


@pytest.mark.parametrize(
    ("tunable", "preloaded", "state"), [(True, "", "ok"), (False, "", "warning"), (True, "x", "ok")]
)
def test_allocator(tunable, preloaded, state):
    found = host.allocator(tunable, preloaded)
    assert found.state == state
    assert ("LD_PRELOAD is x" in found.text) == bool(preloaded)


@pytest.mark.parametrize(
    ("soft", "hard", "state", "advice"),
    [
        (65_536, 65_536, "ok", ""),
        (1_024, 4_096, "warning", "ulimit -n 4096"),
        (1_024, 2**20, "warning", "ulimit -n 65536"),
        (1_024, -1, "warning", "ulimit -n 65536"),
    ],
)
def test_open_files(soft, hard, state, advice):
    found = host.open_files(soft, hard)
    assert found.state == state
    assert found.advice.endswith(advice)


def files(root, texts):
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_limits_of_version_2_are_the_tightest_above(tmp_path):
    files(
        tmp_path,
        {
            "proc/self/cgroup": "0::/slice/unit\n",
            "sys/fs/cgroup/slice/unit/memory.max": "max\n",
            "sys/fs/cgroup/slice/unit/cpu.max": "max 100000\n",
            "sys/fs/cgroup/slice/memory.max": f"{4 * GIB}\n",
            "sys/fs/cgroup/slice/memory.current": f"{2 * GIB}\n",
            "sys/fs/cgroup/slice/memory.stat": f"anon 5\ninactive_file {GIB}\n",
            "sys/fs/cgroup/slice/cpu.max": "150000 100000\n",
        },
    )
    assert host.read_limits(tmp_path) == Limits(4 * GIB, GIB, 1.5)


def test_limits_of_version_1(tmp_path):
    files(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/not/mounted\n1:cpu,cpuacct:/\n0::/\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{GIB}\n",
            "sys/fs/cgroup/memory/memory.usage_in_bytes": "1000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
    )
    assert host.read_limits(tmp_path) == Limits(GIB, 1000, 0.5)


@pytest.mark.parametrize("texts", [{}, {"sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096)}])
def test_no_limits(tmp_path, texts):
    files(tmp_path, {**texts, "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "1"})
    assert host.read_limits(tmp_path) == Limits()


def test_available_memory():
    assert host.read_available("MemTotal:  9 kB\nMemAvailable:   2048 kB\n") == 2**21


ONE = Seen(("H100",), (80 * GIB,), "13.0")


@pytest.mark.parametrize(
    ("driver", "count", "seen", "state", "text"),
    [
        (None, 0, Seen((), (), None), "ok", "none: everything runs on the CPU"),
        ("580.1", 1, ONE, "ok", "1 of 1: H100 (80.0 GiB); driver 580.1, torch for CUDA 13.0"),
        ("580.1", 8, ONE, "warning", "1 of 8: H100 (80.0 GiB); driver 580.1, torch for CUDA 13.0"),
        ("580.1", 1, Seen((), (), None), "problem", "driver 580.1 has 1, but torch is built without CUDA"),
        ("470.1", 1, Seen((), (), "13.0"), "problem", "driver 470.1 has 1, but torch for CUDA 13.0 sees none"),
        ("580.1", 1, Seen(("A",), (GIB,), "13.0", "no kernel"), "problem", None),
        ("580.1", 0, Seen((), (), "13.0"), "warning", "driver 580.1, but no GPU answers"),
    ],
)
def test_gpus(driver, count, seen, state, text):
    found = gpu.gpus(driver, count, seen)
    assert found.state == state
    assert text is None or found.text == text


@pytest.mark.parametrize(
    ("printed", "driver", "count"),
    [("echo 580.1; echo 580.1", "580.1", 2), ("exit 9", "that has no GPU", 0), ("sleep 60", "that does not answer", 0)],
)
def test_the_driver_is_asked(tmp_path, monkeypatch, printed, driver, count):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\nexec 1>&1\n{printed.replace('sleep', 'exec sleep')}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(gpu, "SECONDS", 1.0)
    assert gpu._driver() == (driver, count)


@pytest.mark.parametrize(
    ("address", "mode", "given", "permissions", "state"),
    [
        ("local", "", False, None, "ok"),
        ("host:1", "", False, None, "ok"),
        ("host:1", "", False, 0o600, "warning"),
        ("host:1", "token", False, 0o600, "ok"),
        ("host:1", "token", True, None, "ok"),
        ("host:1", "token", False, None, "problem"),
        ("host:1", "token", False, 0o644, "warning"),
        ("host:1", "disabled", False, None, "ok"),
    ],
)
def test_token(address, mode, given, permissions, state):
    assert auth.token(address, mode, given, Path("t"), permissions).state == state


def test_a_token_is_looked_at_and_not_read(tmp_path):
    file = tmp_path / "token"
    file.write_text("secret")
    file.chmod(0o640)
    environment = {"RAY_AUTH_TOKEN_PATH": str(file), "RAY_AUTH_MODE": "token"}
    accessed = file.stat().st_atime_ns
    found = auth.check_token("local", environment)
    assert found.advice == f"chmod 600 {file}"
    file.chmod(0o600)
    assert auth.check_token("local", environment).state == "ok"
    assert auth.check_token(
        "host:1", {"RAY_AUTH_MODE": "token", "HOME": "/none", "RAY_AUTH_TOKEN": "secret"}
    ).state != ("problem")
    assert file.stat().st_atime_ns == accessed


HERE = {"raymaml": "1", "torch": "2.9"}


def answer(node="a", sees=True, **versions):
    return {"node": node, "versions": {**HERE, **versions}, "sees": sees}


def test_nodes():
    [right] = cluster.nodes(HERE, Path("/runs"), [answer(), answer("b")])
    assert (right.state, right.text) == ("ok", "2 with the same versions, and /runs")
    found = list(cluster.nodes(HERE, Path("/runs"), [answer(), answer("b", torch="2.8"), answer("c", sees=False)]))
    assert [(c.name, c.state, c.text) for c in found] == [
        ("node b", "problem", "has torch 2.8 (here 2.9)"),
        ("node c", "problem", "does not see /runs"),
    ]


def test_reached():
    assert (
        cluster.reached("auto", {"nodes": 2, "cpus": 8.0, "gpus": 1}).text == "--address auto: 2 nodes, 8 CPUs, 1 GPUs"
    )
    assert cluster.reached("auto", {"nodes": 1, "cpus": 0.0, "gpus": 0}).state == "problem"
    assert cluster.reached("a:1", {"error": "no answer"}).text == "--address a:1: no answer"


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("echo noise; echo '{\"cpus\": 2}'", {"cpus": 2}),
        ("echo first >&2; echo why >&2; exit 3", {"error": "why"}),
        ("exit 0", {"error": "ended without an answer"}),
        ("sleep 60 & sleep 60", {"error": "no answer in 0.5 s"}),
    ],
)
def test_a_program_is_asked_for_a_time(command, found):
    assert cluster.ask(["sh", "-c", command], 0.5) == found


def test_all_that_a_program_started_ends(tmp_path):
    cluster.ask(["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; sleep 60"], 1)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while _start_of(pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
