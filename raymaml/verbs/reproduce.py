"""Make every figure and table of the thesis from nothing: train, compute, draw, and gather all on one page."""

from __future__ import annotations

import contextlib
import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from raymaml.errors import ClusterError, SpecError
from raymaml.landscape import sets
from raymaml.landscape.request import (
    checkpoint_dir,
    default_set,
    default_store,
    load_for_surface,
    surface_spec,
    training_loss_spec,
)
from raymaml.presets import Method
from raymaml.runtime import sharpness as sharp
from raymaml.runtime.jobs import Progress
from raymaml.runtime.replicas import Request
from raymaml.runtime.session import session
from raymaml.runtime.surface import compute
from raymaml.runtime.train import JobStates
from raymaml.sharpness.spec import SharpnessSpec
from raymaml.specs import Backbone, SurfaceSpec
from raymaml.thesis import items as catalogue
from raymaml.thesis.items import Item
from raymaml.thesis.orders import Order
from raymaml.thesis.scales import SCALES, Scale, ScaleName
from raymaml.verbs import matrix
from raymaml.verbs.matrix import Cell, Matrix
from raymaml.verbs.sharpness import requests_of as sharpness_requests

METHODS: tuple[Method, ...] = ("maml", "transfer")
DEFAULT_OUT = Path("artifacts")  # for reproduce-<scale>
Key = tuple[str, Method, Backbone, bool]  # data set, method, backbone, augmentation


@dataclass(frozen=True)
class Reproduction:
    """What is made, of which data sets, in which folder; `cells` are the runs that it needs."""

    scale: Scale
    data: tuple[str, ...]
    items: tuple[Item, ...]
    out: Path
    cells: Mapping[Key, Cell]

    @property
    def home(self) -> Path:
        """The folder of the runs."""
        return self.out / "runs"

    @property
    def calls(self) -> Path:
        """JSON lines: what each call computed, and how long it took."""
        return self.out / "calls.jsonl"

    @property
    def matrix(self) -> Matrix:
        """The trainings, and the evaluations if a table or a figure is made of them."""
        evaluated = any(item.results for item in self.items)
        trained = tuple(cell for cell in self.cells.values() if cell.seeds)
        return Matrix(trained, ("base", "novel") if evaluated else (), ("best", "last"), self.scale.evaluation_tasks)

    def data_of(self, item: Item) -> list[str]:
        """The data sets that an item shows."""
        return list(self.data) if item.of == "all" else [self.data[item.of == "second"]]

    def orders(self, item: Item) -> Iterator[tuple[Cell, Order]]:
        """The surfaces that an item shows, with the run of each."""
        for data in self.data_of(item):
            for order in item.surfaces(self.scale):
                yield self.cells[data, order.method, order.backbone, order.augment], order


def plan(
    names: Sequence[str] = (),
    scale: ScaleName = "quick",
    *,
    data: Sequence[str] = (),
    out: Path | None = None,
) -> Reproduction:
    """Lay out what is to be made; writes nothing.

    Args:
        names: of `thesis.items.ITEMS`; by default all.
        scale: `smoke`, `quick` or `thesis`; see `thesis.scales`.
        data: one or two data sets, in the places of miniImageNet and CUB; by default the scale's.
        out: folder of everything, the runs included; by default `artifacts/reproduce-<scale>`.

    Raises:
        RaymamlError: a name is unknown, a data set is missing, or the folder holds other runs.
    """
    if scale not in SCALES:
        raise SpecError(f"--scale must be one of {', '.join(SCALES)}, got {scale!r}")
    size, sets_of_data = SCALES[scale], tuple(data or SCALES[scale].data)
    if len(sets_of_data) > 2 or len(set(sets_of_data)) != len(sets_of_data):
        raise SpecError(f"--data needs one or two different data sets, got {' '.join(sets_of_data)}")
    folder = (out.expanduser() if out else DEFAULT_OUT / f"reproduce-{scale}").absolute()
    empty = Reproduction(size, sets_of_data, tuple(catalogue.chosen(names, len(sets_of_data))), folder, {})
    cells = {key: _cell(empty, key, seeds) for key, seeds in _seeds(empty).items()}
    return replace(empty, cells=cells)


def _seeds(of: Reproduction) -> dict[Key, set[int]]:
    """The runs that the items need, and the seeds of each; a run of which only the settings are shown has none."""
    found: dict[Key, set[int]] = {}
    for item in of.items:
        for data in of.data_of(item):
            if item.results or item.kind == "settings":
                for method in METHODS:
                    for backbone in of.scale.backbones:
                        for augment in (False, True):
                            seeds = found.setdefault((data, method, backbone, augment), set())
                            seeds.update(of.scale.seeds if item.results else ())
            for order in item.surfaces(of.scale):
                found.setdefault((data, order.method, order.backbone, order.augment), set()).add(order.seed)
    return found


def _cell(of: Reproduction, key: Key, seeds: set[int]) -> Cell:
    data, method, backbone, augment = key
    planned = matrix.plan(
        [data],
        [method],
        [backbone],
        [augment],
        of.scale.seeds,
        preset=of.scale.preset,
        home=of.home,
        **of.scale.training,
    )
    return replace(planned.cells[0], seeds=tuple(sorted(seeds)))


@dataclass(frozen=True)
class Callbacks:
    """Told how far each part is."""

    training: Callable[[JobStates], None] = lambda states: None
    evaluation: Callable[[Progress], None] = lambda progress: None
    surfaces: Callable[[Progress], None] = lambda progress: None
    sharpness: Callable[[sharp.Progress], None] = lambda progress: None
    stop: Callable[[], None] = lambda: None


def compute_all(of: Reproduction, *, address: str | None = None, callbacks: Callbacks | None = None) -> None:
    """Train, evaluate, and compute surfaces and sharpness, as far as it is not done; nothing is drawn.

    Raises:
        IncompleteError: a part failed; what is finished is kept.
        KeyboardInterrupt: stopped by Ctrl-C; the same call continues.
    """
    told, started = callbacks or Callbacks(), time.monotonic()
    try:
        _compute(of, address, told)
    except ClusterError:  # nothing was computed, and a refused call leaves nothing
        raise
    except BaseException:
        _note_call(of, time.monotonic() - started)
        raise
    _note_call(of, time.monotonic() - started)


def _note_call(of: Reproduction, seconds: float) -> None:
    of.out.mkdir(parents=True, exist_ok=True)
    with of.calls.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"items": [item.name for item in of.items], "seconds": round(seconds, 1)}) + "\n")


def _compute(of: Reproduction, address: str | None, told: Callbacks) -> None:
    # One session for all parts: starting Ray takes 7 to 16 s. Parts that find nothing to do start none.
    with session(address) if any(cell.unfinished for cell in of.matrix.cells) else contextlib.nullcontext():
        matrix.run(of.matrix, address=address, on_training=told.training, on_evaluation=told.evaluation)
        of_item = [(item, surface_requests(of, item)) for item in of.items]
        requests = {request.path: request for _, found in of_item for request in found}
        together = [request for item, found in of_item if item.kind == "spread" for request in found]
        compute(
            list(requests.values()),
            address=address,
            on_ready=lambda: _claim(together),
            on_progress=told.surfaces,
            on_stop=told.stop,
        )
        if any(item.sharpness for item in of.items):
            sharp.compute(
                list(_sharpness(of)), ["standard"], address=address, on_progress=told.sharpness, on_stop=told.stop
            )


def surface_requests(of: Reproduction, item: Item) -> list[Request[SurfaceSpec]]:
    """The surfaces that an item shows, in the order of `of.orders(item)`; those of a spread lie in one set."""
    load = functools.cache(load_for_surface)  # several surfaces are of one seed, and weights are read and hashed
    found = []
    for cell, order in of.orders(item):
        seed = cell.run.seed(order.seed)
        make = training_loss_spec if order.method == "transfer" else surface_spec
        spec = make(load(seed), **order.options)
        together = item.kind == "spread"
        path = sets.member_path(default_set(cell.run, spec), spec) if together else default_store(seed, spec)
        found.append(Request(spec, checkpoint_dir(seed), path))
    return found


def _claim(members: Sequence[Request[SurfaceSpec]]) -> None:
    """Make the sets that surfaces belong to."""
    for member in members:
        sets.claim(member.path.parent, member.spec)


def _sharpness(of: Reproduction) -> Iterator[Request[SharpnessSpec]]:
    for (_, method, _, _), cell in of.cells.items():
        if method == "maml":
            seeds = [cell.run.seed(seed) for seed in cell.seeds]
            yield from sharpness_requests(seeds, ("base", "novel"), tasks=of.scale.sharpness_tasks)
