"""A pool of disposable actors over a queue of blocks.

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

Block = TypeVar("Block", bound=Hashable)  # of a surface, or the number of a chunk of images

ATTEMPTS = 3  # of one block, and of starting an actor in a row, before giving up


@dataclass
class Outcome(Generic[Block]):
    """What became of the blocks."""

    finished: int = 0
    failed: dict[Block, str] = field(default_factory=dict)  # block -> last error
    stopped: bool = False


@dataclass
class Pool(Generic[Block]):
    """Actors with two methods: `prepare()`, called once, and `evaluate(block)`."""

    make: Callable[[], Any]
    size: int
    on_block: Callable[[Block], None] = lambda _: None
    stopping: Callable[[], bool] = lambda: False
    queue: deque[Block] = field(default_factory=deque, init=False)
    attempts: dict[Block, int] = field(default_factory=dict, init=False)
    busy: dict[ray.ObjectRef[Any], tuple[ActorHandle[Any], Block | None]] = field(default_factory=dict, init=False)
    failed_starts: int = field(default=0, init=False)
    outcome: Outcome[Block] = field(default_factory=Outcome, init=False)

    def run(self, blocks: Iterable[Block]) -> Outcome[Block]:
        """Evaluate every block once; a block that fails ATTEMPTS times is set aside and named.

        Raises:
            RaymamlError: an actor could not prepare, or evaluate a block, because of a user's mistake.
        """
        self.queue.extend(blocks)
        try:
            for _ in range(min(self.size, len(self.queue))):
                self._start_actor()
            while self._working():
                ready, _ = ray.wait(list(self.busy), timeout=0.5)
                for ref in ready:
                    self._settle(ref)
        finally:
            for actor, _ in self.busy.values():
                ray.kill(actor)
        self.outcome.stopped = bool(self.queue)
        return self.outcome

    def _working(self) -> bool:
        """Whether to go on waiting; not for actors that only prepare, which may never find room to start."""
        in_flight = any(block is not None for _, block in self.busy.values())
        return in_flight or bool(self.busy and self.queue and not self.stopping())

    def _start_actor(self) -> None:
        actor = self.make()
        self.busy[actor.prepare.remote()] = (actor, None)

    def _settle(self, ref: ray.ObjectRef[Any]) -> None:
        actor, block = self.busy.pop(ref)
        try:
            ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            if block is None or isinstance(error.cause, RaymamlError):  # it would be the same the next time
                ray.kill(actor)
                raise _user_error(error) from error
            self._count_failure(block, error)
        except ray.exceptions.RayError as error:  # the actor is lost: it died, its node did, or memory ran out
            self._count_failure(block, error)
            self._replace(actor)
            return
        else:
            self._count_success(block)
        self._next_block(actor)

    def _count_success(self, block: Block | None) -> None:
        self.failed_starts = 0
        if block is not None:
            self.outcome.finished += 1
            self.on_block(block)

    def _count_failure(self, block: Block | None, error: Exception) -> None:
        if block is None:
            self.failed_starts += 1
            if self.failed_starts >= ATTEMPTS * self.size:
                raise RaymamlError(f"actors keep dying while they start: {last_line(error)}") from error
            return
        self.attempts[block] = self.attempts.get(block, 0) + 1
        if self.attempts[block] >= ATTEMPTS:
            self.outcome.failed[block] = last_line(error)
        else:
            self.queue.appendleft(block)

    def _replace(self, actor: ActorHandle[Any]) -> None:
        ray.kill(actor)
        if self.queue and not self.stopping():
            self._start_actor()

    def _next_block(self, actor: ActorHandle[Any]) -> None:
        if self.queue and not self.stopping():
            block = self.queue.popleft()
            self.busy[actor.evaluate.remote(block)] = (actor, block)
        else:
            ray.kill(actor)


def _user_error(error: ray.exceptions.RayTaskError) -> Exception:
    """The error that the actor raised, without Ray's wrapping, if it is one of ours."""
    return error.cause if isinstance(error.cause, RaymamlError) else RaymamlError(last_line(error))
