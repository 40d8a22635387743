"""Connect to a Ray cluster, or start one on this machine for as long as the command runs."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import secrets
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray
import ray.exceptions

from raymaml.errors import ClusterError

PROBE_SECONDS = 5.0  # ray.init itself retries a dead address for 30 s to 2 minutes
# The options of a cluster of our own. We pass paths and indices, no arrays: Ray's default object store takes
# 30 % of memory. A seed has five processes (driver, controller, cleaner, worker, checkpoint store): at its
# default Ray prints a warning on stdout once eight start on two cores.
LOCAL: dict[str, Any] = {
    "include_dashboard": False,
    "object_store_memory": 200 * 2**20,
    "_system_config": {"worker_maximum_startup_concurrency": 64},
}


@contextlib.contextmanager
def session(address: str | None = None) -> Iterator[None]:
    """A connection to Ray for the duration of the block.

    Args:
        address: `local` starts a cluster on this machine; `auto` joins the one that runs on it; `host:port`
            joins that one. None takes RAY_ADDRESS (set inside a Ray job), else `local`. A process that is
            connected already keeps its connection.

    Raises:
        ClusterError: no cluster answers at the address.
    """
    if ray.is_initialized():
        yield
        return
    terminate = signal.getsignal(signal.SIGTERM)
    _connect(address or os.environ.get("RAY_ADDRESS") or "local")
    if callable(terminate) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, terminate)  # ray.init puts its own in place of ours
    try:
        yield
    finally:
        ray.shutdown()


def _connect(address: str) -> None:
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address == "local":
            _make_token()
            ray.init(address="local", **LOCAL, **quiet)
            return
        target = _running_cluster() if address == "auto" else address
        _probe(target)
        ray.init(address=target, **quiet)
    except (ConnectionError, ray.exceptions.RayError, ValueError, RuntimeError) as error:
        if isinstance(error, ClusterError):
            raise
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ClusterError(
            f"cannot connect to Ray at {address}: {first} (a cluster with token authentication needs "
            "RAY_AUTH_MODE=token and its token here too)"
        ) from error


def _make_token() -> None:
    """Make the token of a cluster of our own where there is none yet, readable by this user alone.

    Ray's ports listen on every interface, and Ray runs whatever comes with the token. Ray 2.60 asks for it without
    being told, but would write it so that everyone on this machine can read it.
    """
    asked = os.environ.get("RAY_AUTH_MODE", "token").lower() == "token"
    if not asked or os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    path = Path.home() / ".ray" / "auth_token"
    if path.exists():
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent)  # whose mode is 600
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):  # another command was faster
            os.link(temporary, path)
        os.unlink(temporary)
    except OSError as error:
        raise ClusterError(
            f"Ray's token cannot be written to {path} ({error.strerror}): set HOME to a folder of yours, "
            "or RAY_AUTH_TOKEN to a secret"
        ) from error


def _running_cluster() -> str:
    """The address that `ray start` left on this machine."""
    record = Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()) / "ray" / "ray_current_cluster"
    with contextlib.suppress(OSError):
        return record.read_text(encoding="utf-8").strip()
    raise ClusterError("no Ray cluster runs on this machine; start one with `ray start --head`, or use --address local")


def _probe(address: str) -> None:
    host, _, port = address.rpartition(":")
    if address.startswith("ray://"):
        raise ClusterError("ray:// addresses are not supported by Ray Train; give host:port, or submit a Ray job")
    if not host or not port.isdigit():
        raise ClusterError(f"--address must be local, auto or host:port, got {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"no Ray cluster answers at {address} ({error}); start one or use --address local"
        ) from error


def check_shared(path: Path, *, seen: bool) -> None:
    """Refuse to go on where this node does not see what the command has made at `path`."""
    if not seen:
        raise ClusterError(f"node {platform.node()} does not see {path}: --out must be a folder that all nodes share")


def cluster() -> dict[str, Any]:
    """The cluster that is connected, for a record: its address, nodes, CPUs and GPUs."""
    cpus, gpus = capacity()
    nodes = sum(bool(node["Alive"]) for node in ray.nodes())  # type: ignore[no-untyped-call]
    return {"address": ray.get_runtime_context().gcs_address, "nodes": nodes, "cpus": cpus, "gpus": gpus}


def capacity() -> tuple[float, int]:
    """CPUs and GPUs of the cluster."""
    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return float(resources.get("CPU", 0.0)), int(resources.get("GPU", 0))
