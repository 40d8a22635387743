"""Measure sharpness with a pool of Ray actors that write their own parts of a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from raymaml import checkpoints, data, machine, models
from raymaml.errors import ClusterError, IncompleteError, MismatchError
from raymaml.runtime.pool import Outcome, Pool
from raymaml.runtime.session import capacity, check_shared, session
from raymaml.runtime.stop import graceful_stop
from raymaml.sharpness import store as stores
from raymaml.sharpness.evaluate import SharpnessEvaluator, sharpness_evaluator
from raymaml.sharpness.spec import GRADIENT, SharpnessSpec
from raymaml.sharpness.store import SharpnessStore

AVERAGED = "averaged"


@dataclass(frozen=True)
class Request:
    """A measurement, the directory of its checkpoint, and its Zarr store; every node of the cluster sees both."""

    spec: SharpnessSpec
    checkpoint: Path
    path: Path


@dataclass(frozen=True)
class Job:
    """What is missing of one part of one store; of `averaged` alone, or of anything else."""

    path: Path
    checkpoint: Path
    part: int
    measures: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """How far the measurements are."""

    jobs: int  # in this call
    jobs_total: int
    seconds: float  # since the first actor was asked for


class SharpnessActor:
    """One model replica; measures parts and writes them."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.at: Path | None = None  # what store and evaluator are of
        self.store: SharpnessStore
        self.evaluator: SharpnessEvaluator

    def prepare(self) -> None:
        """Make the process ready; a failure here is reported once and not retried."""
        machine.pin(self.threads)

    def evaluate(self, job: Job) -> None:
        """Measure one part and write it."""
        if self.at != job.path:
            self._open(job)
        measure_part(self.store, self.evaluator, job.part, job.measures)

    def _open(self, job: Job) -> None:
        self.at = None
        check_shared(job.path, seen=job.path.exists())
        self.store = stores.open_store(job.path)
        self.evaluator = load_evaluator(self.store.spec, job.checkpoint, "auto")
        self.at = job.path


def measure_part(store: SharpnessStore, evaluator: SharpnessEvaluator, part: int, measures: Sequence[str]) -> None:
    """Compute measures of one part and store them. `averaged` needs `gradient` of all parts, and comes alone."""
    tasks = store.tasks(part)
    if AVERAGED in measures:
        loss0 = store.read("loss0")[tasks.start : tasks.stop]
        values = evaluator.averaged(tasks, store.mean_gradient, loss0)
    else:
        values = evaluator.part(tasks, measures)
    store.write(part, measures, values)


def load_evaluator(spec: SharpnessSpec, checkpoint: Path, device: str = "cpu") -> SharpnessEvaluator:
    """The evaluator of a stored specification, from files.

    Raises:
        MismatchError: the checkpoint or the data set is not the one that `spec` names.
    """
    loaded = checkpoints.load(checkpoint)
    if loaded.weights_digest != spec.checkpoint_digest:
        raise MismatchError(f"the checkpoint in {checkpoint} has changed since its sharpness was first measured")
    return sharpness_evaluator(spec, loaded.params, data.load(spec.data), machine.device_of(device))


def compute(
    requests: Sequence[Request],
    measures: Sequence[str],
    *,
    address: str | None = None,
    actors: int | None = None,
    threads: int = 1,
    on_progress: Callable[[Progress], None] = lambda _: None,
    on_stop: Callable[[], None] = lambda: None,
) -> list[SharpnessStore]:
    """Compute what is missing of some measures; stored parts are not computed again.

    `averaged` takes two rounds: the gradients of all tasks, then the losses at the perturbation that they give.

    Args:
        requests: what to measure. A store is made if it is not there.
        measures: of `spec.MEASURES`.
        address: of the cluster; see `session`.
        actors: how many; by default one per GPU, or per CPU where there is no GPU.
        threads: per actor; changes the last bits of the numbers, hence recorded.
        on_progress: called after each part.
        on_stop: called at the first Ctrl-C.

    Raises:
        MismatchError: a store holds another measurement.
        IncompleteError: some parts failed every attempt; the rest is stored.
        KeyboardInterrupt: stopped by Ctrl-C; everything finished is stored.
    """
    for request in requests:
        load_evaluator(request.spec, request.checkpoint)  # refuses what cannot be measured before anything is made
    opened = [_open_if_there(request, threads) for request in requests]
    if all(store and not any(store.missing(name) for name in measures) for store in opened):
        return [store for store in opened if store]
    with graceful_stop(on_stop) as stopping, session(address):
        size = _pool_size(actors, threads)
        whole = [store or _create(r, threads) for store, r in zip(opened, requests, strict=True)]
        rounds = _rounds(requests, whole, measures)
        tracker = _Tracker(sum(map(len, rounds)), on_progress)
        for jobs in rounds:
            _raise_unless_whole(Pool(_maker(threads), size, tracker, stopping).run(jobs))
    return whole


def _open_if_there(request: Request, threads: int) -> SharpnessStore | None:
    if not request.path.exists():
        return None
    store = stores.create_or_open(request.path, request.spec, {}, 0)
    if store.provenance.get("threads") != threads:
        raise MismatchError(
            f"{store.path} was started with {store.provenance.get('threads')} threads per actor, which change last "
            f"bits; use --threads {store.provenance.get('threads')}"
        )
    return store


def _create(request: Request, threads: int) -> SharpnessStore:
    provenance = {**machine.provenance(), "threads": threads, "checkpoint_path": str(request.checkpoint)}
    parameters = sum(p.numel() for p in models.build(request.spec.model).parameters())
    return stores.create_or_open(request.path, request.spec, provenance, parameters)


def _rounds(requests: Sequence[Request], whole: Sequence[SharpnessStore], measures: Sequence[str]) -> list[list[Job]]:
    """The jobs, and those that must wait for all of them."""
    first: list[Job] = []
    second: list[Job] = []
    for request, store in zip(requests, whole, strict=True):
        averaged = store.missing(AVERAGED) if AVERAGED in measures else []
        names = [name for name in measures if name != AVERAGED] + ([GRADIENT] if averaged else [])
        missing = {name: set(store.missing(name)) for name in names}
        for part in store.parts:
            if todo := tuple(name for name in names if part in missing[name]):
                first.append(Job(request.path, request.checkpoint, part, todo))
        second += [Job(request.path, request.checkpoint, part, (AVERAGED,)) for part in averaged]
    return [first, second]


def _raise_unless_whole(outcome: Outcome[Job]) -> None:
    if outcome.failed:
        job, reason = next(iter(outcome.failed.items()))
        raise IncompleteError(f"{len(outcome.failed)} parts failed, such as part {job.part} of {job.path}: {reason}")
    if outcome.stopped:
        raise KeyboardInterrupt


class _Tracker:
    """Counts finished parts for the progress display."""

    def __init__(self, total: int, tell: Callable[[Progress], None]) -> None:
        self.total, self.done, self.tell = total, 0, tell
        self.started = time.monotonic()
        self._report()

    def __call__(self, job: Job) -> None:
        self.done += 1
        self._report()

    def _report(self) -> None:
        self.tell(Progress(self.done, self.total, time.monotonic() - self.started))


def _pool_size(actors: int | None, threads: int) -> int:
    cpus, gpus = capacity()
    most = gpus or int(cpus // threads)
    if most < 1 or (actors or 0) > most:
        what = f"{gpus} GPUs" if gpus else f"{cpus:g} CPUs at {threads} per actor"
        raise ClusterError(
            f"the cluster has {what}: --actors must be from 1 to {most}, got {actors or 'no room for one'}"
        )
    return actors or most


def _maker(threads: int) -> Callable[[], Any]:
    gpus = 1 if capacity()[1] else 0
    actor = ray.remote(
        num_cpus=0 if gpus else threads,
        num_gpus=gpus,
        max_restarts=0,
        max_task_retries=0,
    )(SharpnessActor)
    return lambda: actor.remote(threads)
