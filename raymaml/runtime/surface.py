"""Compute surfaces with a pool of Ray actors that write their own blocks."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymaml import data, locks, machine
from raymaml.errors import MismatchError
from raymaml.landscape import sets
from raymaml.landscape import store as stores
from raymaml.landscape.evaluate import Evaluator, evaluator_of
from raymaml.landscape.plan import Block
from raymaml.landscape.store import SurfaceStore
from raymaml.runtime.journal import journal_of
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


@dataclass(frozen=True)
class Job:
    """A block of one of the stores."""

    path: Path
    checkpoint: Path
    block: Block


@dataclass(frozen=True)
class Progress:
    """How far the surfaces are."""

    blocks: int
    blocks_total: int
    evaluations: int  # in this call
    evaluations_left: int
    seconds: float  # since the first actor was asked for


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
        BusyError: another process computes one of them, or of the set that it belongs to.
        MismatchError: a store holds another surface.
        IncompleteError: some blocks failed every attempt; the rest is stored.
        KeyboardInterrupt: stopped by Ctrl-C; everything finished is stored.
    """
    provenances = [_provenance(request, threads) for request in requests]
    opened = [_open_if_there(r, p) for r, p in zip(requests, provenances, strict=True)]
    finished = {store.path: store for store in opened if store and not store.missing()}
    if len(finished) == len({request.path for request in requests}):
        return [finished[request.path] for request in requests]
    held_paths = [sets.whole(request.path) for request in requests if request.path not in finished]
    locks.check(held_paths)  # Ray takes 7 to 16 s to start
    journal = journal_of("surface", "blocks", requests)
    with graceful_stop(journal.stopping(on_stop)) as stopping, session(address):
        size = pool_size(actors, threads)
        with locks.hold(held_paths) as held:
            on_ready()
            whole = [  # made after all that can be refused; opened again, as they may have grown
                finished.get(r.path) or stores.create_or_open(r.path, r.spec, p)
                for r, p in zip(requests, provenances, strict=True)
            ]
            blocks = [(r, store.missing()) for r, store in zip(requests, whole, strict=True)]
            jobs = [Job(r.path, r.checkpoint, block) for r, missing in blocks for block in missing]
            with journal.round(jobs, held, actors=size, threads=threads):
                journal.warn(store for store in whole if store.path not in finished)
                tracker = _Tracker(sum(sum(1 for _ in store.plan.blocks()) for store in whole), jobs, on_progress)
                make = journal.maker(maker(BlockActor, threads), min(size, len(jobs)))
                outcome = Pool(make, size, journal.on_job(tracker), lambda: stopping() or held.lost()).run(jobs)
                journal.failures(outcome, _name)
                raise_unless_whole(outcome, "blocks", _name)
    return whole


def _name(job: Job) -> str:
    return f"{job.block} of {job.path}"


def _open_if_there(request: Request[SurfaceSpec], provenance: dict[str, Any]) -> SurfaceStore | None:
    if not request.path.exists():
        return None
    store = stores.open_same(request.path, request.spec)
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


class _Tracker:
    """Counts finished blocks for the progress display."""

    def __init__(self, total: int, jobs: list[Job], tell: Callable[[Progress], None]) -> None:
        self.total, self.left, self.tell = total, len(jobs), tell
        self.evaluations, self.evaluations_left = 0, sum(job.block.evaluations for job in jobs)
        self.started = time.monotonic()
        self._report()

    def __call__(self, job: Job) -> None:
        self.left -= 1
        self.evaluations += job.block.evaluations
        self.evaluations_left -= job.block.evaluations
        self._report()

    def _report(self) -> None:
        seconds = time.monotonic() - self.started
        self.tell(Progress(self.total - self.left, self.total, self.evaluations, self.evaluations_left, seconds))
