import socket
import subprocess
import sys
import time

import pytest

from raymaml.errors import ClusterError
from raymaml.runtime import session


@pytest.fixture
def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_a_dead_address_is_refused_at_once(closed_port):
    start = time.monotonic()
    with pytest.raises(ClusterError, match=rf"no Ray cluster answers at 127.0.0.1:{closed_port} .*--address local"):
        session._connect(f"127.0.0.1:{closed_port}")
    assert time.monotonic() - start < session.PROBE_SECONDS + 1


def test_a_silent_address_is_given_up_after_the_probe(monkeypatch):
    monkeypatch.setattr(session, "PROBE_SECONDS", 0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        keep = [socket.create_connection(full.getsockname(), timeout=1)]  # fills the backlog: the next one hangs
        keep += [_half_open(full.getsockname()) for _ in range(2)]
        with pytest.raises(ClusterError, match="no Ray cluster answers at"):
            session._connect("{}:{}".format(*full.getsockname()))


def _half_open(address):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(address)
    return s


@pytest.mark.parametrize("address", ["nonsense", "host:", ":80", "host:port", "http://x"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(ClusterError, match="--address must be local, auto or host:port, got"):
        session._connect(address)


def test_ray_client_addresses_are_refused():
    with pytest.raises(ClusterError, match="ray:// addresses are not supported"):
        session._connect("ray://127.0.0.1:10001")


def test_auto_without_a_cluster_says_how_to_start_one(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    with pytest.raises(ClusterError, match="no Ray cluster runs on this machine; start one with `ray start --head`"):
        session._connect("auto")


@pytest.mark.ray
def test_a_connected_process_keeps_its_connection(cluster):
    import ray

    with session.session("127.0.0.1:1"):
        assert ray.is_initialized()
    assert ray.is_initialized()
    assert session.capacity() == (2.0, 0)


@pytest.mark.ray
def test_a_running_cluster_is_joined_by_address(cluster):
    import ray

    code = (
        "import sys, ray\nfrom raymaml.runtime.session import capacity, session\n"
        "with session(sys.argv[1]): print(capacity())\nassert not ray.is_initialized()"
    )
    address = ray.get_runtime_context().gcs_address
    done = subprocess.run(
        [sys.executable, "-c", code, address], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == "(2.0, 0)\n"
