"""A pool of disposable actors over a queue of jobs.

Ray's own retries lose work: they are used up while a lost node still counts as alive (about 14 s), and
`ray.util.ActorPool` forgets what a dead actor held. So actors are never restarted; the driver replaces
them and puts back what they held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import ray
import ray.exceptions
from ray.actor import ActorHandle

from raymaml.errors import RaymamlError, last_line

Job = TypeVar("Job", bound=Hashable)  # a block of a surface, a chunk of images

ATTEMPTS = 3  # of one job, and of starting an actor in a row, before giving up


@dataclass
class Outcome(Generic[Job]):
    """What became of the jobs."""

    finished: int = 0
    failed: dict[Job, str] = field(default_factory=dict)  # job -> last error
    stopped: bool = False


@dataclass
class Pool(Generic[Job]):
    """Actors with two methods: `prepare()`, called once, and `evaluate(job)`."""

    make: Callable[[], Any]
    size: int
    on_job: Callable[[Job], None] = lambda _: None
    stopping: Callable[[], bool] = lambda: False
    more: Callable[[], Iterable[Job]] | None = None  # further jobs, asked for whenever all so far are finished
    queue: deque[Job] = field(default_factory=deque, init=False)
    attempts: dict[Job, int] = field(default_factory=dict, init=False)
    busy: dict[ray.ObjectRef[Any], tuple[ActorHandle[Any], Job | None]] = field(default_factory=dict, init=False)
    idle: list[ActorHandle[Any]] = field(default_factory=list, init=False)  # kept for further jobs
    failed_starts: int = field(default=0, init=False)
    outcome: Outcome[Job] = field(default_factory=Outcome, init=False)

    def run(self, jobs: Iterable[Job]) -> Outcome[Job]:
        """Evaluate every job once; a job that fails ATTEMPTS times is set aside and named.

        Raises:
            RaymamlError: an actor met a user's mistake, which no other attempt would mend.
        """
        self.queue.extend(jobs)
        try:
            self._staff()
            while self._working() or self._continue():
                ready, _ = ray.wait(list(self.busy), timeout=0.5)
                for ref in ready:
                    self._settle(ref)
        finally:
            self._end()
        self.outcome.stopped = bool(self.queue)
        return self.outcome

    def _staff(self) -> None:
        """Give the jobs of the queue to idle actors, and to new ones up to the size of the pool."""
        while self.idle and self.queue:
            self._next_job(self.idle.pop())
        for _ in range(min(self.size - len(self.busy), len(self.queue))):
            self._start_actor()

    def _continue(self) -> bool:
        """Ask for further jobs once all are finished; whether there are any and they are begun."""
        if self.more is None or self.queue or self.outcome.failed:
            return False
        self.queue.extend(self.more())
        if not self.queue or self.stopping():
            return False
        self._staff()
        return True

    def _end(self) -> None:
        """Kill the actors that are left, and wait for it: the caller may remove the folder that they write into."""
        for actor in [*(actor for actor, _ in self.busy.values()), *self.idle]:
            ray.kill(actor)
        if self.busy:
            ray.wait(list(self.busy), num_returns=len(self.busy), timeout=5)

    def _working(self) -> bool:
        """Whether to go on waiting; not for actors that only prepare, which may never find room to start."""
        in_flight = any(job is not None for _, job in self.busy.values())
        return in_flight or bool(self.busy and self.queue and not self.stopping())

    def _start_actor(self) -> None:
        actor = self.make()
        self.busy[actor.prepare.remote()] = (actor, None)

    def _settle(self, ref: ray.ObjectRef[Any]) -> None:
        actor, job = self.busy.pop(ref)
        try:
            ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            if job is None or isinstance(error.cause, RaymamlError):  # it would be the same the next time
                ray.kill(actor)
                raise _user_error(error) from error
            self._count_failure(job, error)
        except ray.exceptions.RayError as error:  # the actor is lost: it died, its node did, or memory ran out
            self._count_failure(job, error)
            self._replace(actor)
            return
        else:
            self._count_success(job)
        self._next_job(actor)

    def _count_success(self, job: Job | None) -> None:
        self.failed_starts = 0
        if job is not None:
            self.outcome.finished += 1
            self.on_job(job)

    def _count_failure(self, job: Job | None, error: Exception) -> None:
        if job is None:
            self.failed_starts += 1
            if self.failed_starts >= ATTEMPTS * self.size:
                raise RaymamlError(f"actors keep dying while they start: {last_line(error)}") from error
            return
        self.attempts[job] = self.attempts.get(job, 0) + 1
        if self.attempts[job] >= ATTEMPTS:
            self.outcome.failed[job] = last_line(error)
        else:
            self.queue.appendleft(job)

    def _replace(self, actor: ActorHandle[Any]) -> None:
        ray.kill(actor)
        if self.queue and not self.stopping():
            self._start_actor()

    def _next_job(self, actor: ActorHandle[Any]) -> None:
        if self.queue and not self.stopping():
            job = self.queue.popleft()
            self.busy[actor.evaluate.remote(job)] = (actor, job)
        elif self.more is not None:
            self.idle.append(actor)
        else:
            ray.kill(actor)


def _user_error(error: ray.exceptions.RayTaskError) -> Exception:
    """The error that the actor raised, without Ray's wrapping, if it is one of ours."""
    return error.cause if isinstance(error.cause, RaymamlError) else RaymamlError(last_line(error))
