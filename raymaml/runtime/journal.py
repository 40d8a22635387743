"""What the driver of a pool writes to the logs of the runs that it computes for."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from raymaml import machine
from raymaml.locks import Held
from raymaml.process import duration
from raymaml.runlog import Pace, RunLog, computing, log_of
from raymaml.runtime.pool import Outcome
from raymaml.runtime.replicas import Request, StoreJob
from raymaml.runtime.session import cluster

Jobs = TypeVar("Jobs", bound=Sequence[StoreJob])


class AnyStore(Protocol):
    """A store of any kind."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What it was begun with."""
        ...


@dataclass
class Journal:
    """Counts the jobs of a call, by log, and writes about them."""

    what: str  # `surface`
    unit: str  # `blocks`
    logs: dict[Path, RunLog]  # by store
    left: dict[Path, int] = field(default_factory=dict)  # jobs, by log
    done: dict[Path, int] = field(default_factory=dict)
    pace: dict[Path, Pace] = field(default_factory=dict)
    made: int = 0  # actors

    @contextlib.contextmanager
    def round(self, jobs: Sequence[StoreJob], held: Held, *, actors: int, threads: int) -> Iterator[None]:
        """Log the start, what was taken over, and the end of the computation of some jobs."""
        self.add(jobs)
        chosen = [log for log in set(self.logs.values()) if log.path in self.left]
        stores = sorted({str(job.path) for job in jobs})
        facts = {"stores": stores, self.unit: len(jobs), "actors": actors, "threads": threads, "cluster": cluster()}
        with computing(chosen, self.what, **facts, versions=machine.provenance()):
            for log in chosen:
                log.write("to do", f"{self.left[log.path]} {self.unit} are to be computed", left=self.left[log.path])
            note_takeovers(held, chosen)
            yield

    def add(self, jobs: Jobs) -> Jobs:
        """Count jobs that are to be done, and hand them on."""
        for job in jobs:
            path = self.logs[job.path].path
            self.left[path] = self.left.get(path, 0) + 1
        return jobs

    def warn(self, stores: Iterable[AnyStore]) -> None:
        """Say, and log, which of the stores that are continued were begun elsewhere or by other versions."""
        for store in stores:
            log = self.logs[store.path]
            if log.path in self.left and (other := machine.other_versions(store.provenance)):
                text = f"{store.path} was begun with {other}: the last bits of what is added may differ"
                log.write("other versions", text, path=str(store.path), begun=dict(store.provenance))
                logging.getLogger(__name__).warning("warning: %s", text)

    def maker(self, make: Callable[[], Any], size: int) -> Callable[[], Any]:
        """Makes actors by `make`; those after the first `size` replace actors that were lost."""

        def made() -> Any:
            self.made += 1
            if self.made > size:
                for log in self._active():
                    log.write("actor replaced", "an actor was lost and is replaced; what it held is computed again")
            return make()

        self.made = 0
        return made

    def on_job(self, then: Callable[[Any], None]) -> Callable[[Any], None]:
        """Counts a job that is done, then calls `then`."""

        def count(job: StoreJob) -> None:
            log = self.logs[job.path]
            self.done[log.path] = self.done.get(log.path, 0) + 1
            if self.pace.setdefault(log.path, Pace()).due():
                done, of = self.done[log.path], self.left[log.path]
                log.write("progress", f"{done} of {of} {self.unit}", done=done, of=of)
            then(job)

        return count

    def failures(self, outcome: Outcome[Any], name: Callable[[Any], str]) -> None:
        """Log each job that failed every attempt, with its reason."""
        for job, reason in outcome.failed.items():
            self.logs[job.path].write("job failed", f"{name(job)} failed: {reason}", job=name(job), reason=reason)

    def stopping(self, then: Callable[[], None]) -> Callable[[], None]:
        """For the first signal."""

        def stop() -> None:
            for log in self._active():
                log.write("stopping", f"a signal asked {self.what} to stop; what is in flight is finished")
            then()

        return stop

    def _active(self) -> list[RunLog]:
        return [log for log in set(self.logs.values()) if log.path in self.left]


def journal_of(what: str, unit: str, requests: Sequence[Request[Any]]) -> Journal:
    """The journal of a computation of some stores."""
    return Journal(what, unit, {request.path: log_of(request.checkpoint, request.path) for request in requests})


def note_takeovers(held: Held, logs: Sequence[RunLog]) -> None:
    """Log whose locks were taken over."""
    for path, holder in held.taken_over.items():
        who = f"process {holder.process.pid} on {holder.process.host}" if holder.process else "an unknown process"
        # Its last sign of life and its start are both by its own side's clock.
        text = f"{path} was left by {who}, which ended after {duration(holder.seen - holder.since)} without a word"
        for log in logs:
            log.write("taken over", text, path=str(path), process=holder.process.to_dict() if holder.process else None)
