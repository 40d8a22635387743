"""Check the environment before it is needed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from raymaml import runs
from raymaml.data.cache import cache_folder
from raymaml.health import auth, cluster, gpu, host, packages, storage
from raymaml.health.check import Check


def doctor(
    *,
    address: str | None = None,
    out: Path | None = None,
    start_ray: bool = True,
    on_check: Callable[[Check], None] = lambda check: None,
) -> list[Check]:
    """Check versions, disks, memory, processors, GPUs, and the cluster; writes nothing that stays.

    Args:
        address: of the Ray cluster; see `runtime.session`.
        out: the folder that runs go to; by default `runs.home()`.
        start_ray: whether to connect to the cluster, or to start one, which takes 7 to 16 s.
        on_check: called with each check as it is made.
    """
    found = []
    for check in _checks(address or os.environ.get("RAY_ADDRESS") or "local", out, start_ray):
        on_check(check)
        found.append(check)
    return found


def _checks(address: str, out: Path | None, start_ray: bool) -> Iterator[Check]:
    home = (out.expanduser() if out else runs.home()).absolute()
    yield from packages.check_packages()
    yield from storage.check_folder("runs", home)
    yield from storage.check_folder("cache", cache_folder().absolute())
    yield from storage.check_folder("temporary", Path(os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()))
    yield from host.check_host()
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: one of its libraries
        yield Check("torch", "problem", f"cannot be loaded: {error}", packages.ADVICE)
        return
    yield host.threads(os.environ.get("OMP_NUM_THREADS"), torch.get_num_threads())
    yield gpu.check_gpus()
    yield auth.check_token(address)
    if start_ray:
        yield from cluster.check_cluster(address, home)
