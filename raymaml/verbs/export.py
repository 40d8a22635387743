"""Write a stored surface in the file formats of other programs; needs neither torch nor ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

from raymaml.errors import SpecError
from raymaml.figures.grid import checked_grid, progress
from raymaml.figures.solid import cut_off, height_of
from raymaml.landscape.store import SurfaceStore
from raymaml.verbs.chosen import Chosen
from raymaml.verbs.titles import plural, title_of
from raymaml.verbs.views import QUANTITIES, Store, surfaces_of

Format = Literal["hdf5", "npz", "csv", "vtk", "html"]
FORMATS: tuple[Format, ...] = get_args(Format)


def export(
    store: Store,
    formats: Sequence[Format] = FORMATS,
    *,
    step: int | None = None,
    query: int | None = None,
    tasks: int | None = None,
    quantity: str = "loss",
    per_task: bool = False,
    out: Path | None = None,
    on_note: Callable[[str], None] = lambda text: None,
) -> list[Path]:
    """Write a surface, or each surface of a set, as files of its own.

    Args:
        store: a surface, or a set of surfaces of several seeds and directions; finished or not.
        formats: some of FORMATS. `hdf5` and `vtk` hold the mean over tasks after one number of inner steps of one
            number of query images; `csv` and `html` hold it of each; `npz` holds every task's values.
        step: inner steps. By default the most that were recorded in `hdf5` and `vtk`, all of them in the others.
        query: query images per class; by default as for `step`.
        tasks: the first so many tasks of the store; by default all.
        quantity: the height in `vtk` and `html`; the other files hold all of QUANTITIES.
        per_task: write a CSV of each task's values instead of one of the means.
        out: folder; by default `<store>-export` beside the store.
        on_note: told which surfaces are not finished.

    Returns:
        The files that were written. They are named after the store, with seed and direction in a set, and say the
        step, queries and tasks that were asked for.

    Raises:
        RaymamlError: the store or an option cannot be used.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown or not formats:
        raise SpecError(f"a surface can be exported as {', '.join(FORMATS)}, not as {', '.join(unknown) or 'nothing'}")
    if per_task and "csv" not in formats:
        raise SpecError("--per-task is of the csv format, which is not among the formats that were asked for")
    if quantity not in QUANTITIES:
        raise SpecError(f"the quantity must be one of {', '.join(QUANTITIES)}, got {quantity!r}")
    path = store if isinstance(store, Path) else store.path
    whole = surfaces_of(store)
    chosen = [Chosen.of(member, step, query, tasks) for member in whole]
    if "html" in formats:
        _check_drawable(whole)
    folder = out.expanduser() if out else path.with_name(f"{path.stem}-export")
    written: list[Path] = []
    for surface in chosen:
        member = surface.store.path
        name = path.stem if member == path else f"{path.stem}-{member.name}"
        if note := surface.unfinished:
            on_note(f"warning: {note} of {member} is computed; the files say what is not")
        for kind in dict.fromkeys(formats):
            written.append(_WRITERS[kind](surface, folder, f"{name}{surface.asked}", quantity, per_task))
    return written


def _check_drawable(stores: Sequence[SurfaceStore]) -> None:
    for store in stores:
        alphas, betas = store.plan.shape[1:]
        if min(alphas, betas) < 2:
            raise SpecError(
                f"{store.path} has {alphas} x {betas} points, a page needs at least 2 x 2: "
                "name other formats, as --format hdf5 npz csv vtk"
            )


def _hdf5(surface: Chosen, folder: Path, name: str, quantity: str, per_task: bool) -> Path:
    from raymaml.exports import hdf5

    path, spec = folder / f"{name}.h5", surface.store.spec
    kind = "orthogonal filter-normalised" if spec.orthogonal else "filter-normalised"
    directions = f"raymaml: {kind} directions, seed {spec.direction_seed}, of {spec.part} weights"
    provenance = surface.store.provenance
    hdf5.write(path, surface.means_at(), directions=directions, spec=spec.to_dict(), provenance=provenance)
    return path


def _npz(surface: Chosen, folder: Path, name: str, quantity: str, per_task: bool) -> Path:
    from raymaml.exports import npz

    path = folder / f"{name}.npz"
    npz.write(path, surface.arrays, spec=surface.store.spec.to_dict(), provenance=surface.store.provenance)
    return path


def _csv(surface: Chosen, folder: Path, name: str, quantity: str, per_task: bool) -> Path:
    from raymaml.exports import table

    path = folder / f"{name}{'-per-task' if per_task else ''}.csv"
    if per_task:
        table.write_tasks(path, surface.arrays)
    else:
        table.write_means(path, list(surface.means()))
    return path


def _vtk(surface: Chosen, folder: Path, name: str, quantity: str, per_task: bool) -> Path:
    from raymaml.exports import vtk

    path = folder / f"{_of(name, quantity)}.vts"
    vtk.write(path, surface.means_at(), quantity)
    return path


def _html(surface: Chosen, folder: Path, name: str, quantity: str, per_task: bool) -> Path:
    from raymaml.exports import page

    path = folder / f"{_of(name, quantity)}.html"
    # The support loss has no query images: one surface for each number of steps, not for each pair of numbers.
    with_queries = quantity != "support_loss"
    found = [means for means in surface.means() if with_queries or means.query == surface.arrays["query"][-1]]
    grids = [checked_grid(m.of(quantity).mean, m.alphas, m.betas, m.computed) for m in found]
    shown = []
    for means, grid in zip(found, grids, strict=True):
        queries = [means.query] if with_queries else []
        title = title_of([surface.store.spec], steps=[means.step], queries=queries, tasks=surface.tasks)
        notes = ", ".join([*progress(grid), *cut_off(grid, None)])
        label = ", ".join(
            [f"{means.step} {plural('step', means.step)}", *(f"{n} {plural('query', n)}" for n in queries)]
        )
        shown.append(page.Shown(label, f"{title}\n{notes}" if notes else title, grid.values))
    height = height_of(*grids)
    page.write(
        path,
        shown,
        alphas=grids[0].alphas,
        betas=grids[0].betas,
        quantity=QUANTITIES[quantity],
        log=None if quantity == "accuracy" else height.log,
        name=f"{name}: {QUANTITIES[quantity]}",
    )
    return path


def _of(name: str, quantity: str) -> str:
    return name if quantity == "loss" else f"{name}-{quantity}"


_WRITERS: dict[Format, Callable[[Chosen, Path, str, str, bool], Path]] = {
    "hdf5": _hdf5,
    "npz": _npz,
    "csv": _csv,
    "vtk": _vtk,
    "html": _html,
}
