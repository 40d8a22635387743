"""Compute surfaces with a pool of Ray actors that write their own blocks."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch

from raymaml import backends, data, machine
from raymaml.backends import Execution
from raymaml.errors import MismatchError
from raymaml.landscape import store as stores
from raymaml.landscape import trial
from raymaml.landscape.evaluate import Evaluator, evaluator_of
from raymaml.landscape.plan import Block
from raymaml.landscape.store import SurfaceStore
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
        execution = backends.recorded(self.store.provenance.get("execution"))
        self.evaluator = load_evaluator(self.store.spec, job.checkpoint, "auto", execution)
        if self.evaluator.direction_digest != self.store.provenance["direction_digest"]:
            raise MismatchError(f"node {platform.node()} draws other directions than the one that made the store")

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
        backend: name of the back end of new stores, see `raymaml.backends`; by default what a short trial on the
            cluster finds fastest. It is recorded, and what is missing of a store is computed by the recorded one.
        on_ready: called when all that can be refused is checked, before the first store is made.
        on_progress: called after each block.
        on_stop: called at the first Ctrl-C.

    Raises:
        MismatchError: a store holds another surface, or was started with another back end than the one asked for.
        IncompleteError: some blocks failed every attempt; the rest is stored.
        KeyboardInterrupt: stopped by Ctrl-C; everything finished is stored.
    """
    provenances = [_provenance(request, threads) for request in requests]
    opened = [_open_if_there(r, p, backend) for r, p in zip(requests, provenances, strict=True)]
    if all(store and not store.missing() for store in opened):
        return [store for store in opened if store]
    with graceful_stop(on_stop) as stopping, session(address):
        size = pool_size(actors, threads)
        chooser = _Chooser(backend, threads)
        executions = [None if store else chooser(r) for store, r in zip(opened, requests, strict=True)]
        on_ready()
        whole = [  # made after all that can be refused
            store or stores.create_or_open(r.path, r.spec, {**p, "execution": execution})
            for store, r, p, execution in zip(opened, requests, provenances, executions, strict=True)
        ]
        jobs = [Job(r.path, r.checkpoint, b) for r, store in zip(requests, whole, strict=True) for b in store.missing()]
        tracker = _Tracker(sum(sum(1 for _ in store.plan.blocks()) for store in whole), jobs, on_progress)
        outcome = Pool(maker(BlockActor, threads), size, tracker, stopping).run(jobs)
        raise_unless_whole(outcome, "blocks", lambda job: f"{job.block} of {job.path}")
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
    store = stores.create_or_open(request.path, request.spec, provenance)
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
