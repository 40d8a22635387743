"""Compute surfaces with a pool of Ray actors that write their own blocks."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from raymaml import data, machine
from raymaml.errors import MismatchError
from raymaml.landscape import store as stores
from raymaml.landscape.evaluate import Evaluator, evaluator_of
from raymaml.landscape.store import SurfaceStore
from raymaml.runtime.jobs import Job, Progress, Tracker
from raymaml.runtime.pool import Pool
from raymaml.runtime.replicas import (
    Replica,
    Request,
    check_threads,
    maker,
    pool_size,
    raise_unless_whole,
    weights_of,
)
from raymaml.runtime.session import session
from raymaml.runtime.stop import graceful_stop
from raymaml.specs import SurfaceSpec


class BlockActor(Replica):
    """One model replica with the task images in memory; evaluates blocks and writes them."""

    store: SurfaceStore
    evaluator: Evaluator

    def open(self, job: Job) -> None:
        """Open the store, and make its evaluator."""
        self.store = stores.open_store(job.path)
        self.evaluator = load_evaluator(self.store.spec, job.checkpoint, "auto")
        if self.evaluator.direction_digest != self.store.provenance["direction_digest"]:
            raise MismatchError(f"node {platform.node()} draws other directions than the one that made the store")

    def work(self, job: Job) -> None:
        """Compute one block and write it."""
        self.store.write(job.block, self.evaluator.evaluate(job.block))


def load_evaluator(spec: SurfaceSpec, checkpoint: Path, device: str = "cpu") -> Evaluator:
    """The evaluator of a stored specification, from files.

    Raises:
        MismatchError: the checkpoint or the data set is not the one that `spec` names.
    """
    weights = weights_of(checkpoint, spec.checkpoint_digest, "the surface was started")
    return evaluator_of(spec, weights, data.load(spec.data), machine.device_of(device))


def compute(
    requests: Sequence[Request[SurfaceSpec]],
    *,
    address: str | None = None,
    actors: int | None = None,
    threads: int = 1,
    on_ready: Callable[[], None] = lambda: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_stop: Callable[[], None] = lambda: None,
) -> list[SurfaceStore]:
    """Compute what is missing of surfaces, one after the other; stored blocks are not computed again.

    Args:
        requests: the surfaces. A store is made if it is not there.
        address: of the cluster; see `session`.
        actors: how many; by default one per GPU, or per CPU where there is no GPU.
        threads: per actor; changes the last bits of the numbers, hence recorded.
        on_ready: called when all that can be refused is checked, before the first store is made.
        on_progress: called after each block.
        on_stop: called at the first Ctrl-C.

    Raises:
        MismatchError: a store holds another surface.
        IncompleteError: some blocks failed every attempt; the rest is stored.
        KeyboardInterrupt: stopped by Ctrl-C; everything finished is stored.
    """
    provenances = [_provenance(request, threads) for request in requests]
    opened = [_open_if_there(r, p) for r, p in zip(requests, provenances, strict=True)]
    if all(store and not store.missing() for store in opened):
        return [store for store in opened if store]
    with graceful_stop(on_stop) as stopping, session(address):
        size = pool_size(actors, threads)
        on_ready()
        whole = [  # made after all that can be refused
            store or stores.create_or_open(r.path, r.spec, p)
            for store, r, p in zip(opened, requests, provenances, strict=True)
        ]
        jobs = [Job(r.path, r.checkpoint, b) for r, store in zip(requests, whole, strict=True) for b in store.missing()]
        tracker = Tracker(sum(sum(1 for _ in store.plan.blocks()) for store in whole), jobs, on_progress)
        outcome = Pool(maker(BlockActor, threads), size, tracker, stopping).run(jobs)
        raise_unless_whole(outcome, "blocks", lambda job: f"{job.block} of {job.path}")
    return whole


def _open_if_there(request: Request[SurfaceSpec], provenance: dict[str, Any]) -> SurfaceStore | None:
    if not request.path.exists():
        return None
    store = stores.create_or_open(request.path, request.spec, provenance)
    _check_same_numbers(store, provenance)
    return store


def _provenance(request: Request[SurfaceSpec], threads: int) -> dict[str, Any]:
    return {
        **machine.provenance(),
        "threads": threads,
        "checkpoint_path": str(request.checkpoint),
        "direction_digest": load_evaluator(request.spec, request.checkpoint).direction_digest,
    }


def _check_same_numbers(store: SurfaceStore, now: dict[str, Any]) -> None:
    """Refuse to mix values that would not be comparable to the last bit."""
    there = store.provenance
    if there.get("direction_digest") != now["direction_digest"]:
        raise MismatchError(f"{store.path} was started with other directions than this installation draws")
    check_threads(store.path, there, now["threads"])
