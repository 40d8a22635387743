"""Measure sharpness with a pool of Ray actors that write their own parts of a store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from raymaml import data, locks, machine, models
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
from raymaml.sharpness import store as stores
from raymaml.sharpness.evaluate import SharpnessEvaluator, sharpness_evaluator
from raymaml.sharpness.spec import AVERAGED, GRADIENT, SharpnessSpec
from raymaml.sharpness.store import SharpnessStore


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


class SharpnessActor(Replica):
    """One model replica; measures parts and writes them."""

    store: SharpnessStore
    evaluator: SharpnessEvaluator

    def open(self, job: Job) -> None:
        """Open the store, and make its evaluator."""
        self.store = stores.open_store(job.path)
        self.evaluator = load_evaluator(self.store.spec, job.checkpoint, "auto")

    def work(self, job: Job) -> None:
        """Measure one part and write it."""
        measure_part(self.store, self.evaluator, job.part, job.measures)


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
    weights = weights_of(checkpoint, spec.checkpoint_digest, "its sharpness was first measured")
    return sharpness_evaluator(spec, weights, data.load(spec.data), machine.device_of(device))


def compute(
    requests: Sequence[Request[SharpnessSpec]],
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
        BusyError: another process measures into one of them.
        MismatchError: a store holds another measurement.
        IncompleteError: some parts failed every attempt; the rest is stored.
        KeyboardInterrupt: stopped by Ctrl-C; everything finished is stored.
    """
    for request in requests:
        load_evaluator(request.spec, request.checkpoint)  # refuses what cannot be measured before anything is made
    opened = [_open_if_there(request, threads) for request in requests]
    finished = {s.path: s for s in opened if s and not any(s.missing(name) for name in measures)}
    if len(finished) == len({request.path for request in requests}):
        return [finished[request.path] for request in requests]
    held_paths = [request.path for request in requests if request.path not in finished]
    locks.check(held_paths)  # Ray takes 7 to 16 s to start
    journal = journal_of("sharpness", "parts", requests)
    with graceful_stop(journal.stopping(on_stop)) as stopping, session(address):
        size = pool_size(actors, threads)
        with locks.hold(held_paths) as held:
            whole = [finished.get(request.path) or _create_or_open(request, threads) for request in requests]
            rounds = _rounds(requests, whole, measures)
            with journal.round([job for jobs in rounds for job in jobs], held, actors=size, threads=threads):
                journal.warn(store for store in whole if store.path not in finished)
                tracker = _Tracker(sum(map(len, rounds)), on_progress)
                for jobs in rounds:
                    make = journal.maker(maker(SharpnessActor, threads), min(size, len(jobs)))
                    outcome = Pool(make, size, journal.on_job(tracker), lambda: stopping() or held.lost()).run(jobs)
                    journal.failures(outcome, _name)
                    raise_unless_whole(outcome, "parts", _name)
    return whole


def _name(job: Job) -> str:
    return f"part {job.part} of {job.path}"


def _open_if_there(request: Request[SharpnessSpec], threads: int) -> SharpnessStore | None:
    if not request.path.exists():
        return None
    store = stores.open_same(request.path, request.spec)
    check_threads(store.path, store.provenance, threads)
    return store


def _create_or_open(request: Request[SharpnessSpec], threads: int) -> SharpnessStore:
    provenance = {**machine.provenance(), "threads": threads, "checkpoint_path": str(request.checkpoint)}
    parameters = sum(p.numel() for p in models.build(request.spec.model).parameters())
    return stores.create_or_open(request.path, request.spec, provenance, parameters)


def _rounds(
    requests: Sequence[Request[SharpnessSpec]], whole: Sequence[SharpnessStore], measures: Sequence[str]
) -> list[list[Job]]:
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
