"""Compute a surface with a pool of Ray actors that write their own blocks."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from raymaml import checkpoints, data, machine
from raymaml.errors import ClusterError, IncompleteError, MismatchError
from raymaml.landscape import store as stores
from raymaml.landscape.evaluate import Evaluator, evaluator_of
from raymaml.landscape.plan import Block
from raymaml.landscape.store import SurfaceStore
from raymaml.runtime.pool import Outcome, Pool
from raymaml.runtime.session import capacity, check_shared, session
from raymaml.runtime.stop import graceful_stop
from raymaml.specs import SurfaceSpec


@dataclass(frozen=True)
class Progress:
    """How far a surface is."""

    blocks: int
    blocks_total: int
    evaluations: int  # in this call
    evaluations_left: int
    seconds: float  # since the first actor was asked for


class BlockActor:
    """One model replica with the task images in memory; evaluates blocks and writes them."""

    def __init__(self, store: Path, checkpoint: Path, threads: int) -> None:
        self.store_path, self.checkpoint_path, self.threads = store, checkpoint, threads
        self.store: SurfaceStore
        self.evaluator: Evaluator

    def prepare(self) -> None:
        """Load everything; a failure here is reported once and not retried."""
        machine.pin(self.threads)
        check_shared(self.store_path, seen=self.store_path.exists())
        self.store = stores.open_store(self.store_path)
        self.evaluator = load_evaluator(self.store.spec, self.checkpoint_path, "auto")
        if self.evaluator.direction_digest != self.store.provenance["direction_digest"]:
            raise MismatchError(f"node {platform.node()} draws other directions than the one that made the store")

    def evaluate(self, block: Block) -> None:
        """Compute one block and write it."""
        self.store.write(block, *self.evaluator.evaluate(block))


def load_evaluator(spec: SurfaceSpec, checkpoint: Path, device: str = "cpu") -> Evaluator:
    """The evaluator of a stored specification, from files.

    Raises:
        MismatchError: the checkpoint or the data set is not the one that `spec` names.
    """
    loaded = checkpoints.load(checkpoint)
    if loaded.weights_digest != spec.checkpoint_digest:
        raise MismatchError(f"the checkpoint in {checkpoint} has changed since the surface was started")
    return evaluator_of(spec, loaded.params, data.load(spec.data), machine.device_of(device))


def compute(
    spec: SurfaceSpec,
    checkpoint: Path,
    path: Path,
    *,
    address: str | None = None,
    actors: int | None = None,
    threads: int = 1,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_stop: Callable[[], None] = lambda: None,
) -> SurfaceStore:
    """Compute what is missing of a surface; blocks that are stored are not computed again.

    Args:
        spec: the surface.
        checkpoint: directory of the checkpoint, readable from every node of the cluster.
        path: the Zarr store, writable from every node; made if it is not there.
        address: of the cluster; see `session`.
        actors: how many; by default one per GPU, or per CPU where there is no GPU.
        threads: per actor; changes the last bits of the numbers, hence recorded.
        on_progress: called after each block.
        on_stop: called at the first Ctrl-C.

    Raises:
        MismatchError: the store holds another surface.
        IncompleteError: some blocks failed every attempt; the rest is stored.
        KeyboardInterrupt: stopped by Ctrl-C; everything finished is stored.
    """
    provenance = _provenance(load_evaluator(spec, checkpoint), checkpoint, threads)
    store = stores.create_or_open(path, spec, provenance) if path.exists() else None
    if store:
        _check_same_numbers(store, provenance)
        if not store.missing():
            return store
    with graceful_stop(on_stop) as stopping, session(address):
        size = _pool_size(actors, threads)
        store = store or stores.create_or_open(path, spec, provenance)  # after all that can be refused
        missing = store.missing()
        tracker = _Tracker(sum(1 for _ in store.plan.blocks()), missing, on_progress)
        _raise_unless_whole(path, Pool(_maker(path, checkpoint, threads), size, tracker, stopping).run(missing))
    return store


def _provenance(evaluator: Evaluator, checkpoint: Path, threads: int) -> dict[str, Any]:
    return {
        **machine.provenance(),
        "threads": threads,
        "checkpoint_path": str(checkpoint),
        "direction_digest": evaluator.direction_digest,
    }


def _check_same_numbers(store: SurfaceStore, now: dict[str, Any]) -> None:
    """Refuse to mix values that would not be comparable to the last bit."""
    there = store.provenance
    if there.get("direction_digest") != now["direction_digest"]:
        raise MismatchError(f"{store.path} was started with other directions than this installation draws")
    if there.get("threads") != now["threads"]:
        raise MismatchError(
            f"{store.path} was started with {there.get('threads')} threads per actor, which change last bits; "
            f"use --threads {there.get('threads')}"
        )


def _raise_unless_whole(path: Path, outcome: Outcome[Block]) -> None:
    if outcome.failed:
        block, reason = next(iter(outcome.failed.items()))
        raise IncompleteError(f"{len(outcome.failed)} blocks of {path} failed, such as {block}: {reason}")
    if outcome.stopped:
        raise KeyboardInterrupt


class _Tracker:
    """Counts finished blocks for the progress display."""

    def __init__(self, total: int, missing: list[Block], tell: Callable[[Progress], None]) -> None:
        self.total, self.left, self.tell = total, len(missing), tell
        self.evaluations, self.evaluations_left = 0, sum(b.evaluations for b in missing)
        self.started = time.monotonic()
        self._report()

    def __call__(self, block: Block) -> None:
        self.left -= 1
        self.evaluations += block.evaluations
        self.evaluations_left -= block.evaluations
        self._report()

    def _report(self) -> None:
        seconds = time.monotonic() - self.started
        self.tell(Progress(self.total - self.left, self.total, self.evaluations, self.evaluations_left, seconds))


def _pool_size(actors: int | None, threads: int) -> int:
    cpus, gpus = capacity()
    most = gpus or int(cpus // threads)
    if most < 1 or (actors or 0) > most:
        what = f"{gpus} GPUs" if gpus else f"{cpus:g} CPUs at {threads} per actor"
        raise ClusterError(
            f"the cluster has {what}: --actors must be from 1 to {most}, got {actors or 'no room for one'}"
        )
    return actors or most


def _maker(path: Path, checkpoint: Path, threads: int) -> Callable[[], Any]:
    gpus = 1 if capacity()[1] else 0
    actor = ray.remote(
        num_cpus=0 if gpus else threads,
        num_gpus=gpus,
        max_restarts=0,
        max_task_retries=0,
    )(BlockActor)
    return lambda: actor.remote(path, checkpoint, threads)
