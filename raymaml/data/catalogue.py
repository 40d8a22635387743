"""The data sets that can be prepared: what they are, where they come from, how they are found."""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymaml.data import prepared
from raymaml.data.imageset import ImageSet
from raymaml.errors import MismatchError, SpecError

if TYPE_CHECKING:  # it imports Pillow
    from raymaml.data.raw import RawSet


@dataclass(frozen=True)
class Entry:
    """One kind of data set."""

    what: str
    licence: str
    source: str  # how to get it
    module: str  # of its `scan`
    size: int  # pixels, unless told


KINDS = {
    "omniglot": Entry(
        "1,623 handwritten characters of 50 alphabets, 20 drawings each",
        "MIT",
        "github.com/brendenlake/omniglot python/images_*.zip, or torchvision.datasets.Omniglot",
        "raymaml.data.omniglot",
        28,
    ),
    "cub": Entry(
        "CUB-200-2011, 11,788 photographs of 200 bird species",
        "non-commercial research and education",
        "CUB_200_2011.tgz from data.caltech.edu/records/65de6-vp158, unpacked",
        "raymaml.data.cub",
        84,
    ),
    "miniimagenet": Entry(
        "100 classes of ImageNet, 600 photographs each",
        "ImageNet's terms: non-commercial research and education",
        "made from ImageNet (image-net.org) by the lists of Ravi and Larochelle; pictures, or pickles of 84 pixels",
        "raymaml.data.miniimagenet",
        84,
    ),
    "cifarfs": Entry(
        "CIFAR-FS, the 100 classes of CIFAR-100, 600 pictures of 32 pixels each",
        "none stated",
        "cifar-100-python.tar.gz from www.cs.toronto.edu/~kriz/cifar.html, unpacked, or torchvision.datasets.CIFAR100",
        "raymaml.data.cifarfs",
        32,
    ),
    "folder": Entry(
        "your own pictures, as CLASS/NAME.png (or jpg, ...)", "yours", "--name NAME", "raymaml.data.folder", 84
    ),
}
LARGEST = 2048  # pixels: a chunk of 16 images takes 200 MB; backbones take 224
PUBLISHED = tuple(kind for kind in KINDS if kind != "folder")
_PUBLISHED_NAME = re.compile(rf"({'|'.join(PUBLISHED)})(-rotations)?(?:-(\d+))?")


@dataclass(frozen=True)
class Request:
    """Which set to find, where, and how; made by `request_of`, which checks it."""

    kind: str
    root: Path
    name: str  # of the prepared set
    size: int  # pixels
    seed: int
    extra: tuple[tuple[str, Any], ...] = ()  # further arguments of the kind's `scan`
    expected: Any = None  # what a whole set has; None is the published one

    @property
    def settings(self) -> dict[str, Any]:
        """What the prepared set depends on, as JSON values."""
        extra = {k: str(v) if isinstance(v, Path) else v for k, v in self.extra}
        return {"kind": self.kind, "root": str(self.root), "size": self.size, "seed": self.seed, **extra}

    def scan(self) -> RawSet:
        """Find the set on disk and check that it is whole.

        Raises:
            MissingError: nothing is at the root.
            DataError: the set is not there, not whole, or damaged.
        """
        counts = {} if self.expected is None else {"expected": self.expected}
        module = importlib.import_module(KINDS[self.kind].module)
        found: RawSet = module.scan(self.root, size=self.size, seed=self.seed, **dict(self.extra), **counts)
        return found


def request_of(
    kind: str,
    root: Path,
    *,
    name: str | None = None,
    size: int | None = None,
    seed: int = 0,
    grey: bool = False,
    split: Path | None = None,
    rotations: bool = False,
    expected: Any = None,
) -> Request:
    """Check what was asked for.

    Args:
        kind: one of KINDS; `folder` is for your own pictures.
        root: its folder or zip.
        name: what a folder is called from now on; published sets have names of their own.
        size: pixels of the prepared images; the kind's own unless told.
        seed: of the split, where there is no published one.
        grey: one channel instead of three (folder).
        split: JSON file of the split (folder).
        rotations: turned characters as classes of their own (omniglot).
        expected: what a whole set has, for tests; see the modules' `scan`.

    Raises:
        SpecError: there is no such kind, or it has no such option.
    """
    if kind not in KINDS:
        raise SpecError(f"{kind!r} cannot be prepared; there are: {', '.join(KINDS)}")
    if kind != "folder" and (grey or split):
        raise SpecError("--grey and --split-file are for `folder`: a published set has its own")
    if kind != "omniglot" and rotations:
        raise SpecError("--rotations is for `omniglot`")
    size = KINDS[kind].size if size is None else size
    if not 1 <= size <= LARGEST:
        raise SpecError(f"--size must be from 1 to {LARGEST} pixels, got {size}")
    extra: dict[str, Any] = {}
    if kind == "folder":
        extra = {"grey": grey, "split": None if split is None else split.expanduser().absolute()}
    if kind == "omniglot":
        extra = {"rotations": rotations}
    called = _folder_name(name) if kind == "folder" else _published_name(kind, size, rotations, name)
    return Request(kind, root.expanduser().absolute(), called, size, seed, tuple(extra.items()), expected)


def prepare(
    request: Request, *, replace: bool = False, fill: prepared.Fill | None = None, tell: prepared.Tell | None = None
) -> ImageSet:
    """Check a data set on disk, decode it once into the data cache, and load it.

    Args:
        request: which set, and where.
        replace: make it again, also where it is prepared for other settings.
        fill: decodes the chunks; by default in this process.
        tell: called as images are done.

    Raises:
        RaymamlError: the set is not whole, or prepared for other settings; the text says what to do.
    """
    record = None if replace else prepared.read_record(request.name)
    if record is None:
        prepared.write(request.name, request.scan(), request.settings, fill, tell)
    else:
        _check_same(request.name, record["settings"], request.settings)
    return prepared.load(request.name)


def kind_of(name: str) -> str | None:
    """The published set that is prepared under that name; None for your own pictures."""
    match = _PUBLISHED_NAME.fullmatch(name)
    return match.group(1) if match else None


def how_to(name: str) -> str | None:
    """The command that prepares the published set of that name; None where there is no such set."""
    match = _PUBLISHED_NAME.fullmatch(name)
    if match is None:
        return None
    kind, rotations, size = match.groups()
    options = f"{' --rotations' if rotations else ''}{f' --size {size}' if size else ''}"
    return f"raymaml data prepare {kind} --root DIR{options}"


def _published_name(kind: str, size: int, rotations: bool, name: str | None) -> str:
    called = f"{kind}{'-rotations' if rotations else ''}{'' if size == KINDS[kind].size else f'-{size}'}"
    if name not in (None, called):
        raise SpecError(f"--name is for `folder`: this set is called {called}")
    return called


def _folder_name(name: str | None) -> str:
    if name is None or name == "glyphs" or name in KINDS or how_to(name):
        reserved = ", ".join(["glyphs", *sorted(KINDS)])
        raise SpecError(f"--name must say what to call your pictures, other than {reserved} and their -SIZE")
    return prepared.check_name(name)


def _check_same(name: str, there: dict[str, Any], asked: dict[str, Any]) -> None:
    changed = [f"{k} is {there.get(k)}, asked for {v}" for k, v in asked.items() if there.get(k) != v]
    if changed:
        raise MismatchError(f"{name} is prepared already: {'; '.join(changed)}; --replace makes it again")
