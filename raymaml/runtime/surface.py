"""Compute surfaces with a pool of Ray actors that write their own blocks."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray
import torch

from raymaml import backends, data, locks, machine
from raymaml.backends import Execution
from raymaml.errors import MismatchError
from raymaml.landscape import adaptive_record, sets, trial
from raymaml.landscape import store as stores
from raymaml.landscape.evaluate import Evaluator, evaluator_of
from raymaml.landscape.plan import Block
from raymaml.landscape.store import SurfaceStore
from raymaml.runtime.jobs import Job, Progress, Tracker
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
from raymaml.runtime.session import capacity, session
from raymaml.runtime.stop import graceful_stop
from raymaml.specs import SurfaceSpec


class BlockActor(Replica):
    """One model replica with the task images in memory; evaluates blocks and writes them."""

    store: SurfaceStore
    evaluator: Evaluator

    def open(self, job: Job) -> None:
        """Open the store, and make its evaluator."""
        self.store = stores.open_store(job.path)
        execution = backends.recorded(self.store.provenance.get("execution"))
        self.evaluator = load_evaluator(self.store.spec, job.checkpoint, "auto", execution)
        if self.evaluator.direction_digest != self.store.provenance["direction_digest"]:
            raise MismatchError(f"node {platform.node()} draws other directions than the one that made the store")
        self.evaluator.check_repeats(job.block)

    def work(self, job: Job) -> None:
        """Compute one block and write it."""
        self.store.write(job.block, self.evaluator.evaluate(job.block))


def load_evaluator(
    spec: SurfaceSpec, checkpoint: Path, device: str = "cpu", execution: Execution | None = None
) -> Evaluator:
    """The evaluator of a stored specification, from files; see `evaluator_of`.

    Raises:
        MismatchError: the checkpoint or the data set is not the one that `spec` names.
    """
    weights = weights_of(checkpoint, spec.checkpoint_digest, "the surface was started")
    return evaluator_of(spec, weights, data.load(spec.data), machine.device_of(device), execution)


def compute(
    requests: Sequence[Request[SurfaceSpec]],
    *,
    address: str | None = None,
    actors: int | None = None,
    threads: int = 1,
    backend: str | None = None,
    adaptive: float | None = None,
    on_ready: Callable[[], None] = lambda: None,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_stop: Callable[[], None] = lambda: None,
) -> list[SurfaceStore]:
    """Compute what is missing of surfaces, coarse to fine, one after the other; stored blocks are not computed again.

    Args:
        requests: the surfaces. A store is made if it is not there.
        address: of the cluster; see `session`.
        actors: how many; by default one per GPU, or per CPU where there is no GPU.
        threads: per actor; changes the last bits of the numbers, hence recorded.
        backend: name of the back end of new stores, see `raymaml.backends`; by default what a short trial on the
            cluster finds fastest. It is recorded, and what is missing of a store is computed by the recorded one.
        adaptive: tolerance in nats of the interpolated mean loss: only the blocks that it needs are computed, and the
            error reached is stated in the store; see `landscape.adaptive`. None: all blocks.
        on_ready: called when all that can be refused is checked, before the first store is made.
        on_progress: called after each block.
        on_stop: called at the first Ctrl-C.

    Raises:
        BusyError: another process computes one of them, or of the set that it belongs to.
        MismatchError: a store holds another surface, or was started with another back end than the one asked for.
        IncompleteError: some blocks failed every attempt; the rest is stored.
        KeyboardInterrupt: stopped by Ctrl-C; everything finished is stored.
    """
    provenances = [_provenance(request, threads) for request in requests]
    opened = [_open_if_there(r, p, backend) for r, p in zip(requests, provenances, strict=True)]
    finished = {store.path: store for store in opened if store and not _missing(store, adaptive)}
    if len(finished) == len({request.path for request in requests}):
        return _stated([finished[request.path] for request in requests], adaptive)
    held_paths = [sets.whole(request.path) for request in requests if request.path not in finished]
    locks.check(held_paths)  # Ray takes 7 to 16 s to start
    journal = journal_of("surface", "blocks", requests)
    with graceful_stop(journal.stopping(on_stop)) as stopping, session(address):
        size, chooser = pool_size(actors, threads), _Chooser(backend, threads)
        with locks.hold(held_paths) as held:
            executions = [None if r.path in finished or r.path.exists() else chooser(r) for r in requests]
            on_ready()
            whole = [  # made after all that can be refused; opened again, as they may have grown
                finished.get(r.path) or stores.create_or_open(r.path, r.spec, {**p, "execution": execution})
                for r, p, execution in zip(requests, provenances, executions, strict=True)
            ]

            def jobs() -> list[Job]:
                pairs = zip(requests, whole, strict=True)
                return [Job(r.path, r.checkpoint, block) for r, store in pairs for block in _missing(store, adaptive)]

            most = sum(sum(1 for _ in store.plan.blocks()) for store in whole)
            first = jobs()
            missing = None if adaptive is None else sum(len(store.missing()) for store in whole)
            with journal.round(first, held, actors=size, threads=threads):
                journal.warn(store for store in whole if store.path not in finished)
                tracker = Tracker(most, first, on_progress, missing)
                make = journal.maker(maker(BlockActor, threads), min(size, len(first)))
                pool = Pool(make, size, journal.on_job(tracker), lambda: stopping() or held.lost())
                if adaptive is not None:
                    pool.more = lambda: journal.add(tracker.add(jobs()))
                outcome = pool.run(first)
                journal.failures(outcome, _name)
                raise_unless_whole(outcome, "blocks", _name)
            return _stated(whole, adaptive)


def _name(job: Job) -> str:
    return f"{job.block} of {job.path}"


def _missing(store: SurfaceStore, adaptive: float | None) -> list[Block]:
    return store.missing() if adaptive is None else adaptive_record.missing(store, adaptive)


def _stated(whole: list[SurfaceStore], adaptive: float | None) -> list[SurfaceStore]:
    """The stores, each of which says what it is an approximation of, if it is one."""
    for store in whole:
        if not store.missing():
            adaptive_record.withdraw(store)
        elif adaptive is not None:
            adaptive_record.state(store, adaptive)
    return whole


class _Chooser:
    """Chooses the back end of new stores, by one trial for all surfaces of a kind."""

    def __init__(self, name: str | None, threads: int) -> None:
        self.name, self.threads = name, threads
        self.found: dict[Any, dict[str, Any]] = {}

    def __call__(self, request: Request[SurfaceSpec]) -> dict[str, Any]:
        """The record of an execution."""
        spec = request.spec
        kind = (spec.model, spec.learner, spec.task, spec.steps, spec.queries, spec.around, spec.part, spec.precision)
        if kind not in self.found:
            self.found[kind] = self._choose(request)
        return self.found[kind]

    def _choose(self, request: Request[SurfaceSpec]) -> dict[str, Any]:
        gpus = 1 if capacity()[1] else 0
        usual = trial.untried(request.spec, torch.device("cuda" if gpus else "cpu"), self.name)
        if not trial.needed(request.spec) or (self.name and not gpus):
            return usual.record()
        timed = ray.remote(num_cpus=0 if gpus else self.threads, num_gpus=gpus)(_try)
        record: dict[str, Any] = ray.get(timed.remote(request, self.threads, self.name))
        return record


def _try(request: Request[SurfaceSpec], threads: int, name: str | None) -> dict[str, Any]:
    """Runs where an actor would."""
    machine.pin(threads)
    weights = weights_of(request.checkpoint, request.spec.checkpoint_digest, "the surface was asked for")
    images = data.load(request.spec.data)
    return trial.run(request.spec, weights, images, machine.device_of("auto"), name).record()


def _open_if_there(
    request: Request[SurfaceSpec], provenance: dict[str, Any], backend: str | None
) -> SurfaceStore | None:
    if not request.path.exists():
        return None
    store = stores.open_same(request.path, request.spec)
    _check_same_numbers(store, provenance)
    there = backends.recorded(store.provenance.get("execution")).backend.name
    if backend not in (None, there):
        raise MismatchError(
            f"{store.path} was started with back end {there}, and others change last bits; leave out --backend"
        )
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
