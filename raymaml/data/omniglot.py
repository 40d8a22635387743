"""Omniglot (Lake et al. 2015): 1,623 handwritten characters of 50 alphabets, 20 drawings of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image, ImageOps

from raymaml.data.fit import Pixels
from raymaml.data.raw import PictureFiles, RawSet, some, split_names
from raymaml.data.tree import open_tree
from raymaml.errors import DataError

DRAWINGS = 20  # of each character
TURNS = {"rot000": 0, "rot090": 90, "rot180": 180, "rot270": 270}  # degrees, by the names that Snell et al. use
# Characters of each alphabet, by the folder that torchvision unpacks it to.
BACKGROUND = {
    "Alphabet_of_the_Magi": 20, "Anglo-Saxon_Futhorc": 29, "Arcadian": 26, "Armenian": 41,
    "Asomtavruli_(Georgian)": 40, "Balinese": 24, "Bengali": 46, "Blackfoot_(Canadian_Aboriginal_Syllabics)": 14,
    "Braille": 26, "Burmese_(Myanmar)": 34, "Cyrillic": 33, "Early_Aramaic": 22, "Futurama": 26, "Grantha": 43,
    "Greek": 24, "Gujarati": 48, "Hebrew": 22, "Inuktitut_(Canadian_Aboriginal_Syllabics)": 16,
    "Japanese_(hiragana)": 52, "Japanese_(katakana)": 47, "Korean": 40, "Latin": 26, "Malay_(Jawi_-_Arabic)": 40,
    "Mkhedruli_(Georgian)": 41, "N_Ko": 33, "Ojibwe_(Canadian_Aboriginal_Syllabics)": 14, "Sanskrit": 42,
    "Syriac_(Estrangelo)": 23, "Tagalog": 17, "Tifinagh": 55,
}  # fmt: skip
EVALUATION = {
    "Angelic": 20, "Atemayar_Qelisayer": 26, "Atlantean": 26, "Aurek-Besh": 26, "Avesta": 26, "Ge_ez": 26,
    "Glagolitic": 45, "Gurmukhi": 45, "Kannada": 41, "Keble": 26, "Malayalam": 47, "Manipuri": 40, "Mongolian": 30,
    "Old_Church_Slavonic_(Cyrillic)": 45, "Oriya": 46, "Sylheti": 28, "Syriac_(Serto)": 23, "Tengwar": 25,
    "Tibetan": 42, "ULOG": 26,
}  # fmt: skip
ALPHABETS = {**BACKGROUND, **EVALUATION}
WHOLE_FOLDERS = {"images_background": BACKGROUND, "images_evaluation": EVALUATION}

# The split of Vinyals et al. (2016) as Snell et al. (2017) published it; the rest is base.
VINYALS_VAL = {"Armenian", "Bengali", "Early_Aramaic", "Hebrew", "Mkhedruli_(Georgian)"}
VINYALS_NOVEL = {
    "Kannada", "Keble", "Malayalam", "Manipuri", "Mongolian", "Old_Church_Slavonic_(Cyrillic)", "Oriya", "Sylheti",
    "Syriac_(Serto)", "Tengwar", "Tibetan", "ULOG",
}  # fmt: skip
# The one alphabet that the published split divides: 41 characters are base, these are novel.
VINYALS_NOVEL_CHARACTERS = {f"Gurmukhi/character{n}" for n in (42, 43, 44, 45)}


def scan(root: Path, *, size: int = 28, seed: int = 0, rotations: bool = False) -> RawSet:
    """Find Omniglot, or a part of it in whole alphabets, under a folder or in a zip.

    Taken are pictures at `.../<Alphabet>/characterNN/*.png`: torchvision's `omniglot-py`, the published
    zips, or the alphabets alone. With all 50 alphabets the split is Vinyals'; else whole alphabets are
    dealt for `seed`, so that novel characters come from scripts not trained on. With `rotations` each
    character makes four classes of its split, turned by 0, 90, 180 and 270 degrees (Santoro et al. 2016).

    Raises:
        MissingError: nothing is at `root`.
        DataError: there are no such pictures, or alphabets, characters or drawings are missing.
    """
    tree = open_tree(root)
    classes, folders = _group(tree.names())
    if not classes:
        raise DataError(f"{tree.root} holds no Omniglot: expected ALPHABET/characterNN/*.png in it, at any depth")
    _check(tree.root, classes, folders)
    splits, rule = _split(sorted(classes), seed)
    if rotations:
        splits = {s: [f"{name}/{turn}" for name in part for turn in TURNS] for s, part in splits.items()}
        classes = {f"{c}/{t}": [f"{t}/{file}" for file in files] for c, files in classes.items() for t in TURNS}
    return RawSet(
        pictures=TurnedFiles(tree) if rotations else PictureFiles(tree),
        classes=classes,
        splits=splits,
        fit=lambda picture: white_on_black(picture, size),
        channels=1,
        size=size,
        mean=(0.0,),
        std=(1.0,),
        split_rule=rule,
    )


class TurnedFiles(PictureFiles):
    """Pictures named TURN/PATH."""

    def sizes(self, names: Sequence[str]) -> list[int]:
        """The sizes of the files."""
        return super().sizes([name.partition("/")[2] for name in names])

    def load(self, name: str) -> tuple[Image.Image, bytes]:
        """Read, decode and turn one file."""
        turn, _, path = name.partition("/")
        picture, raw = super().load(path)
        return picture.rotate(TURNS[turn], expand=True), raw


def white_on_black(picture: Image.Image, size: int) -> Pixels:
    """Shrink a black drawing on white and invert it, as glyphs are: (1, size, size).

    Lanczos, as Finn et al. (2017) in `resize_images.py` of their code.
    """
    grey = ImageOps.invert(picture.convert("L")).resize((size, size), Image.Resampling.LANCZOS)
    return np.asarray(grey, dtype=np.uint8)[None]


def _group(names: Sequence[str]) -> tuple[dict[str, list[str]], set[str]]:
    """Files by `Alphabet/characterNN`, and the names of the folders above the alphabets."""
    classes: dict[str, list[str]] = {}
    folders: set[str] = set()
    for name in names:
        parts = PurePosixPath(name).parts
        if len(parts) >= 3 and parts[-1].endswith(".png") and parts[-2].startswith("character"):
            classes.setdefault(f"{parts[-3]}/{parts[-2]}", []).append(name)
            folders.update(parts[-4:-3])
    return dict(sorted(classes.items())), folders


def _check(root: Path, classes: Mapping[str, Sequence[str]], folders: set[str]) -> None:
    there = {name.split("/")[0] for name in classes}
    unknown = sorted(there - ALPHABETS.keys())
    if unknown:
        raise DataError(f"{root} holds {some(unknown)}: not of Omniglot; prepare your own pictures as `folder`")
    expected = there.union(*(alphabets for name, alphabets in WHOLE_FOLDERS.items() if name in folders))
    _refuse_missing(root, "alphabets", sorted(expected - there), len(expected))
    wanted = [f"{a}/character{n:02}" for a in sorted(there) for n in range(1, ALPHABETS[a] + 1)]
    _refuse_missing(root, "characters", [name for name in wanted if name not in classes], len(wanted))
    wrong = [f"{name} ({len(files)})" for name, files in classes.items() if len(files) != DRAWINGS]
    if wrong or len(classes) != len(wanted):
        wrong = wrong or sorted(classes.keys() - set(wanted))
        raise DataError(f"{root}: each character has {DRAWINGS} drawings, not so {some(wrong)}; get the set again")


def _refuse_missing(root: Path, what: str, missing: Sequence[str], of: int) -> None:
    if missing:
        raise DataError(f"{root} lacks {len(missing)} of {of} {what}: {some(missing)}; get the set again")


def _split(names: Sequence[str], seed: int) -> tuple[dict[str, list[str]], str]:
    alphabet = {name: name.split("/")[0] for name in names}
    there = set(alphabet.values())
    if there == ALPHABETS.keys():
        novel = [n for n in names if alphabet[n] in VINYALS_NOVEL or n in VINYALS_NOVEL_CHARACTERS]
        val = [n for n in names if alphabet[n] in VINYALS_VAL]
        base = sorted(set(names) - set(val) - set(novel))
        return {"base": base, "val": val, "novel": novel}, "Vinyals et al. 2016"
    if len(there) < 3:
        raise DataError(f"Omniglot's {some(sorted(there))} alone cannot be split: base, val and novel need one each")
    dealt = split_names(sorted(there), "omniglot", seed, least=1)
    return {s: [n for n in names if alphabet[n] in part] for s, part in dealt.items()}, f"whole alphabets, seed {seed}"
