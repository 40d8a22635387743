"""Check a store: its files, where its numbers come from, and some of the numbers, computed again without Ray."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from raymaml import checkpoints, data, machine, zarr_groups
from raymaml.data.imageset import ImageSet
from raymaml.errors import MismatchError, MissingError, RaymamlError, SpecError
from raymaml.landscape import adaptive_record, sets
from raymaml.landscape import store as surfaces
from raymaml.params import Params
from raymaml.sharpness import store as sharpness
from raymaml.specs import Precision
from raymaml.verbs import comparison
from raymaml.verbs.comparison import Difference
from raymaml.verbs.subjects import Check, Sharpness, Subject, Surface

CELLS = 20  # of each store: Conv4 at 28 pixels takes 10 s in both precisions on one core
# What decides whether bits are comparable; the number of threads is set to the recorded one.
MACHINE = ("torch", "numpy", "scipy", "machine", "processor")


@dataclass(frozen=True)
class Report:
    """What was found in one store."""

    path: Path
    what: str  # what it consists of: cell or task
    checks: tuple[Check, ...]
    done: int
    total: int
    stored: Difference | None = None  # from the numbers computed again as they were; None: nothing was computed
    float64: Difference | None = None  # from those computed in float64

    @property
    def right(self) -> bool:
        """Whether no check failed; what is incomplete can be right."""
        return all(check.ok is not False for check in self.checks)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return self.done == self.total

    def to_dict(self) -> dict[str, Any]:
        """All figures, for JSON: numbers that are not finite are null."""
        differences = {name: getattr(self, name) for name in ("stored", "float64")}
        return {
            "store": str(self.path),
            "right": self.right,
            "complete": self.complete,
            "done": self.done,
            "total": self.total,
            "checks": [vars(check) for check in self.checks],
            **{name: found and {k: _finite(v) for k, v in vars(found).items()} for name, found in differences.items()},
        }


@dataclass(frozen=True)
class Progress:
    """How far the recomputation of one store is."""

    computed: int
    total: int
    seconds: float


@dataclass(frozen=True)
class Options:
    """How to verify, and whom to tell."""

    cells: int
    seed: int
    tolerance: float | None
    checkpoint: Path | None
    on_check: Callable[[Check], None]
    on_progress: Callable[[Progress], None]


def verify(
    path: Path,
    *,
    cells: int = CELLS,
    seed: int = 0,
    tolerance: float | None = None,
    checkpoint: Path | None = None,
    on_store: Callable[[Path], None] = lambda path: None,
    on_check: Callable[[Check], None] = lambda check: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_report: Callable[[Report], None] = lambda report: None,
) -> list[Report]:
    """Check a surface, an evaluation, a measurement of sharpness, or each surface of a set; writes nothing.

    Numbers are computed again one cell (or task) at a time in this process: with the precision and the threads of
    the store, and in float64. What is a mismatch is said, and why, in `comparison`.

    Args:
        path: of the store.
        cells: how many to compute again, of each store.
        seed: of their choice; one at (0, 0) is always among them.
        tolerance: largest relative difference of a number as stored (absolute, of an accuracy). By default 0 on the
            processor and with the versions that made it, else 1e-9 in float64, and in float32 a median of 1e-3.
        checkpoint: folder of the checkpoint, of its seed or of its run; by default where it was when the store was
            made, or beside the store.
        on_store: called with each store.
        on_check: called with each check.
        on_progress: called after each cell.
        on_report: called after each store.

    Returns:
        A report of each store.

    Raises:
        MissingError: the store, the checkpoint or the data set is not there.
        SpecError: `path` is nothing that can be verified, or an option cannot be used.
    """
    if cells < 1 or (tolerance is not None and not tolerance >= 0):
        raise SpecError(f"--cells must be 1 or more and --tolerance 0 or more, got {cells} and {tolerance}")
    options = Options(cells, seed, tolerance, checkpoint, on_check, on_progress)
    reports = []
    for member in _stores(path.expanduser().absolute()):
        on_store(member)
        reports.append(_verify(member, options))
        on_report(reports[-1])
    return reports


def _stores(path: Path) -> list[Path]:
    if not path.exists():
        raise MissingError(f"no store at {path}; name a surface, an evaluation or a measurement of sharpness")
    kind = zarr_groups.kind_of(path)
    if kind not in (surfaces.KIND, sets.KIND, sharpness.KIND):
        raise SpecError(f"{path} is neither a surface, a set of surfaces nor sharpness that raymaml wrote")
    if kind != sets.KIND:
        return [path]
    return [member.path for member in sets.open_set(path).members]


def _verify(path: Path, options: Options) -> Report:
    checks: list[Check] = []

    def note(name: str, ok: bool | None, text: str) -> bool:
        checks.append(Check(name, ok, text))
        options.on_check(checks[-1])
        return ok is not False

    try:
        subject = _subject(path)
    except SpecError as error:
        note("format", False, str(error))
        return Report(path, "cell", tuple(checks), 0, 0)
    note("format", True, "kind, format and shapes of all arrays fit the specification")
    whole = _check_files(subject, note)
    if not whole:
        return Report(path, subject.what, tuple(checks), 0, 0)
    done, total = subject.counts()
    missing = f"incomplete: {done:,} of {total:,} {subject.what}s; {subject.rest}"
    note("completeness", done == total or None, f"all {total:,} {subject.what}s" if done == total else missing)
    weights = _weights(subject, options.checkpoint, note)
    images = _images(subject, note)
    if weights is None or images is None:
        return Report(path, subject.what, tuple(checks), done, total)
    for check in subject.checks(weights, images):
        note(check.name, check.ok, check.text)
    stored, exact = _numbers(subject, weights, images, options, note) if done else (None, None)
    return Report(path, subject.what, tuple(checks), done, total, stored, exact)


def _subject(path: Path) -> Subject:
    if zarr_groups.kind_of(path) == sharpness.KIND:
        return Sharpness(sharpness.open_store(path))
    return Surface(surfaces.open_store(path), adaptive_record.read(path))


Note = Callable[[str, bool | None, str], bool]


def _check_files(subject: Subject, note: Note) -> bool:
    """Whether all that is said to be on disk can be read."""
    store = subject.store
    damaged = store.damaged()
    advice = f"move the store away and run the {subject.finish} command again"
    if not note("chunks", not damaged, f"damaged: {_some(damaged)}; {advice}" if damaged else "each can be read"):
        return False
    lost, wrong = store.lost(), store.wrong_coordinates()
    lost_text = f"marked as done but not on disk: {_some(lost)}; {advice}"
    kept = note("marks", not lost, lost_text if lost else f"what counts as done has its {subject.what}s on disk")
    text = f"not those of the specification: {', '.join(wrong)}"
    return note("coordinates", not wrong, text if wrong else "those of the specification") and kept


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more


def _weights(subject: Subject, named: Path | None, note: Note) -> Params | None:
    """The weights, if they are those that the store is of."""
    directory = _checkpoint_dir(subject, named)
    try:
        loaded = checkpoints.load(directory)
    except RaymamlError as error:
        note("checkpoint", False, str(error))
        return None
    same = loaded.weights_digest == subject.store.spec.checkpoint_digest
    text = f"{directory} has " + ("the recorded digest" if same else "changed since the store was made")
    return loaded.params if note("checkpoint", same, text) else None


def _checkpoint_dir(subject: Subject, named: Path | None) -> Path:
    """Where the checkpoint is: where the user says, else where it was, else beside the store.

    Raises:
        MissingError: it is at none of these places.
    """
    store = subject.store
    which, seed = store.spec.checkpoint, f"seed-{store.spec.seed}"
    recorded = store.provenance.get("checkpoint_path")
    places = [Path(recorded)] if recorded and named is None else []
    # <run>/seed-5/surfaces/x.zarr, and a set's <run>/surfaces/x.zarr/seed-5-direction-0
    for folder in [named.expanduser()] if named else store.path.parents[:4]:
        places += [folder / which, folder / seed / which]
    if named:
        places.insert(0, named.expanduser())
    for place in places:
        if checkpoints.exists(place):
            return place
    where = str(named) if named else f"{recorded or 'a recorded place'} or beside the store"
    raise MissingError(
        f"no {which} checkpoint of seed {store.spec.seed} in {where}; name its folder with --checkpoint DIR"
    )


def _images(subject: Subject, note: Note) -> ImageSet | None:
    """The data set, if it is the one that the store is of."""
    spec = subject.store.spec
    images = data.load(spec.data)
    try:
        images.check(spec.data_digest)
    except MismatchError as error:
        note("data", False, str(error))
        return None
    note("data", True, f"{spec.data} has the recorded digest")
    return images


def _numbers(
    subject: Subject, weights: Params, images: ImageSet, options: Options, note: Note
) -> tuple[Difference, Difference]:
    """Compare stored numbers with those of the plain loop, as they were computed and in float64."""
    precision = subject.store.spec.precision
    here = machine.provenance()
    same_machine = all(subject.store.provenance.get(name) == here[name] for name in MACHINE)
    picks = subject.picks(options.cells, options.seed)
    precisions: list[Precision] = list(dict.fromkeys([precision, "float64"]))
    pairs: dict[str, list[comparison.Pair]] = {name: [] for name in precisions}
    started, total = time.monotonic(), len(picks) * len(precisions)
    with _threads(subject.store.provenance.get("threads", 1)):
        for name in precisions:
            compute = subject.recompute(weights, images, name)
            for cell in picks:
                pairs[name].append((subject.name(cell), subject.stored(cell), compute(cell)))
                options.on_progress(Progress(sum(map(len, pairs.values())), total, time.monotonic() - started))
    stored, exact = (comparison.difference(pairs[name]) for name in (precision, "float64"))
    _judge_stored(subject, stored, options.tolerance, same_machine, note)
    if precision != "float64":
        _judge_float64(exact, note)
    return stored, exact


def _judge_stored(subject: Subject, found: Difference, named: float | None, same_machine: bool, note: Note) -> None:
    precision = subject.store.spec.precision
    tolerance = comparison.tolerance_of(precision, same_machine) if named is None else named
    by_median = math.isinf(tolerance)
    ok = found.median <= comparison.MEDIAN_ELSEWHERE if by_median else found.relative <= tolerance
    words = [f"{found.equal} of {found.cells} {subject.what}s equal to the bit"]
    if found.worst:
        words.append(f"the largest difference is {found.absolute:.1e} (relative {found.relative:.1e}), {found.worst}")
    if not same_machine:
        limit = f"a median of {comparison.MEDIAN_ELSEWHERE:g} (it is {found.median:.1e})" if by_median else tolerance
        words.append(f"computed on another processor or with other versions, hence judged by {limit}")
    note(f"numbers in {precision}", ok, "; ".join(words))


def _judge_float64(found: Difference, note: Note) -> None:
    text = (
        f"they differ by at most {found.absolute_finite:.1e} (relative {found.relative_finite:.1e}), "
        f"half of the losses by less than {found.median_finite:.1e}"
    )
    if found.one_sided:
        text += f"; {found.one_sided} values are finite in one precision alone"
    note("numbers in float64", found.median_finite <= comparison.MEDIAN_OF_FLOAT64, text)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    machine.pin(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
