"""Actors that each hold a model replica and write their own parts of Zarr stores, whatever is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import ray

from raymaml import checkpoints, machine
from raymaml.errors import ClusterError, IncompleteError, MismatchError
from raymaml.params import Params
from raymaml.runtime.pool import Job, Outcome
from raymaml.runtime.session import capacity, check_shared

Spec = TypeVar("Spec")


@dataclass(frozen=True)
class Request(Generic[Spec]):
    """What to compute, the directory of its checkpoint, and its Zarr store; every node of the cluster sees both."""

    spec: Spec
    checkpoint: Path
    path: Path


class StoreJob(Protocol):
    """A part of one of the stores."""

    @property
    def path(self) -> Path:
        """The store."""
        ...


class Replica:
    """An actor that keeps what it needs for one store until a job of another comes; subclasses open and work."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.at: Path | None = None  # the store that is open

    def prepare(self) -> None:
        """Make the process ready; a failure here is reported once and not retried."""
        machine.pin(self.threads)

    def evaluate(self, job: Any) -> None:
        """Compute one part of a store and write it."""
        self._open_for(job)
        self.work(job)

    def _open_for(self, job: StoreJob) -> None:
        if self.at != job.path:
            self.at = None
            check_shared(job.path, seen=job.path.exists())
            self.open(job)
            self.at = job.path

    def open(self, job: Any) -> None:
        """Open the store of a job, and load what its numbers depend on."""
        raise NotImplementedError

    def work(self, job: Any) -> None:
        """Compute the job's part of the open store and write it."""
        raise NotImplementedError


def maker(replica: type[Replica], threads: int) -> Callable[[], Any]:
    """Makes actors of a class, each with a GPU where the cluster has them, else with `threads` CPUs."""
    gpus = 1 if capacity()[1] else 0
    actor = ray.remote(
        num_cpus=0 if gpus else threads,
        num_gpus=gpus,
        max_restarts=0,
        max_task_retries=0,
    )(replica)
    return lambda: actor.remote(threads)


def pool_size(actors: int | None, threads: int) -> int:
    """How many actors: those asked for, else one per GPU, or per `threads` CPUs where there is no GPU.

    Raises:
        ClusterError: the cluster has no room for so many.
    """
    cpus, gpus = capacity()
    most = gpus or int(cpus // threads)
    if most < 1 or (actors or 0) > most:
        what = f"{gpus} GPUs" if gpus else f"{cpus:g} CPUs at {threads} per actor"
        raise ClusterError(
            f"the cluster has {what}: --actors must be from 1 to {most}, got {actors or 'no room for one'}"
        )
    return actors or most


def weights_of(checkpoint: Path, digest: str, since: str) -> Params:
    """The weights in the directory of a checkpoint, which must be those of that digest.

    Raises:
        MismatchError: they have changed; `since` says since when that matters.
    """
    loaded = checkpoints.load(checkpoint)
    if loaded.weights_digest != digest:
        raise MismatchError(f"the checkpoint in {checkpoint} has changed since {since}")
    return loaded.params


def check_threads(path: Path, provenance: Mapping[str, Any], threads: int) -> None:
    """Refuse to mix values that would not be comparable to the last bit.

    Raises:
        MismatchError: the store was started with another number of threads.
    """
    there = provenance.get("threads")
    if there != threads:
        raise MismatchError(
            f"{path} was started with {there} threads per actor, which change last bits; use --threads {there}"
        )


def raise_unless_whole(outcome: Outcome[Job], what: str, name: Callable[[Job], str]) -> None:
    """Say what failed or was stopped; `name` gives one of the `what` for a person.

    Raises:
        IncompleteError: some failed every attempt.
        KeyboardInterrupt: the pool was stopped.
    """
    if outcome.failed:
        job, reason = next(iter(outcome.failed.items()))
        raise IncompleteError(f"{len(outcome.failed)} {what} failed, such as {name(job)}: {reason}")
    if outcome.stopped:
        raise KeyboardInterrupt
