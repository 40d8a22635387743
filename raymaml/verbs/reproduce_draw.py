"""Draw what a reproduction has computed, item by item; computes nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from raymaml.errors import MissingError
from raymaml.figures.panels import name_of
from raymaml.landscape.store import SurfaceStore, open_store
from raymaml.results import Curve, Result
from raymaml.specs import Split
from raymaml.tables import Table, as_text, settings_table
from raymaml.tables.adaptation import Adaptation, adaptation_table
from raymaml.thesis.items import Item, Kind
from raymaml.thesis.orders import Order
from raymaml.verbs import table as tables
from raymaml.verbs.difference_figure import figure_difference
from raymaml.verbs.meta_figure import describe, figure_meta
from raymaml.verbs.panel_figures import figure_inner, figure_parts, figure_queries
from raymaml.verbs.reproduce import Reproduction, surface_requests
from raymaml.verbs.result_figures import figure_results
from raymaml.verbs.show import show
from raymaml.verbs.sources import gather
from raymaml.verbs.spread_figure import figure_spread
from raymaml.verbs.training_figure import figure_training

Read = Callable[[tuple[str, ...], bool], tuple[list[Result], list[Curve]]]  # (data sets, paired); see `gather`
FORMATS = ("png", "pdf")  # 3-D views as SVG take megabytes each


@dataclass(frozen=True)
class Made:
    """An item's files and lines; `why` says why there are none."""

    item: Item
    files: list[Path] = field(default_factory=list)
    text: str = ""
    why: str = ""


@dataclass(frozen=True)
class Drawing:
    """What the functions below draw from."""

    of: Reproduction
    item: Item
    read: Read  # the results, which many items show

    @property
    def figures(self) -> Path:
        """Folder of the figures."""
        return self.of.out / "figures"

    @property
    def stem(self) -> str:
        """What the names of the item's files start with."""
        return self.item.name.replace("figure-", "figure").replace("table-", "table")

    @cached_property
    def stores(self) -> list[tuple[Order, SurfaceStore]]:
        """The item's surfaces with what was ordered."""
        paths = [request.path for request in surface_requests(self.of, self.item)]
        orders = [order for _, order in self.of.orders(self.item)]
        return [(order, open_store(path)) for order, path in zip(orders, paths, strict=True)]

    def results(self, *, paired: bool = False) -> tuple[list[Result], list[Curve]]:
        """Results and curves of the item's data sets."""
        return self.read(tuple(self.of.data_of(self.item)), paired)


def drawings(of: Reproduction) -> list[Drawing]:
    """One of each item; what several of them read is read once."""

    @functools.cache
    def read(data: tuple[str, ...], paired: bool) -> tuple[list[Result], list[Curve]]:
        return gather(data=data, paired=paired, home=of.home)

    return [Drawing(of, item, read) for item in of.items]


def draw(drawing: Drawing) -> Made:
    """Draw an item.

    Raises:
        RaymamlError: a store is damaged.
    """
    try:
        return DRAWERS[drawing.item.kind](drawing)
    except MissingError as error:  # such as a table of a data set that has only one run
        return Made(drawing.item, why=str(error))


def _images(drawing: Drawing) -> Made:
    [data] = drawing.of.data_of(drawing.item)
    splits: tuple[Split, ...] = ("base", "novel")
    return Made(drawing.item, [path for split in splits for path in show(data, split=split, out=drawing.figures)])


def _inner(drawing: Drawing) -> Made:
    """The query loss, which the published code drew, and the support loss, of which the text speaks (recipe 5.1)."""
    stores = [store for _, store in drawing.stores]
    files = [
        path
        for quantity, stem in (("loss", drawing.stem), ("support_loss", f"{drawing.stem}-support"))
        for path in figure_inner(stores, quantities=(quantity,), out=drawing.figures, name=stem, formats=FORMATS)
    ]
    return Made(drawing.item, files)


def _parts(drawing: Drawing) -> Made:
    stores = [store for _, store in drawing.stores]
    return Made(drawing.item, figure_parts(stores, step=0, out=drawing.figures, name=drawing.stem, formats=FORMATS))


def _meta(drawing: Drawing) -> Made:
    stores, scale = [store for _, store in drawing.stores], drawing.of.scale
    files = []
    for tasks in (scale.few_tasks, scale.meta_tasks):
        made = figure_meta(
            stores, tasks=tasks, out=drawing.figures, name=f"{drawing.stem}-{tasks}tasks", formats=FORMATS
        )
        files += [path for path in made.files if "-3d" in path.stem]
    return Made(drawing.item, files)


def _contours(drawing: Drawing) -> Made:
    """Rows are backbones; columns are base and novel, without and with augmentation."""
    stores = sorted(drawing.stores, key=lambda pair: drawing.of.scale.backbones.index(pair[0].backbone))
    made = figure_meta(
        [store for _, store in stores],
        labels=[_label(order) for order, _ in stores],
        columns=4,
        out=drawing.figures,
        name=drawing.stem,
        formats=FORMATS,
    )
    lines = [line for label, areas in made.areas for line in describe(label, areas)]
    return Made(drawing.item, [path for path in made.files if "-3d" not in path.stem], "\n".join(lines))


def _label(order: Order) -> str:
    return f"{name_of(order.backbone)}, {order.options['split']}, {_augmentation(order.augment)}"


def _augmentation(augment: bool) -> str:
    return "aug" if augment else "no aug"


def _queries(drawing: Drawing) -> Made:
    [(_, store)] = drawing.stores
    return Made(drawing.item, figure_queries(store, tasks=1, out=drawing.figures, name=drawing.stem, formats=FORMATS))


def _training(drawing: Drawing) -> Made:
    stores = [store for _, store in drawing.stores]
    return Made(drawing.item, figure_training(stores, out=drawing.figures, name=drawing.stem, formats=FORMATS))


def _results(drawing: Drawing) -> Made:
    results, curves = drawing.results(paired=drawing.item.number in (19, 20))
    return Made(drawing.item, figure_results(drawing.item.number, results, curves, drawing.figures, FORMATS))


def _table(drawing: Drawing) -> Made:
    results, _ = drawing.results()
    folder = drawing.of.out / "tables"
    text = tables.table(drawing.item.number, results, folder)
    return Made(drawing.item, tables.table_files(drawing.stem, folder), text)


def _settings(drawing: Drawing) -> Made:
    method = "maml" if drawing.item.number == 5 else "transfer"
    specs = [cell.spec for (_, kind, _, _), cell in drawing.of.cells.items() if kind == method]
    return _written(drawing, settings_table(drawing.item.number, specs))


def adaptations(drawing: Drawing) -> list[Adaptation]:
    """The query losses after each recorded number of steps, of every seed of the item's runs."""
    return [
        Adaptation(order.backbone, order.augment, order.seed, store.spec.steps, store.read("loss")[:, :, -1, 0, 0])
        for order, store in drawing.stores
    ]


def _adaptation(drawing: Drawing) -> Made:
    return _written(drawing, adaptation_table(drawing.of.data_of(drawing.item)[0], adaptations(drawing)))


def _written(drawing: Drawing, made: Table) -> Made:
    """A table in its files."""
    files = tables.table_files(drawing.stem, drawing.of.out / "tables")
    tables.write(made, files)
    return Made(drawing.item, files, as_text(made))


def _spread(drawing: Drawing) -> Made:
    [path] = {store.path.parent for _, store in drawing.stores}
    made = figure_spread(path, out=drawing.figures, name=drawing.stem, formats=FORMATS)
    return Made(drawing.item, made.files, "\n".join(made.lines))


def _differences(drawing: Drawing) -> Made:
    """A map of each backbone and split: with augmentation minus without."""
    of = {(order.backbone, order.options["split"], order.augment): store for order, store in drawing.stores}
    files: list[Path] = []
    lines: list[str] = []
    for backbone, split, augment in of:
        if augment:
            continue
        made = figure_difference(
            of[backbone, split, False],
            of[backbone, split, True],
            labels=[_augmentation(False), _augmentation(True)],
            out=drawing.figures,
            name=f"{drawing.stem}-{backbone}-{split}",
            formats=FORMATS,
        )
        files += made.files
        lines += [f"{name_of(backbone)}, {split}:", *made.lines]
    return Made(drawing.item, files, "\n".join(lines))


DRAWERS: dict[Kind, Callable[[Drawing], Made]] = {
    "images": _images,
    "inner": _inner,
    "parts": _parts,
    "meta": _meta,
    "training": _training,
    "queries": _queries,
    "contours": _contours,
    "results": _results,
    "table": _table,
    "settings": _settings,
    "adaptation": _adaptation,
    "spread": _spread,
    "augmentation": _differences,
}
