"""The thesis's figures and tables, and what we show beyond it: in order, each with what it needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from raymaml.errors import SpecError
from raymaml.thesis import orders
from raymaml.thesis.orders import Order
from raymaml.thesis.scales import Scale

Kind = Literal[
    "images", "inner", "parts", "meta", "training", "queries", "contours", "results", "table", "settings",
    "adaptation", "spread", "augmentation",
]  # fmt: skip
Place = Literal["first", "second", "all"]  # among the data sets


@dataclass(frozen=True)
class Item:
    """A figure or a table."""

    name: str
    kind: Kind
    caption: str
    of: Place = "first"
    surfaces: Callable[[Scale], list[Order]] = lambda scale: []
    results: bool = False  # whether it needs the whole matrix, evaluated
    sharpness: bool = False
    beyond: bool = False  # whether the thesis does not have it

    @property
    def number(self) -> int:
        """Of the thesis's figure or table."""
        return int(self.name.rpartition("-")[2])


def _inner(number: int, of: Place, task: int) -> Item:
    caption = "The loss landscape of one task before and after the inner loop, of augmented runs"
    return Item(f"figure-{number}", "inner", caption, of, partial(orders.inner, task=task))


def _parts(number: int, of: Place, task: int) -> Item:
    caption = "One task's landscape decomposed: all weights, the head, the feature layers; augmented runs"
    return Item(f"figure-{number}", "parts", caption, of, partial(orders.parts, task=task))


def _both(scale: Scale, of: Callable[[Scale, bool], list[Order]]) -> list[Order]:
    return [*of(scale, False), *of(scale, True)]


_CONTOURS = "Meta-loss contours without and with augmentation, with coloured areas below thresholds"
_BOTH_META = partial(_both, of=orders.meta)

ITEMS: tuple[Item, ...] = (
    Item("figure-1", "images", "Images of the first data set"),
    Item("figure-2", "images", "Images of the second data set", "second"),
    Item("table-2", "table", "Accuracy on novel tasks", "all", results=True),
    Item("figure-3", "results", "Loss against accuracy on novel tasks", "all", results=True),
    _inner(4, "first", 0),
    _inner(5, "second", 0),
    _parts(6, "first", 0),
    _parts(7, "second", 0),
    Item(
        "figure-8",
        "meta",
        "The meta-loss over few and over many tasks, of augmented runs",
        "first",
        partial(orders.meta, augment=True),
    ),
    Item(
        "figure-9", "training", "The training loss of transfer learning, without augmentation", "first", orders.training
    ),
    Item(
        "figure-10",
        "queries",
        "Contours of one task by number of query images, of an augmented run",
        "first",
        orders.queries,
    ),
    Item("figure-11", "contours", _CONTOURS, "first", _BOTH_META),
    Item("figure-12", "contours", _CONTOURS, "second", _BOTH_META),
    Item("figure-13", "results", "Sharpness against backbone", "all", results=True, sharpness=True),
    Item("figure-14", "results", "Loss, sharpness and accuracy", "all", results=True, sharpness=True),
    Item("table-3", "table", "Correlations of accuracy with sharpness and loss", "all", results=True, sharpness=True),
    Item("table-4", "table", "The same, of augmented runs only", "all", results=True, sharpness=True),
    Item("table-5", "settings", "Hyperparameters of MAML", "all"),
    Item("table-6", "settings", "Hyperparameters of transfer learning", "all"),
    _inner(15, "second", 1),
    _inner(16, "first", 1),
    _parts(17, "first", 1),
    _parts(18, "second", 1),
    Item("table-7", "table", "Sharpness on the first data set", results=True, sharpness=True),
    Item("table-8", "table", "Sharpness on the second data set", "second", results=True, sharpness=True),
    Item("figure-19", "results", "Over-fitting on the first data set", results=True),
    Item("figure-20", "results", "Over-fitting on the second data set", "second", results=True),
    Item(
        "adaptation",
        "adaptation",
        "Query loss of the initialisation and after each of several inner steps",
        surfaces=partial(_both, of=orders.adaptation),
        beyond=True,
    ),
    Item(
        "spread",
        "spread",
        "How much the surface of an augmented run depends on the tasks, the seed and the directions",
        surfaces=orders.spread,
        beyond=True,
    ),
    Item(
        "augmentation",
        "augmentation",
        "What augmentation changes in the meta-loss: paired differences over tasks",
        surfaces=_BOTH_META,
        beyond=True,
    ),
)


def chosen(names: Sequence[str], data_sets: int) -> list[Item]:
    """The items of those names, or all; in the thesis's order. Those of a second data set only where there is one.

    Raises:
        SpecError: a name is unknown, or is of a second data set and there is none.
    """
    known = {item.name: item for item in ITEMS}
    if unknown := [name for name in names if name not in known]:
        raise SpecError(f"there is no item {', '.join(unknown)}; there are {', '.join(known)}")
    lacking = [item.name for item in ITEMS if item.of == "second" and data_sets < 2]
    if needed := [name for name in names if name in lacking]:
        raise SpecError(f"{', '.join(needed)} shows a second data set; name two with --data")
    return [item for item in ITEMS if item.name not in lacking and (not names or item.name in names)]
