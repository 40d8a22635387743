"""A cluster that a command starts for itself: who may use it, and what of it can be reached."""

import os
import stat
import subprocess
import sys

import pytest

from raymaml.errors import ClusterError
from raymaml.runtime import session

# Prints the status of a call to the cluster's head without its token and with it.
PROBE = """
import os, stat
from pathlib import Path
import grpc, ray
from raymaml.runtime.session import session

def ask(address, *token):
    channel = grpc.insecure_channel(address)
    call = channel.unary_unary("/ray.rpc.NodeInfoGcsService/GetClusterId")
    try:
        return bool(call(b"", metadata=token, timeout=20))
    except grpc.RpcError as error:
        return error.code().name

with session("local"):
    address = ray.get_runtime_context().gcs_address
    token = (Path.home() / ".ray/auth_token").read_text()
    print(ask(address), *(ask(address, ("authorization", "Bearer " + word)) for word in ("0" * 64, token)))
    print(ray.get(ray.remote(num_cpus=1)(lambda: os.environ["RAY_AUTH_MODE"]).remote()))
    print(repr(ray._private.worker.global_worker.node.webui_url))
"""


@pytest.mark.ray
def test_a_cluster_of_ours_answers_only_to_its_token_and_has_no_dashboard(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env={**environment, "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["UNAUTHENTICATED UNAUTHENTICATED True", "token", "''"]
    token = tmp_path / ".ray" / "auth_token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert list(token.parent.iterdir()) == [token]


def test_the_dashboard_is_off():
    assert session.LOCAL["include_dashboard"] is False
    assert "dashboard_host" not in session.LOCAL  # Ray's own is loopback


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_token_that_is_there_stays(home):
    session._make_token()
    token = home / ".ray" / "auth_token"
    first = token.read_text()
    assert len(first) == 64
    session._make_token()
    assert token.read_text() == first


@pytest.mark.parametrize(
    ("name", "value"), [("RAY_AUTH_MODE", "disabled"), ("RAY_AUTH_TOKEN", "s"), ("RAY_AUTH_TOKEN_PATH", "/x")]
)
def test_no_token_is_made_where_the_user_has_said_otherwise(home, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    session._make_token()
    assert not (home / ".ray").exists()


def test_a_home_that_cannot_be_written_is_named(home):
    (home / ".ray").touch()
    with pytest.raises(ClusterError, match=r"Ray's token cannot be written to .*/.ray/auth_token .*set HOME"):
        session._make_token()
