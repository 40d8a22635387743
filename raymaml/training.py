"""Train one seed of one run: a plain loop that knows nothing of Ray and resumes to the bit.

What an update descends is a function of (seed, update count), so the only generator state is the count. Where
several workers share the tasks of an update, each takes every size-th and all of them add up the same
gradients in task order: the weights do not depend on how many workers there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from raymaml import backends, checkpoints, files, learners, machine, models
from raymaml.analysis import score_of
from raymaml.checkpoints import Checkpoint
from raymaml.data.imageset import ImageSet
from raymaml.errors import SpecError
from raymaml.params import Params, cast, from_vector, to_vector
from raymaml.process import timestamp
from raymaml.runs import SeedDir
from raymaml.specs import Score, TaskSpec, TrainSpec
from raymaml.tasks import TaskSampler

SAVE_EVERY = 25  # updates between checkpoints, at validations and between them: what a kill can cost
VAL_TASK_SEED = TEST_TASK_SEED = 0  # the same tasks for every seed and run, so that scores compare in pairs
Report = Callable[[dict[str, Any]], None]


class Group(Protocol):
    """The workers that train one seed together."""

    rank: int
    size: int

    def all_gather(self, rows: Tensor) -> list[Tensor]:
        """Every worker's tensor of this shape, in the order of ranks."""
        ...


class Solo:
    """One worker, no communication."""

    rank, size = 0, 1

    def all_gather(self, rows: Tensor) -> list[Tensor]:
        """The rows themselves."""
        return [rows]


def in_task_order(group: Group, count: int, rows_of: Callable[[Sequence[int]], list[Tensor]]) -> Tensor:
    """Rows 0..count-1, each computed by one worker of the group, on every worker: shape (count, width)."""
    numbers = range(group.rank, count, group.size)
    # More workers than tasks: the shape must be known all the same.
    mine = rows_of(numbers) if numbers else [torch.zeros_like(row) for row in rows_of(range(1))]
    most = -(-count // group.size)
    padded = torch.stack(mine + [torch.zeros_like(mine[0])] * (most - len(mine)))
    return torch.stack(group.all_gather(padded), dim=1).flatten(0, 1)[:count]


@dataclass
class Trainer:
    """The state of one seed: weights, optimiser and count of updates."""

    spec: TrainSpec
    images: ImageSet
    seed: int
    directory: SeedDir
    group: Group
    device: torch.device

    def __post_init__(self) -> None:
        """Start from fresh weights, or from the last checkpoint where there is one."""
        self.dtype = getattr(torch, self.spec.precision)
        self.model = models.build(self.spec.model)
        self.learner = learners.build(self.spec.learner, backends.preferred(self.model, self.device))
        self.objective = learners.objective(self.spec, self.images, seed=self.seed, device=self.device)
        self.val = self._sampler("val", self.spec.task, VAL_TASK_SEED, keep=True)
        self.step, self.best_accuracy = 0, -1.0
        self.rows: list[Sequence[float]] = []  # query loss and accuracy of the updates since the last validation
        self._set_params(models.initial_params(self.model, self.seed))
        if checkpoints.exists(self.directory.last):
            self._resume(checkpoints.load(self.directory.last))
        if self.group.rank == 0:
            self.directory.tidy(self.step)

    def _sampler(self, split: str, spec: TaskSpec, seed: int, *, keep: bool = False) -> TaskSampler:
        return TaskSampler(self.images, split, spec, seed=seed, dtype=self.dtype, device=self.device, keep=keep)

    def _set_params(self, params: Params) -> None:
        self.params = cast(models.ordered(self.model, params), self.dtype, self.device)
        self.trained = {name: self.params[name] for name in models.trained_names(self.model)}
        self.optimiser = torch.optim.Adam(list(self.trained.values()), lr=self.spec.outer_lr)

    def _resume(self, last: Checkpoint) -> None:
        self._set_params(last.params)
        for name, value in self.trained.items():
            state = {k: last.optimiser[f"{name}/{k}"] for k in ("step", "exp_avg", "exp_avg_sq")}
            self.optimiser.state[value] = {k: v if k == "step" else v.to(self.device) for k, v in state.items()}
        self.step, self.best_accuracy = last.step, -1.0 if last.best_accuracy is None else float(last.best_accuracy)
        self.rows = list(last.since_validation)

    def update(self) -> None:
        """One outer step; notes the loss and accuracy that its gradients were taken at."""
        values: dict[int, tuple[float, float]] = {}

        def gradient_rows(numbers: Sequence[int]) -> list[Tensor]:
            found = self.objective.gradients(self.params, self.step, numbers)
            values.update({j: (one.loss, one.accuracy) for j, one in zip(numbers, found, strict=True)})
            return [to_vector(one.grads) for one in found]

        def score_rows(numbers: Sequence[int]) -> list[Tensor]:
            return [torch.tensor(values[j], dtype=torch.float64) for j in numbers]

        pieces = self.objective.pieces
        rows = in_task_order(self.group, pieces, gradient_rows)
        scores = in_task_order(self.group, pieces, score_rows)
        self._apply_gradient(rows.mean(0) if self.objective.mean else rows.sum(0))
        self.step += 1
        self.rows.append(scores.mean(0).tolist())

    def _apply_gradient(self, flat: Tensor) -> None:
        for name, grad in from_vector(flat, self.trained).items():
            self.params[name].grad = grad
        self.optimiser.step()

    def validate(self) -> Score:
        """Score on the fixed tasks of the val split, with as many inner steps as in training."""
        return self._score(self.params, self.val, self.spec.val_tasks, self.spec.learner.validation_steps)

    def monitor(self) -> dict[str, Score]:
        """Score on base and novel tasks where the run looks at them now; they decide nothing (thesis figure 19)."""
        if not self.spec.monitor_every or self.step % self.spec.monitor_every:
            return {}
        task = replace(self.spec.task, query=self.spec.test_query)
        return {
            split: self._score(
                self.params, self._sampler(split, task, TEST_TASK_SEED), self.spec.monitor_tasks, self.spec.test_steps
            )
            for split in ("base", "novel")
        }

    def test(self, on_task: Callable[[int], None]) -> Score:
        """Score the best checkpoint on tasks of the novel split; `on_task` hears the number of each."""
        task = replace(self.spec.task, query=self.spec.test_query)
        sampler = self._sampler("novel", task, TEST_TASK_SEED)
        return self._score(self._best(), sampler, self.spec.test_tasks, self.spec.test_steps, on_task)

    def _best(self) -> Params:
        """The best weights, read by rank 0 alone: the others may come before it has written them."""
        flat = to_vector(self.params)
        if self.group.rank == 0:
            best = models.ordered(self.model, checkpoints.load(self.directory.best).params)
            flat = to_vector(best).to(flat)
        return from_vector(self.group.all_gather(flat)[0], self.params)

    def _score(
        self,
        params: Params,
        sampler: TaskSampler,
        count: int,
        steps: int,
        on_task: Callable[[int], None] = lambda i: None,
    ) -> Score:
        score = self.learner.scorer(self.model, params, sampler, steps)

        def rows_of(numbers: Sequence[int]) -> list[Tensor]:
            rows: list[Tensor] = []
            each = self.learner.execution.at_once
            for first in range(0, len(numbers), each):
                on_task(numbers[first])
                rows += [torch.tensor(found, dtype=torch.float64) for found in score(numbers[first : first + each])]
            return rows

        return score_of(in_task_order(self.group, count, rows_of).numpy())

    def save(self, val: Score | None = None) -> None:
        """Write the last checkpoint and, where `val` is the best score so far, that too."""
        improved = False
        if val is not None and val.accuracy > self.best_accuracy:
            improved, self.best_accuracy = True, val.accuracy
        if self.group.rank != 0:
            return
        checkpoint = Checkpoint(
            spec=self.spec,
            seed=self.seed,
            step=self.step,
            params=self.params,
            val=val,
            best_accuracy=self.best_accuracy,
            since_validation=self.rows,
            optimiser=self._optimiser_state(),
            provenance=machine.provenance(),
        )
        if improved:
            checkpoints.save(self.directory.best, checkpoint)
        checkpoints.save(self.directory.last, checkpoint)

    def _optimiser_state(self) -> dict[str, Tensor]:
        state = self.optimiser.state
        return {f"{name}/{k}": v for name, value in self.trained.items() for k, v in state[value].items()}


def check(spec: TrainSpec, images: ImageSet) -> None:
    """Check that the model takes the images and every split can supply its tasks.

    Raises:
        SpecError: one of them does not fit.
    """
    models.build(spec.model)
    _check_head(spec, images)
    test = replace(spec.task, query=spec.test_query)
    for split, task in (("base", spec.task), ("val", spec.task), ("novel", test)):
        TaskSampler(images, split, task, seed=0)


def _check_head(spec: TrainSpec, images: ImageSet) -> None:
    outputs, base = spec.model.outputs, len(images.splits["base"])
    if spec.learner.kind == "maml" and outputs != spec.task.way:
        raise SpecError(f"MAML's head has one output per class of a task, {spec.task.way}, got {outputs}")
    if outputs < base and spec.learner.kind == "transfer":
        raise SpecError(f"the head needs an output for each of the {base} base classes, got {outputs}")


@dataclass
class _Teller:
    """Keeps what there is to report and reports it, about once a second unless it is told now."""

    report: Report
    state: dict[str, Any]
    told: float = 0.0

    def __call__(self, *, now: bool = False, **changes: Any) -> None:
        self.state |= changes
        if now or time.monotonic() - self.told > 1:
            self.told = time.monotonic()
            self.report(dict(self.state))


def train(
    spec: TrainSpec,
    images: ImageSet,
    *,
    seed: int,
    directory: SeedDir,
    group: Group | None = None,
    device: torch.device | None = None,
    report: Report = lambda state: None,
) -> Score:
    """Train to `spec.updates`, from the last checkpoint if there is one, then test the best weights.

    Args:
        spec: what to train; with `seed` it determines every weight.
        images: the data set, whose digest must be the one in `spec`.
        seed: of the initial weights and of the training tasks.
        directory: where checkpoints, metrics and the result go.
        group: the workers that share this seed; alone by default.
        device: where to compute; the CPU by default.
        report: called about once a second with {"step", "updates", "val_accuracy", "tested", "test_tasks"}.

    Returns:
        The score of the best checkpoint on novel tasks.
    """
    machine.pin(spec.threads)
    group = group or Solo()
    trainer = Trainer(spec, images, seed, directory, group, device or torch.device("cpu"))
    totals = {"updates": spec.updates, "test_tasks": spec.test_tasks}
    tell = _Teller(report, {"step": trainer.step, "val_accuracy": None, "tested": 0, **totals})
    tell(now=True)
    while trainer.step < spec.updates:
        val = _train_to_validation(trainer, tell)
        tell(now=True, step=trainer.step, val_accuracy=val.accuracy)
    test = trainer.test(lambda i: tell(tested=i))
    tell(now=True, tested=spec.test_tasks)
    if group.rank == 0:
        files.write_json(directory.result, {"test": test.to_dict(), "finished": timestamp()})
    return test


def _train_to_validation(trainer: Trainer, tell: _Teller) -> Score:
    spec, started = trainer.spec, time.monotonic()
    until = min(spec.updates, (trainer.step // spec.validate_every + 1) * spec.validate_every)
    while trainer.step < until:
        trainer.update()
        tell(step=trainer.step)
        if trainer.step % SAVE_EVERY == 0 and trainer.step < until:
            trainer.save()
    val, seen = trainer.validate(), trainer.monitor()
    if trainer.group.rank == 0:
        seconds = time.monotonic() - started
        trainer.directory.append_metrics(_metrics_row(trainer.step, trainer.rows, {"val": val, **seen}, seconds))
    trainer.rows = []
    trainer.save(val)
    return val


def _metrics_row(step: int, rows: list[Sequence[float]], scores: dict[str, Score], seconds: float) -> dict[str, Any]:
    loss, accuracy = (float(v) for v in np.mean(rows, axis=0))
    row = {"step": step, "train_loss": loss if np.isfinite(loss) else None, "train_accuracy": accuracy}
    for split, score in scores.items():
        row |= {f"{split}_loss": score.loss, f"{split}_accuracy": score.accuracy}
        row[f"{split}_accuracy_ci95"] = score.accuracy_ci95
    return row | {"seconds": round(seconds, 3)}
