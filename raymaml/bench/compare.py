"""The published way against ours, and the processor's own rates, timed in turns on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from raymaml.bench import flops, work
from raymaml.bench.setting import Setting
from raymaml.bench.workers import Seconds, Workers, cores, in_turns, workers

Say = Callable[[str], None]
CONV4_84, CONV4_28, RESNET10_224 = Setting("conv4", 84), Setting("conv4", 28), Setting("resnet10", 224)


@dataclass(frozen=True)
class Size:
    """How much of a setting is timed: cells are (tasks, points of a row of the grid)."""

    published: tuple[int, int]
    ours: tuple[int, int]  # of each process
    rounds: int


# About 2 s a repetition on a core of 2024. Blocks of a real surface hold 100 cells: ours are timed on fewer, which
# is to their disadvantage, since what cells of a block share is done for fewer of them.
SIZES = {CONV4_84: Size((3, 1), (5, 2), 5), CONV4_28: Size((10, 2), (20, 3), 5), RESNET10_224: Size((1, 1), (2, 1), 3)}
QUICK = {replace(setting, steps=1, query=1): Size((1, 1), (1, 1), 1) for setting in (CONV4_84, CONV4_28)}


@dataclass(frozen=True)
class Machine:
    """One process with all cores as threads for the published way; one process with one thread per core for ours."""

    published: Workers
    ours: Workers
    cores: int


@contextmanager
def started() -> Iterator[Machine]:
    """The processes, for as long as the block runs."""
    with ExitStack() as stack:
        count = cores()
        published = stack.enter_context(workers(1, count, pinned=False))
        yield Machine(published, stack.enter_context(workers(count, 1, pinned=True)), count)


def surface(machine: Machine, setting: Setting, size: Size) -> dict[str, Any]:
    """Evaluations per second of both ways, and the operations that ours are."""
    machine.published.prepare(work.published_surface, setting, *size.published)
    machine.ours.prepare(work.our_surface, setting, *size.ours)
    taken = in_turns(machine.published.repeat, machine.ours.repeat, size.rounds)
    seconds = Seconds(*taken, _cells(size.published), _cells(size.ours) * machine.cores)
    task = setting.surface(1).task
    each = flops.of_evaluation(
        setting.training.model,
        support=task.way * task.shot,
        query=task.way * task.query,
        steps=setting.steps,
    )
    return {
        **_both(seconds, "evaluations"),
        "gflop_needed": each.needed / 1e9,
        "gflop_of_passes": each.passes / 1e9,
        "gflops": seconds.other_rate * each.needed / 1e9,
    }


def train(machine: Machine, setting: Setting, *, rounds: int) -> dict[str, Any]:
    """Updates per second of the whole machine: one seed the published way, or one seed on each core."""
    machine.published.prepare(work.published_training, setting, 1)
    machine.ours.prepare(work.our_training, setting, 1)
    taken = in_turns(machine.published.repeat, machine.ours.repeat, rounds)
    return _both(Seconds(*taken, 1, machine.cores), "updates")


def peak(machine: Machine, *, repetitions: int, rounds: int) -> dict[str, float]:
    """GFLOP/s of all cores, one process with one thread each, in fp32: of a matrix product and of a convolution."""
    found = {}
    for name, make, each in (
        ("gemm_gflops", work.matrix_products, work.MM_FLOPS),
        ("conv3x3_gflops", work.convolutions, work.CONV_FLOPS),
    ):
        count = max(1, round(repetitions * work.MM_FLOPS / each))
        machine.ours.prepare(make, count)
        best = min(machine.ours.repeat() for _ in range(rounds))
        found[name] = machine.cores * count * each / best / 1e9
    return found


def _cells(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _both(seconds: Seconds, units: str) -> dict[str, Any]:
    return {
        "speedup": seconds.speedup,
        "speedup_of_medians": seconds.median_speedup,
        f"published_{units}_per_s": seconds.one_rate,
        f"our_{units}_per_s": seconds.other_rate,
        "published_seconds": seconds.one,
        f"published_{units}": seconds.one_units,
        "our_seconds": seconds.other,
        f"our_{units}": seconds.other_units,
    }
