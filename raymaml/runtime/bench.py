"""What Ray costs: actors against the same blocks without it, two actors against one, and the driver's own rate.

All on a cluster of this machine. Start-up is timed apart: it is paid once, a block is paid for every time.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from raymaml import checkpoints, data, machine, models
from raymaml.bench.workers import Workers
from raymaml.checkpoints import Checkpoint
from raymaml.landscape import store as stores
from raymaml.landscape.plan import Block, plan_of
from raymaml.landscape.request import surface_spec
from raymaml.landscape.store import SurfaceStore
from raymaml.presets import train_spec
from raymaml.runtime.jobs import Job, Tracker
from raymaml.runtime.noop import Noop
from raymaml.runtime.pool import Pool
from raymaml.runtime.replicas import maker, raise_unless_whole
from raymaml.runtime.session import session
from raymaml.runtime.surface import BlockActor, load_evaluator
from raymaml.specs import GridSpec, SurfaceSpec

TIMES = "times"  # beside a store: process, start and end of each block
SURFACE = (100, 51, 51)  # tasks, alphas, betas
SURFACE_SECONDS = 300  # in which one GPU of 2024 is to compute it


@dataclass(frozen=True)
class Effort:
    """How much is timed."""

    blocks: int = 4  # of each actor, after a first one that is not timed
    tasks: int = 30  # of a block, which is a point: a third of a usual one's, so what a block costs weighs more
    steps: int = 10
    rounds: int = 2
    driver_blocks: int = 10_000
    driver_actors: int = 64


QUICK = Effort(blocks=2, tasks=1, steps=1, rounds=1, driver_blocks=200, driver_actors=4)


class TimedActor(BlockActor):
    """Notes when each block began and ended, store and all."""

    def work(self, job: Job) -> None:
        """Compute one block and write it."""
        start = time.perf_counter()  # one clock for all processes of a machine
        super().work(job)
        with (job.path.parent / TIMES).open("a", encoding="utf-8") as lines:
            lines.write(f"{os.getpid()} {start} {time.perf_counter()}\n")


def engine(ours: Workers, effort: Effort) -> dict[str, Any]:
    """Evaluations per second of Ray actors and of the same processes without Ray, on the embedded data.

    Args:
        ours: a process with one thread for each core.
        effort: how much is timed.
    """
    count = len(ours.connections)
    sizes = sorted({1, min(2, count), count})
    with tempfile.TemporaryDirectory() as folder, session("local"):
        checkpoint = _checkpoint(Path(folder) / "checkpoint")
        rounds = [
            {size: _one_round(ours.first(size), checkpoint, effort, Path(folder) / f"{i}-{size}") for size in sizes}
            for i in range(effort.rounds)
        ]
    best = {size: {name: max(r[size][name] for r in rounds) for name in ("in_process", "actors")} for size in sizes}
    alone, pair, whole = best[1], best[sizes[1]] if count > 1 else None, best[count]
    return {
        "overhead": whole["in_process"] / whole["actors"] - 1,
        "two_actors": pair["actors"] / alone["actors"] if pair else None,
        "two_processes": pair["in_process"] / alone["in_process"] if pair else None,
        "actors": count,
        "startup_seconds": min(r[count]["startup"] for r in rounds),
        "block_evaluations": effort.tasks,
        "evaluations_per_s": [{str(size): of_size for size, of_size in r.items()} for r in rounds],
    }


def _checkpoint(path: Path) -> Path:
    spec = train_spec(data.load("glyphs"), "quick")
    weights = models.initial_params(models.build(spec.model), 0)
    checkpoints.save(path, Checkpoint(spec, 0, 0, weights))
    return path


def _one_round(ours: Workers, checkpoint: Path, effort: Effort, folder: Path) -> dict[str, float]:
    """Evaluations per second without Ray and with it, one after the other, in as many processes."""
    count = len(ours.connections)
    loaded = checkpoints.load(checkpoint)
    grid = GridSpec(count * (effort.blocks + 1) * plan_of(effort.tasks, 9, 1).block_shape[1], 1)
    spec = surface_spec(loaded, grid=grid, tasks=effort.tasks, steps=effort.steps)
    ours.prepare(in_process, spec, checkpoint, effort.blocks, warm=False)
    cells = sum(block.evaluations for block in _plan(spec)[1 : 1 + effort.blocks])
    plain = sum(cells / (end - start) for start, end in ours.spans())
    return {"in_process": plain, **_actors(spec, checkpoint, folder, count)}


def in_process(spec: SurfaceSpec, checkpoint: Path, blocks: int) -> Callable[[], object]:
    """Evaluates some blocks of a surface after its first one, as an actor is timed, and writes nothing."""
    evaluator = load_evaluator(spec, checkpoint)
    first, *rest = _plan(spec)
    evaluator.evaluate(first)
    chosen = rest[:blocks]
    return lambda: [evaluator.evaluate(block) for block in chosen]


def _plan(spec: SurfaceSpec) -> list[Block]:
    return list(plan_of(spec.tasks, spec.grid.alphas, spec.grid.betas).blocks())


def _actors(spec: SurfaceSpec, checkpoint: Path, folder: Path, count: int) -> dict[str, float]:
    folder.mkdir()
    evaluator = load_evaluator(spec, checkpoint)
    of_it = {"direction_digest": evaluator.direction_digest, "execution": evaluator.execution.record()}
    store = _store(spec, folder, of_it)
    jobs = [Job(store.path, checkpoint, block) for block in store.missing()]
    asked = time.perf_counter()
    pool = Pool(maker(TimedActor, 1), count, Tracker(len(jobs), jobs, lambda _: None))
    raise_unless_whole(pool.run(jobs), "blocks", str)
    rows = [line.split() for line in (folder / TIMES).read_text(encoding="utf-8").splitlines()]
    cells = jobs[0].block.evaluations
    ends = [sorted(float(end) for pid, _, end in rows if pid == one) for one in {pid for pid, *_ in rows}]
    rate = sum(cells * (len(of_one) - 1) / (of_one[-1] - of_one[0]) for of_one in ends if len(of_one) > 1)
    return {"actors": rate, "startup": min(float(start) for _, start, _ in rows) - asked}


def _store(spec: SurfaceSpec, folder: Path, of_evaluator: dict[str, Any]) -> SurfaceStore:
    provenance = {**machine.provenance(), "threads": 1, **of_evaluator}
    return stores.create_or_open(folder / "surface.zarr", spec, provenance)


def driver(effort: Effort) -> dict[str, Any]:
    """Blocks per second that the driver plans, hands out and records, with actors that do nothing.

    The actors are started before: they take the cores that the driver runs on, so the rate is a lower bound.
    """
    with tempfile.TemporaryDirectory() as folder, session("local"):
        remote: Any = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(Noop)
        actors = [remote.remote() for _ in range(effort.driver_actors)]
        ray.get([actor.prepare.remote() for actor in actors])
        spare = iter(actors)
        store = _store(_driver_surface(effort.driver_blocks), Path(folder), {})
        wall, processor = time.perf_counter(), time.process_time()
        jobs = [Job(store.path, Path(folder), block) for block in store.missing()]
        planned = time.perf_counter() - wall
        recorded: list[float] = []
        tracker = Tracker(len(jobs), jobs, lambda _: recorded.append(time.perf_counter()))
        pool = Pool(lambda: next(spare, None) or remote.remote(), len(actors), tracker)
        raise_unless_whole(pool.run(jobs), "blocks", str)
        seconds, used = recorded[-1] - wall, time.process_time() - processor
    return _driver_figures(len(jobs), len(actors), seconds, used) | {"planning_seconds": planned}


def _driver_surface(blocks: int) -> SurfaceSpec:
    spec = train_spec(data.load("glyphs"), "quick")
    tasks, _, betas = plan_of(*SURFACE).block_shape
    return surface_spec(Checkpoint(spec, 0, 0, {}), grid=GridSpec(blocks, betas), tasks=tasks)


def _driver_figures(blocks: int, actors: int, seconds: float, used: float) -> dict[str, Any]:
    rate = blocks / seconds
    of_a_gpu = sum(1 for _ in plan_of(*SURFACE).blocks()) / SURFACE_SECONDS
    return {
        "blocks_per_s": rate,
        "processor_ms_per_block": 1e3 * used / blocks,
        "blocks": blocks,
        "actors": actors,
        "seconds": seconds,
        "blocks_per_s_of_a_gpu": of_a_gpu,
        "gpus": int(rate / of_a_gpu),
        "blocks_per_s_needed": actors * of_a_gpu,
    }
