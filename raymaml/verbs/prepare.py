"""Prepare a data set: find it, check it, decode it once into the data cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from raymaml.data import catalogue, prepared
from raymaml.data.imageset import ImageSet

if TYPE_CHECKING:
    from raymaml.data.raw import RawSet
    from raymaml.data.store import ImageStore

RAY_FROM = 5_000  # picture files to decode: below, they are done before Ray has started (7 to 16 s)


def prepare(
    kind: str,
    root: Path,
    *,
    name: str | None = None,
    size: int | None = None,
    seed: int = 0,
    grey: bool = False,
    split: Path | None = None,
    rotations: bool = False,
    replace: bool = False,
    address: str | None = None,
    actors: int | None = None,
    on_progress: prepared.Tell = lambda _: None,
    on_stop: Callable[[], None] = lambda: None,
) -> ImageSet:
    """Prepare a data set for `--data`, or give the one that is prepared; an interrupted preparation continues.

    Many picture files (RAY_FROM) are decoded on Ray, few of them, and arrays, in this process; the images are the
    same.

    Args:
        kind: omniglot, cub, miniimagenet, cifarfs, or folder for your own pictures.
        root: its folder or zip.
        name: what a folder is called from now on; others are called KIND, or KIND-SIZE at a size not their own.
        size: pixels of the prepared images; the kind's own unless told.
        seed: of the split, where there is no published one.
        grey: one channel instead of three (folder).
        split: JSON file of the split (folder).
        rotations: turned characters as classes of their own (omniglot).
        replace: make it again, also where it is prepared for other settings.
        address: of the Ray cluster; see `runtime.session`.
        actors: use Ray, with so many actors.
        on_progress: called as images are done.
        on_stop: called at the first Ctrl-C while actors work.

    Raises:
        RaymamlError: the set is not whole, or prepared for other settings; the text says what to do.
    """
    request = catalogue.request_of(
        kind, root, name=name, size=size, seed=seed, grey=grey, split=split, rotations=rotations
    )

    def fill(store: ImageStore, raw: RawSet, done: Callable[[int], None]) -> None:
        images = sum(len(store.rows(chunk)) for chunk in store.missing())
        if actors is None and (not raw.pictures.files or images < RAY_FROM):
            prepared.fill_here(store, raw, done)
            return
        from raymaml.runtime.prepare import on_ray

        on_ray(request, address=address, actors=actors, on_stop=on_stop)(store, raw, done)

    return catalogue.prepare(request, replace=replace, fill=fill, tell=on_progress)
