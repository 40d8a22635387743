"""Train the seeds of one or more runs side by side, each with Ray Train.

One TorchTrainer per seed rather than one for all: `report` is a barrier and a lost worker restarts its whole
group, so seeds in one group would wait for and fall with each other. Each trainer is driven from a small
remote function, because `fit()` blocks and on a thread it cannot be interrupted.

Checkpoints are our own files, written by rank 0 (raymaml.checkpoints): Ray Train's snapshot is replaced in
place and can be cut in half. Its folder holds nothing that is needed again and is removed at the end.
"""

from __future__ import annotations

import math
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import ray.exceptions
import ray.train
import ray.train.torch
import torch
import torch.distributed
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from torch import Tensor

from raymaml import data, locks, training
from raymaml.errors import ClusterError, IncompleteError, MismatchError, RaymamlError, SpecError, last_line
from raymaml.runs import RunDir, check_seeds
from raymaml.runtime.session import capacity, check_shared, session
from raymaml.runtime.stop import graceful_stop
from raymaml.runtime.train_journal import TrainingJournal
from raymaml.specs import Score, TrainSpec
from raymaml.training import Report, Solo

SMALLEST_CPU_SHARE = 0.5  # of a worker among others: more than two per core would only hold memory
MAX_FAILURES = 3  # lost workers per seed and call; each restart resumes from the last checkpoint
SCRATCH = ".ray-train"

SeedStates = dict[int, dict[str, Any]]  # seed -> what raymaml.training.train reports
JobStates = dict[tuple[Path, int], dict[str, Any]]  # (folder of the run, seed) -> the same


class TorchGroup:
    """The workers of one Ray Train run, over torch.distributed."""

    def __init__(self, device: torch.device) -> None:
        self.rank = torch.distributed.get_rank()
        self.size = torch.distributed.get_world_size()
        self.device = device

    def all_gather(self, rows: Tensor) -> list[Tensor]:
        """Every worker's tensor of this shape, in the order of ranks, where `rows` is."""
        mine = rows.to(self.device)
        found = [torch.empty_like(mine) for _ in range(self.size)]
        torch.distributed.all_gather(found, mine)
        return [tensor.to(rows.device) for tensor in found]


@ray.remote(num_cpus=0)
class Board:
    """The latest state of each seed, posted by its workers and read by the command."""

    def __init__(self) -> None:
        self.states: JobStates = {}

    def post(self, run: Path, seed: int, state: dict[str, Any]) -> None:
        """Replace the state of one seed."""
        self.states[run, seed] = state

    def read(self) -> JobStates:
        """The state of every seed that has started."""
        return self.states


@dataclass(frozen=True)
class SeedJob:
    """One seed to train, and the folder of its run."""

    spec: TrainSpec
    seed: int
    run: Path


def _train_on_worker(config: dict[str, Any]) -> str | None:
    """Runs on each Ray Train worker; gives a user's error as text, since a retry would not mend it."""
    job: SeedJob = config["job"]
    board: Any = config["board"]
    device = ray.train.torch.get_device()
    group = TorchGroup(device) if ray.train.get_context().get_world_size() > 1 else Solo()
    try:
        _train_seed(job, board, device, group)
    except RaymamlError as error:
        if group.rank != 0:
            raise  # the others wait for this worker: only its failure ends them
        return str(error)
    return None


def _train_seed(job: SeedJob, board: Any, device: torch.device, group: training.Group) -> None:
    check_shared(job.run, seen=RunDir(job.run).spec_file.is_file())
    images = data.load(job.spec.data)
    if images.digest != job.spec.data_digest:
        raise MismatchError(f"data set {job.spec.data} has other images on this node than where the run was started")
    training.train(
        job.spec,
        images,
        seed=job.seed,
        directory=RunDir(job.run).seed(job.seed),
        group=group,
        device=device,
        report=_reporter(job, board) if group.rank == 0 else lambda _: None,
    )


def _reporter(job: SeedJob, board: Any) -> Report:
    def report(state: dict[str, Any]) -> None:
        board.post.remote(job.run, job.seed, state)

    return report


@ray.remote(num_cpus=0, max_retries=0)
def _drive_seed(job: SeedJob, board: Any, scaling: ray.train.ScalingConfig) -> str | None:
    """Run one TorchTrainer to its end; None or the user's error."""
    scratch = RunDir(job.run).seed(job.seed).path / SCRATCH
    trainer = ray.train.torch.TorchTrainer(
        _train_on_worker,  # type: ignore[arg-type]  # its value comes back as Result.return_value
        train_loop_config={"job": job, "board": board},
        scaling_config=scaling,
        run_config=ray.train.RunConfig(
            # A new name each time: resuming is by our checkpoints, never by Ray Train's snapshot.
            name=uuid.uuid4().hex,
            storage_path=str(scratch),
            failure_config=ray.train.FailureConfig(max_failures=MAX_FAILURES),
        ),
    )
    try:
        error: str | None = trainer.fit().return_value  # type: ignore[attr-defined]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return error


def train_seeds(
    spec: TrainSpec,
    seeds: list[int],
    run: RunDir,
    *,
    address: str | None = None,
    workers_per_seed: int = 1,
    on_progress: Callable[[SeedStates], None] = lambda _: None,
) -> dict[int, Score]:
    """Train the seeds that are not finished, as many at once as the cluster holds.

    Args:
        spec: of the run; a folder with another one is refused.
        seeds: which to train.
        run: the folder, readable and writable from every node of the cluster.
        address: of the cluster; see `session`.
        workers_per_seed: share each meta-batch among so many workers; the weights do not depend on it.
        on_progress: called about once a second.

    Returns:
        The test score of each seed.

    Raises:
        BusyError: another process trains one of the seeds.
        MismatchError: the folder holds another run.
        SpecError: the workers cannot share an update of this learner.
        IncompleteError: a seed failed; the others are finished.
        KeyboardInterrupt: stopped by Ctrl-C; the same call continues.
    """
    jobs = [SeedJob(spec, seed, run.path) for seed in check_seeds(seeds)]

    def tell(states: JobStates) -> None:
        on_progress({seed: state for (_, seed), state in states.items()})

    train_all(jobs, address=address, workers_per_seed=workers_per_seed, on_progress=tell)
    return {seed: run.seed(seed).read_result() for seed in seeds}


def train_all(
    jobs: list[SeedJob],
    *,
    address: str | None = None,
    workers_per_seed: int = 1,
    on_progress: Callable[[JobStates], None] = lambda _: None,
) -> None:
    """Train the seeds of several runs, those that are not finished, as many at once as the cluster holds.

    Raises:
        BusyError: another process trains one of the seeds.
        MismatchError: a folder holds another run.
        SpecError: the workers cannot share an update of this learner.
        IncompleteError: a seed failed; the others are finished.
        KeyboardInterrupt: stopped by Ctrl-C; the same call continues.
    """
    for job in jobs:
        RunDir(job.run).check(job.spec)
        check_workers(job.spec, workers_per_seed)
    unfinished = [job for job in jobs if not _finished(job)]
    if unfinished:
        locks.check(map(_folder, unfinished))  # Ray takes 7 to 16 s to start
        journal = TrainingJournal(sorted({job.run for job in unfinished}))
        with graceful_stop(journal.stopping) as stopping, session(address):
            _run_all(unfinished, workers_per_seed, on_progress, stopping, journal)


def _finished(job: SeedJob) -> bool:
    return RunDir(job.run).seed(job.seed).finished


def _folder(job: SeedJob) -> Path:
    """What a driver holds while it trains a seed."""
    return RunDir(job.run).seed(job.seed).path


def check_workers(spec: TrainSpec, workers_per_seed: int) -> None:
    """Refuse to share what cannot be shared.

    Raises:
        SpecError: the workers cannot share an update of this learner.
    """
    if workers_per_seed > 1 and spec.learner.kind == "transfer":
        raise SpecError("--workers-per-seed must be 1 for transfer learning: batch norm takes a batch as a whole")


def _run_all(
    jobs: list[SeedJob],
    workers: int,
    on_progress: Callable[[JobStates], None],
    stopping: Callable[[], bool],
    journal: TrainingJournal,
) -> None:
    scaling, at_once = _share(len(jobs), workers, max(job.spec.threads for job in jobs))
    for job in jobs:
        RunDir(job.run).claim(job.spec)
    with locks.hold(map(_folder, jobs)) as held:
        left = [job for job in jobs if not _finished(job)]  # another process may have been at work since
        seeds = {run: [job.seed for job in left if job.run == run] for run in journal.runs}
        with journal.call(seeds, held, workers=workers, at_once=at_once):
            _drive_all(left, scaling, at_once, on_progress, lambda: stopping() or held.lost(), journal)


def _drive_all(
    jobs: list[SeedJob],
    scaling: ray.train.ScalingConfig,
    at_once: int,
    on_progress: Callable[[JobStates], None],
    stopping: Callable[[], bool],
    journal: TrainingJournal,
) -> None:
    # On this node: another may be lost, and the work goes on without it.
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    board = Board.options(scheduling_strategy=here).remote()  # type: ignore[attr-defined]
    waiting, running, errors = list(jobs), dict[Any, SeedJob](), dict[SeedJob, str]()
    try:
        while waiting or running:
            while waiting and len(running) < at_once:
                job = waiting.pop(0)
                running[_drive_seed.options(scheduling_strategy=here).remote(job, board, scaling)] = job
            for ref in ray.wait(list(running), timeout=1)[0]:
                job = running.pop(ref)
                if error := _error_of(ref):
                    errors[job] = error
                journal.ended(job.run, job.seed, error)
            states = ray.get(board.read.remote())
            journal.progress(states)
            on_progress(states)
            if stopping():
                raise KeyboardInterrupt  # ends the seeds; each has its last checkpoint
    finally:  # nothing to end unless interrupted; a notebook's connection would let the seeds train on
        for ref in running:
            ray.cancel(ref, force=True)
        ray.kill(board)
    if errors:
        several = len({job.run for job in jobs}) > 1
        text = "; ".join(
            f"{f'run {job.run.name}, ' if several else ''}seed {job.seed}: {error}" for job, error in errors.items()
        )
        raise IncompleteError(f"{text} (finished seeds are kept; run the same command again to continue)")


def _error_of(ref: Any) -> str | None:
    try:
        error: str | None = ray.get(ref)
    except (ray.exceptions.RayError, ray.train.TrainingFailedError) as failure:
        return last_line(failure)
    return error


def _share(seeds: int, workers: int, threads: int) -> tuple[ray.train.ScalingConfig, int]:
    """The resources of one seed, and how many seeds run at once."""
    cpus, gpus = capacity()
    if gpus:
        _check_room(gpus, workers, "GPUs")
        return ray.train.ScalingConfig(num_workers=workers, use_gpu=True), gpus // workers
    fair = cpus / (seeds * workers)
    # Where not all seeds fit side by side, they follow each other with whole cores.
    in_turns = fair < SMALLEST_CPU_SHARE and cpus >= threads * workers
    share = threads if in_turns else min(threads, max(SMALLEST_CPU_SHARE, fair))
    share = math.floor(share * 1e4) / 1e4  # Ray counts in units of 0.0001: rounding up could exceed the machine
    _check_room(cpus / share, workers, "CPUs")
    scaling = ray.train.ScalingConfig(num_workers=workers, resources_per_worker={"CPU": share})
    return scaling, int(cpus / share // workers)


def _check_room(room: float, workers: int, what: str) -> None:
    if workers < 1 or room < workers:
        raise ClusterError(
            f"--workers-per-seed must be from 1 to {int(room)}, as the cluster's {what} allow, got {workers}"
        )
