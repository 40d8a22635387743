"""Draw pre-training losses beside each other; needs neither torch nor ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from raymaml.errors import SpecError
from raymaml.figures.saving import save
from raymaml.figures.sheet import Panel
from raymaml.figures.solid_panels import Scale, solids
from raymaml.specs import PretrainingSpec
from raymaml.verbs.panel_figures import FORMATS, in_rows
from raymaml.verbs.titles import labels_of, title_of
from raymaml.verbs.views import Store, folder_of, grid_of, opened, quantity_name


def figure_training(
    stores: Sequence[Store],
    *,
    labels: Sequence[str] | None = None,
    scale: Scale = "own",
    out: Path | None = None,
    name: str = "training",
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Draw surfaces of the pre-training loss in 3-D (thesis figure 9), up to 4 in a row, in the given order.

    Args:
        stores: of `raymaml surface --loss training`, one panel each; in the thesis a backbone each.
        labels: of the panels; by default the backbones, and what else tells them apart.
        scale: of heights; see `figures.solid_panels.solids`.
        out: folder; by default beside a single store, else `figures` in `runs.home()`.
        name: of the files, without their ending.
        formats: of `png`, `pdf`, `svg`.

    Returns:
        The files that were written.

    Raises:
        RaymamlError: a store holds another loss, or an option cannot be used.
    """
    whole = opened(stores)
    for store in whole:
        if not isinstance(store.spec.learner, PretrainingSpec):
            raise SpecError(
                f"{store.path} does not hold a pre-training loss; compute one: raymaml surface --loss training"
            )
    specs = [store.spec for store in whole]
    panels = [Panel(grid_of(store), label) for store, label in zip(whole, labels_of(specs, labels), strict=True)]
    rows = in_rows(panels, min(len(panels), 4))
    figure = solids(rows, title=title_of(specs), quantity=quantity_name(specs[0], "loss"), scale=scale)
    return save(figure, folder_of(whole, out) / name, formats)
