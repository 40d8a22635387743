"""What a run or a surface is: frozen values that go to JSON and back, with one digest each."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import types
import typing
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from raymaml.errors import SpecError

Backbone = Literal["conv4", "conv6", "resnet10", "resnet18"]
Precision = Literal["float32", "float64"]
Split = Literal["base", "val", "novel"]
Which = Literal["best", "last"]  # of a seed's kept checkpoints
Part = Literal["all", "head", "feature"]
Around = Literal["initial", "adapted"]
Counts = tuple[int, ...]
MOST_CLASSES = 100_000  # of a task, and outputs of a head: more than any set of images has
MOST_TASKS = 1_000_000  # of a store: a thousand times the thesis's, and its coordinates still fit into memory


@dataclass(frozen=True)
class Spec:
    """Base of all specifications: checked on construction, strict when read."""

    minimum: ClassVar[dict[str, float]] = {}
    maximum: ClassVar[dict[str, float]] = {}

    def __post_init__(self) -> None:
        """Refuse a value outside its type or range.

        Raises:
            SpecError: a value is not one of its choices, is too small or too large, or is not a finite number.
        """
        for item in dataclasses.fields(self):
            _check_value(item.name, getattr(self, item.name), typing.get_type_hints(type(self))[item.name])
        for name, low in self.minimum.items():
            value = getattr(self, name)
            lowest = value[0] if isinstance(value, tuple) else value
            if lowest < low:
                raise SpecError(f"{name} must be at least {low:g}, got {lowest}")
        for name, high in self.maximum.items():
            if getattr(self, name) > high:
                raise SpecError(f"{name} must be at most {high:,}, got {getattr(self, name)}")

    def to_dict(self) -> dict[str, Any]:
        """This specification as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Any) -> Self:
        """Read what `to_dict` wrote.

        Raises:
            SpecError: a name is unknown or missing, or a value is unusable.
        """
        names = {item.name for item in dataclasses.fields(cls)}
        if not isinstance(values, dict) or set(values) != names:
            got = sorted(values) if isinstance(values, dict) else type(values).__name__
            raise SpecError(f"{cls.__name__} needs exactly the names {sorted(names)}, got {got}")
        hints = typing.get_type_hints(cls)
        return cls(**{name: _read_value(values[name], hints[name]) for name in names})

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON: equal digests mean equal specifications."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


def _read_value(value: Any, hint: Any) -> Any:
    if isinstance(hint, type) and issubclass(hint, Spec):
        return hint.from_dict(value)
    if isinstance(hint, types.UnionType) and all(issubclass(kind, Spec) for kind in typing.get_args(hint)):
        return _read_kind(value, typing.get_args(hint))
    if hint == Counts and isinstance(value, list):  # JSON has no tuples
        return tuple(value)
    return float(value) if hint is float and type(value) is int else value


def _read_kind(value: Any, kinds: tuple[Any, ...]) -> Spec:
    """Read the specification among `kinds` whose default `kind` the value names."""
    named = value.get("kind") if isinstance(value, dict) else None
    for kind in kinds:
        if named == kind.kind:
            found: Spec = kind.from_dict(value)
            return found
    raise SpecError(f"kind must be one of {', '.join(kind.kind for kind in kinds)}, got {named!r}")


def _check_value(name: str, value: Any, hint: Any) -> None:
    if typing.get_origin(hint) is Literal:
        if value not in typing.get_args(hint):
            raise SpecError(f"{name} must be one of {', '.join(map(str, typing.get_args(hint)))}, got {value!r}")
        return
    if hint == Counts:
        _check_counts(name, value)
        return
    allowed = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if type(value) not in allowed:  # exact: True is no count
        raise SpecError(f"{name} must be of type {getattr(hint, '__name__', hint)}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise SpecError(f"{name} must be a finite number, got {value}")


def _check_counts(name: str, value: Any) -> None:
    if type(value) is not tuple or not value or any(type(count) is not int for count in value):
        raise SpecError(f"{name} must be one or more whole numbers, got {value!r}")
    if any(later <= earlier for earlier, later in itertools.pairwise(value)):
        raise SpecError(f"{name} must ascend, each number once, got {_text(value)}")


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def differences(there: Spec, asked: Spec, between: str = "asked for") -> str:
    """The values in which two specifications differ, as one line for a person; `between` names the second one's."""
    a, b = _flatten(there.to_dict()), _flatten(asked.to_dict())
    changed = [k for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)]
    return "; ".join(f"{k} is {_text(a.get(k, 'absent'))}, {between} {_text(b.get(k, 'absent'))}" for k in changed)


def _flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        inner = _flatten(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
        flat.update(inner)
    return flat


@dataclass(frozen=True)
class TaskSpec(Spec):
    """The shape of a few-shot task: `way` classes with `shot` support and `query` query images each."""

    way: int = 5
    shot: int = 1
    query: int = 15
    minimum: ClassVar[dict[str, float]] = {"way": 2, "shot": 1, "query": 1}
    maximum: ClassVar[dict[str, float]] = {"way": MOST_CLASSES}


@dataclass(frozen=True)
class ModelSpec(Spec):
    """A backbone and its linear head (recipe: CloserLookFewShot backbone.py; thesis section 4.2)."""

    backbone: Backbone = "conv4"
    channels: int = 3  # of the input image
    image_size: int = 84  # pixels; 28 or 84 for Conv nets, 224 for ResNets
    outputs: int = 5  # of the head
    norm: Literal["batch", "running"] = "batch"  # statistics: of the batch at hand (MAML); running ones (transfer)
    minimum: ClassVar[dict[str, float]] = {"channels": 1, "image_size": 1, "outputs": 2}
    maximum: ClassVar[dict[str, float]] = {"channels": 1024, "image_size": 2048, "outputs": MOST_CLASSES}


def family(data: str, model: ModelSpec) -> str:
    """The data set whatever the size of its images: ResNets take `cub-224`, Conv nets `cub`."""
    return data.removesuffix(f"-{model.image_size}")


@dataclass(frozen=True)
class MamlSpec(Spec):
    """MAML: the inner loop is gradient descent on the support set (Finn et al. 2017, eq. 1)."""

    kind: Literal["maml"] = "maml"
    inner_lr: float = 0.01
    inner_steps: int = 5  # in training; tests and landscapes state their own number
    order: Literal[1, 2] = 1  # 1: first-order MAML (thesis eq. 5); 2: differentiates through the inner loop
    meta_batch: int = 4  # tasks per update
    outer_reduce: Literal["sum", "mean"] = "sum"  # sum: the thesis's code; mean: its eq. 4
    minimum: ClassVar[dict[str, float]] = {"inner_lr": 0.0, "inner_steps": 0, "meta_batch": 1}
    norm: ClassVar[str] = "batch"  # of its models

    @property
    def validation_steps(self) -> int:
        """Inner steps on a task of the val split."""
        return self.inner_steps


@dataclass(frozen=True)
class TransferSpec(Spec):
    """Transfer learning: classify all base classes, then fit a new head to each task (thesis section 2.3.1).

    The head is fitted with SGD on mini-batches of the support set; a step of it counts as an inner step.
    """

    kind: Literal["transfer"] = "transfer"
    batch: int = 128  # images per update
    head_lr: float = 0.01
    head_momentum: float = 0.9
    head_dampening: float = 0.9
    head_weight_decay: float = 0.001
    head_batch: int = 4  # support images per head update
    head_updates: int = 10  # in validation; tests state their own number. Thesis table 6; its code: 100 epochs
    minimum: ClassVar[dict[str, float]] = {
        "batch": 2,
        "head_lr": 0.0,
        "head_momentum": 0.0,
        "head_dampening": 0.0,
        "head_weight_decay": 0.0,
        "head_batch": 1,
        "head_updates": 0,
    }
    norm: ClassVar[str] = "running"

    @property
    def validation_steps(self) -> int:
        """Head updates on a task of the val split."""
        return self.head_updates


LearnerSpec = MamlSpec | TransferSpec


@dataclass(frozen=True)
class PretrainingSpec(Spec):
    """What a surface of the pre-training loss is made of: batches of base images (thesis figure 9; recipe 5.4).

    The thesis's caption has 1,000 images, its code 3 batches of 128. Batches here are of one size, so that the mean
    over them is the mean over the images.
    """

    kind: Literal["pretraining"] = "pretraining"
    batch: int = 125  # images
    norm: Literal["batch", "running"] = "batch"  # statistics: of the batch at hand (the thesis's code); running ones
    minimum: ClassVar[dict[str, float]] = {"batch": 2}  # one image may have one value per channel: no variance


@dataclass(frozen=True)
class TrainSpec(Spec):
    """One training run but for its seed: two runs with equal digests differ by seed alone."""

    data: str
    data_digest: str  # of the ImageSet, so that changed pixels are a changed run
    task: TaskSpec
    model: ModelSpec
    learner: LearnerSpec
    updates: int
    augment: bool = False  # training images only (recipe 4.4)
    outer_lr: float = 1e-3  # Adam's, other values at their defaults
    validate_every: int = 25  # updates
    val_tasks: int = 100
    monitor_every: int = 0  # updates between looks at base and novel tasks, which select nothing; 0: never
    monitor_tasks: int = 50  # of each
    test_tasks: int = 600  # of the novel split, with the best checkpoint
    test_query: int = 15
    test_steps: int = 10  # thesis table 5
    precision: Precision = "float32"
    threads: int = 1  # changes the last bits of every sum, hence part of the run
    minimum: ClassVar[dict[str, float]] = {
        "updates": 1,
        "outer_lr": 0.0,
        "validate_every": 1,
        "val_tasks": 2,
        "monitor_every": 0,
        "monitor_tasks": 2,
        "test_tasks": 2,
        "test_query": 1,
        "test_steps": 0,
        "threads": 1,
    }

    def __post_init__(self) -> None:
        """Check also that the values fit each other."""
        super().__post_init__()
        if self.model.norm != self.learner.norm:
            raise SpecError(f"{self.learner.kind} needs a model with {self.learner.norm} statistics in batch norm")
        if self.monitor_every % self.validate_every:
            raise SpecError(
                f"monitor_every must be 0 or a multiple of validate_every ({self.validate_every}), "
                f"got {self.monitor_every}"
            )


@dataclass(frozen=True)
class GridSpec(Spec):
    """The plane of weight perturbations: alpha along the first direction, beta along the second."""

    alphas: int = 51
    betas: int = 51
    low: float = -1.0
    high: float = 1.0
    minimum: ClassVar[dict[str, float]] = {"alphas": 1, "betas": 1}

    def __post_init__(self) -> None:
        """Check the range as well as the values."""
        super().__post_init__()
        if self.low >= self.high:
            raise SpecError(f"the range must go from low to high, got {self.low:g} to {self.high:g}")

    def coordinates(self, count: int) -> list[float]:
        """`count` evenly spaced values over the range; an odd symmetric axis holds exactly 0."""
        if count == 1:
            return [(self.low + self.high) / 2]
        # i / (count - 1) is exactly 0.5 in the middle; adding a rounded step up would miss 0 by an ulp.
        return [self.low + (self.high - self.low) * (i / (count - 1)) for i in range(count)]

    @property
    def is_centre(self) -> bool:
        """Whether (0, 0) is the only grid point."""
        return self.alphas == self.betas == 1 and self.holds_centre

    @property
    def holds_centre(self) -> bool:
        """Whether (0, 0), the unperturbed weights, is a grid point."""
        return 0.0 in self.coordinates(self.alphas) and 0.0 in self.coordinates(self.betas)


@dataclass(frozen=True)
class SurfaceSpec(Spec):
    """A loss around trained weights, at several numbers of inner steps and of query images at once.

    With a `PretrainingSpec` it is the loss of transfer learning's training: a task is a batch of images, its number
    that of the batch, and what belongs to tasks alone has the values of `NO_TASKS`.

    Equal digests mean equal numbers on one machine.
    """

    run: str  # digest of the TrainSpec
    seed: int  # of the run
    checkpoint: Which
    checkpoint_digest: str  # SHA-256 of the weights file
    data: str
    data_digest: str
    model: ModelSpec
    learner: LearnerSpec | PretrainingSpec
    split: Split
    task: TaskSpec  # with the most query images per class that are scored
    queries: Counts  # query images per class: the first so many of each class are scored
    tasks: int
    first_task: int  # number of the first one in the task seed
    task_seed: int
    fresh_tasks: bool  # new tasks at each grid point (the thesis) or the same ones (the default)
    steps: Counts  # inner steps after which the loss is recorded
    grid: GridSpec
    direction_seed: int
    orthogonal: bool
    precision: Precision = "float32"
    around: Around = "initial"  # perturb, then adapt (what the thesis ran); or adapt, then perturb (what it says)
    part: Part = "all"  # of the network that is perturbed (thesis figures 6 and 7)
    minimum: ClassVar[dict[str, float]] = {"queries": 1, "tasks": 1, "first_task": 0, "steps": 0}
    maximum: ClassVar[dict[str, float]] = {"tasks": MOST_TASKS, "first_task": 2**53}

    def __post_init__(self) -> None:
        """Check also that the values fit each other."""
        super().__post_init__()
        if self.task.query != self.queries[-1]:
            raise SpecError(f"task.query must be the last of queries ({self.queries[-1]}), got {self.task.query}")
        if self.learner.kind == "transfer" and (self.part, self.around) == ("head", "initial"):
            raise SpecError(
                "transfer learning fits a new head to each task, so perturbing the initial head changes nothing; "
                "perturb the adapted one with --around adapted"
            )
        if isinstance(self.learner, PretrainingSpec):
            self._check_pretraining()

    def _check_pretraining(self) -> None:
        if self.model.norm != TransferSpec.norm:
            raise SpecError("the pre-training loss is that of transfer learning, and this run is of another method")
        for name, value in NO_TASKS.items():
            if getattr(self, name) != value:
                raise SpecError(f"a surface of the pre-training loss has no tasks: {name} must be {_text(value)}")

    @property
    def task_numbers(self) -> range:
        """Numbers of the tasks in the task seed; positions among the fresh tasks of a point."""
        first = 0 if self.fresh_tasks else self.first_task
        return range(first, first + self.tasks)


# Of a surface of the pre-training loss: all base classes, no adaptation, the same images at each point.
NO_TASKS: dict[str, Any] = {
    "split": "base",
    "task": TaskSpec(way=2, shot=1, query=1),
    "queries": (1,),
    "first_task": 0,
    "fresh_tasks": False,
    "steps": (0,),
    "around": "initial",
}


@dataclass(frozen=True)
class Score(Spec):
    """A mean over tasks with the half-width of its normal 95 % interval, 1.96 s / sqrt(n)."""

    accuracy: float  # share of query images, 0..1
    accuracy_ci95: float
    loss: float | None  # None: not a finite number
    tasks: int = field(default=0)
