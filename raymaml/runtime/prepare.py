"""Decode a data set with a pool of Ray actors that write their own chunks."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import ray

from raymaml.data import prepared
from raymaml.data import store as stores
from raymaml.data.catalogue import Request
from raymaml.data.raw import RawSet
from raymaml.data.store import ImageStore
from raymaml.errors import ClusterError, IncompleteError, MismatchError
from raymaml.runtime.pool import Pool
from raymaml.runtime.session import capacity, session
from raymaml.runtime.stop import graceful_stop


class ChunkActor:
    """Finds the pictures for itself, then decodes and writes chunks of them."""

    def __init__(self, request: Request, path: Path) -> None:
        self.request, self.path = request, path
        self.raw: RawSet
        self.store: ImageStore

    def prepare(self) -> None:
        """Scan the root; a failure here is reported once and not retried."""
        node = platform.node()
        if not self.path.exists():
            raise ClusterError(
                f"node {node} does not see {self.path}: RAYMAML_CACHE must be a folder that all nodes share"
            )
        self.raw, self.store = self.request.scan(), stores.reopen(self.path)
        record = stores.record_of(self.raw, self.request.settings)
        if any(self.store.record[k] != record[k] for k in record):
            raise MismatchError(f"node {node} has other files in {self.request.root}, or other versions of packages")

    def evaluate(self, chunk: int) -> None:
        """Decode one chunk and write it."""
        prepared.write_chunk(self.store, self.raw, chunk)


def on_ray(
    request: Request,
    *,
    address: str | None = None,
    actors: int | None = None,
    on_stop: Callable[[], None] = lambda: None,
) -> prepared.Fill:
    """A way to fill the store of `request`: the missing chunks, on a cluster whose nodes all see it and the root.

    Args:
        request: of the set; each actor scans its root.
        address: of the cluster; see `session`.
        actors: how many; by default one per CPU.
        on_stop: called at the first Ctrl-C.

    Returns:
        A function for `prepared.write`. It raises DataError where a picture cannot be read, IncompleteError where
        chunks failed every attempt, ClusterError, and KeyboardInterrupt when stopped; all chunks written stay.
    """

    def fill(store: ImageStore, raw: RawSet, done: Callable[[int], None]) -> None:
        missing = store.missing()
        if not missing:
            return
        with graceful_stop(on_stop) as stopping, session(address):
            actor = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(ChunkActor)
            pool = Pool(lambda: actor.remote(request, store.path), _pool_size(actors), done, stopping)
            outcome = pool.run(missing)
        if outcome.failed:
            chunk, reason = next(iter(outcome.failed.items()))
            raise IncompleteError(f"{len(outcome.failed)} chunks of {request.name} failed, such as {chunk}: {reason}")
        if outcome.stopped:
            raise KeyboardInterrupt

    return fill


def _pool_size(actors: int | None) -> int:
    cpus = int(capacity()[0])
    if cpus < 1 or (actors or 0) > cpus:
        raise ClusterError(f"the cluster has {cpus} CPUs: --actors must be from 1 to {cpus}, got {actors or 'none'}")
    return actors or cpus
