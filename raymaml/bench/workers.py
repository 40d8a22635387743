"""Processes that repeat a piece of work side by side, and the time that all of them take.

They are started afresh, not forked: each has its own allocator settings and number of torch threads, as an actor has.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from statistics import median
from typing import Any

from raymaml.errors import RaymamlError

END_SECONDS = 5.0  # that a process is given to end by itself


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass
class Workers:
    """Some processes with one piece of work each, the same for all."""

    connections: list[Connection]

    def prepare(self, make: Callable[..., Any], *args: Any, warm: bool = True) -> None:
        """Let each process make the work and, where `warm`, do it once, which fills its caches.

        Raises:
            RaymamlError: a process died.
            RuntimeError: the work failed.
        """
        self._call(("prepare", make, args))
        if warm:
            self._call(("repeat",))

    def repeat(self) -> float:
        """Seconds from the first process's start of one repetition to the last one's end."""
        spans = self.spans()
        return max(end for _, end in spans) - min(start for start, _ in spans)

    def spans(self) -> list[tuple[float, float]]:
        """Start and end of one repetition in each process, in seconds of one clock."""
        return self._call(("repeat",))

    def first(self, count: int) -> Workers:
        """So many of the processes alone; the others wait."""
        return Workers(self.connections[:count])

    def _call(self, message: tuple[Any, ...]) -> list[Any]:
        try:
            for connection in self.connections:
                connection.send(message)
            answers = [connection.recv() for connection in self.connections]
        except (EOFError, OSError) as error:
            raise RaymamlError("a process that was timed died, perhaps for lack of memory: free some") from error
        for answer in answers:
            if isinstance(answer, str):
                raise RuntimeError(answer)
        return answers


@contextmanager
def workers(count: int, threads: int, *, pinned: bool) -> Iterator[Workers]:
    """Processes with so many torch threads each; `pinned` also as `machine.pin` has it for actors."""
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(count)]
    processes: list[BaseProcess] = [
        context.Process(target=_serve, args=(theirs, threads, pinned), daemon=True) for _, theirs in pairs
    ]
    for process in processes:
        process.start()
    for _, theirs in pairs:
        theirs.close()  # so that a process that dies is an end of file here
    try:
        yield Workers([ours for ours, _ in pairs])
    finally:
        for ours, _ in pairs:
            ours.close()
        for process in processes:
            process.join(END_SECONDS)
            if process.is_alive():
                process.kill()


def _serve(connection: Connection, threads: int, pinned: bool) -> None:
    import torch

    from raymaml import machine

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C comes to all processes of a terminal: the first one ends us
    torch.set_num_threads(threads)
    if pinned:
        machine.pin(threads)
    repetition: Callable[[], object] = lambda: None  # noqa: E731
    while True:
        try:
            kind, *rest = connection.recv()
        except EOFError:
            return
        try:
            start = time.perf_counter()  # one clock for all processes of a machine
            if kind == "prepare":
                repetition = rest[0](*rest[1])
            else:
                repetition()
            connection.send((start, time.perf_counter()))
        except Exception as error:
            connection.send(f"{type(error).__name__}: {error}")


@dataclass(frozen=True)
class Seconds:
    """Of the repetitions of two ways to do something, taken in turns so that a drift of the machine hits both."""

    one: list[float]
    other: list[float]
    one_units: int  # of work in a repetition
    other_units: int

    @property
    def speedup(self) -> float:
        """Rate of the other over that of the one, both at their best: noise only ever slows."""
        return self.other_rate / self.one_rate

    @property
    def median_speedup(self) -> float:
        """The same of the medians."""
        return (self.other_units / median(self.other)) / (self.one_units / median(self.one))

    @property
    def one_rate(self) -> float:
        """Units per second at its best."""
        return self.one_units / min(self.one)

    @property
    def other_rate(self) -> float:
        """Units per second at its best."""
        return self.other_units / min(self.other)


def in_turns(one: Callable[[], float], other: Callable[[], float], rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of `rounds` repetitions of each, one after the other."""
    pairs = [(one(), other()) for _ in range(rounds)]
    return [a for a, _ in pairs], [b for _, b in pairs]
