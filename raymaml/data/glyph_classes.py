"""Which characters are classes: distinct drawings only, and look-alikes never in two splits."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from raymaml.data.glyph_likeness import CANVAS, overlap, similarity
from raymaml.data.glyph_render import EM, FACES, GLYPH, Bytes, Floats, fitted, glyph_mask

Ints = npt.NDArray[np.int64]

# Correlation of two drawings (see `similarity`) from which they are one class, and from which two
# classes are of one family, which no split may divide.  By eye on samples of pairs: at 0.90 T and tau,
# at 0.86 capital and small Y, at 0.80 P and p with a tail, at 0.78 f and a dagger, at 0.76 d and a ring
# on a stick, at 0.70 the digits 2 and 3.
SAME, LOOK_ALIKE = 0.88, 0.78
# Shared over joint ink from which two classes are of one family as well: it catches drawings that differ
# in one short stroke only, as M and the Greek San, the copyright and the registered sign.
OVERLAP = 0.60
# Families chain (A like B, B like C): uncapped, one would hold 1,448 of 1,699 classes.  A character
# that would join more than this is left out, so that the others can stay apart: 1,063 in 398 families.
FAMILY_CAP = 12
SHARES = {"base": 0.64, "val": 0.16, "novel": 0.20}  # of the classes

_SMALLEST = 0.28  # longer side in ems below which a mark is punctuation, not a letter
_THICKEST = 2.9  # half a stroke in output pixels above which a glyph is a blob: discs and squares
_NARROWEST = 0.3  # shorter by longer side below which a glyph is a bar: I, l, dashes, long arrows
_SHORTEST = 8  # output pixels of the longest connected piece below which a glyph is dots: colon, therefore
_SKIPPED = (
    (0x2500, 0x25A0),  # box drawing and block elements, and
    (0x2800, 0x2900),  # braille: tables of one pattern, not characters
    (0x3100, 0xA490),  # CJK and Yi, and
    (0xAC00, 0xFB00),  # Hangul to private use: no face has them, and to find that out took 19 s
)
_KINDS = ("Lu", "Ll", "Lo", "Lm", "Nd", "Nl", "No", "Sm", "Sc", "So", "Po", "Ps", "Pi")
# Words that tell two forms of one letter apart, not two letters.
_FORM_WORDS = frozenset(("CAPITAL", "SMALL", "HEAVY", "LIGHT", "BLACK", "WHITE"))


@dataclass(frozen=True)
class Choice:
    """The classes in code point order; `faces[i]` are the faces whose drawing of class i is usable."""

    codes: tuple[int, ...]
    faces: tuple[tuple[str, ...], ...]
    families: tuple[int, ...]  # family number of each class
    splits: dict[str, tuple[int, ...]]  # class indices, ascending


def choose_classes() -> Choice:
    """Choose the classes, their faces and their splits from the installed fonts; about 8 s."""
    codes, drawings = _drawn_candidates()
    kept, families = select(codes, similarity(drawings, drawings), overlap(drawings))
    chosen = tuple(codes[i] for i in kept)
    faces = _usable_faces(chosen, drawings[kept], families)
    splits = split_families(chosen, families)
    return Choice(chosen, faces, tuple(int(f) for f in families), splits)


def candidate_codes() -> Iterator[int]:
    """List the code points that can be a class by their Unicode properties alone.

    Not: marks, spaces, controls, and all that decomposes, which is a styled, wide or ligated form
    of another character or an accented letter.
    """
    for code in range(0x21, 0x10000):
        text = chr(code)
        if any(first <= code < end for first, end in _SKIPPED):
            continue
        if unicodedata.category(text) in _KINDS and unicodedata.normalize("NFKD", text) == text:
            yield code


def canonical(code: int) -> Bytes | None:
    """Draw a character undistorted with the first face that has it: (24, 24); None if none has."""
    masks = (glyph_mask(face, code) for face in FACES)
    mask = next((m for m in masks if m is not None), None)
    return None if mask is None or max(mask.shape) < _SMALLEST * EM else fitted(mask, GLYPH, CANVAS)


def _drawn_candidates() -> tuple[list[int], Bytes]:
    drawn = ((code, canonical(code)) for code in candidate_codes())
    good = [(code, drawing) for code, drawing in drawn if drawing is not None and is_stroke(drawing)]
    return [code for code, _ in good], np.stack([drawing for _, drawing in good])


def is_stroke(drawing: Bytes) -> bool:
    """Tell whether a drawing is made of strokes and has an extent in both directions."""
    ink = np.pad(drawing >= 128, 1)
    sides = sorted((int(ink.any(axis=0).sum()), int(ink.any(axis=1).sum())))
    thickness = float(ndimage.distance_transform_edt(ink).max())
    wide = sides[0] >= _NARROWEST * sides[1] > 0
    return wide and thickness <= _THICKEST and _longest_piece(ink) >= _SHORTEST


def _longest_piece(ink: npt.NDArray[np.bool_]) -> int:
    pieces = ndimage.find_objects(ndimage.label(ink, structure=np.ones((3, 3)))[0])
    return max((side.stop - side.start for piece in pieces for side in piece), default=0)


def select(codes: Sequence[int], alike: Floats, shared: Floats) -> tuple[Ints, Ints]:
    """Select the rows to keep, in order, and give the family number of each.

    In code point order a character is left out when it is the drawing of one that is kept, or when
    it would join a family beyond the cap.  `alike` is a `similarity` and `shared` an `overlap`, (n, n).
    """
    alike = np.maximum(alike, alike.T)
    kin = (alike >= LOOK_ALIKE) | (shared >= OVERLAP)
    bases = np.array([_base_name(code) for code in codes])
    family = np.full(len(codes), -1)
    for i in range(len(codes)):
        earlier = family >= 0
        if (alike[i, earlier] >= SAME).any():
            continue
        near = np.unique(family[earlier & (kin[i] | (bases == bases[i]))])
        joined = np.isin(family, near) & earlier
        if joined.sum() < FAMILY_CAP:
            family[joined] = family[i] = i
    kept = np.flatnonzero(family >= 0)
    return kept, np.unique(family[kept], return_inverse=True)[1]


def _base_name(code: int) -> str:
    """Name the letter without its case, hooks and strokes: its forms are one family however drawn."""
    words = unicodedata.name(chr(code)).split(" WITH ")[0].split()
    return " ".join(word for word in words if word not in _FORM_WORDS)


def _usable_faces(codes: Sequence[int], drawings: Bytes, families: Ints) -> tuple[tuple[str, ...], ...]:
    """Find for each class the faces that draw it so that its own family is the nearest one."""
    masks = [(i, face, glyph_mask(face, code)) for face in FACES for i, code in enumerate(codes)]
    drawn = [(i, face, fitted(mask, GLYPH, CANVAS)) for i, face, mask in masks if mask is not None]
    rows = np.array([i for i, _, _ in drawn])
    alike = similarity(np.stack([drawing for _, _, drawing in drawn]), drawings)
    own = alike[np.arange(len(rows)), rows]
    foreign = np.where(families[rows][:, None] == families[None, :], -1.0, alike).max(axis=1)
    usable = (own >= foreign) & (foreign < SAME)
    faces: list[list[str]] = [[] for _ in codes]
    for (i, face, _), good in zip(drawn, usable, strict=True):
        if good:
            faces[i].append(face)
    return tuple(tuple(f) for f in faces)


def split_families(codes: Sequence[int], families: Ints) -> dict[str, tuple[int, ...]]:
    """Deal whole families to base, val and novel, in the order of a hash of each one's first character."""
    groups = [np.flatnonzero(families == f) for f in range(int(families.max()) + 1)]
    groups.sort(key=lambda g: hashlib.blake2b(f"glyphs/split/{codes[g[0]]}".encode()).digest())
    bounds = np.cumsum(list(SHARES.values())) * len(codes)
    splits: dict[str, list[int]] = {name: [] for name in SHARES}
    placed = 0
    for group in groups:
        name = next((n for n, b in zip(SHARES, bounds, strict=True) if placed < b), "novel")
        splits[name].extend(int(i) for i in group)
        placed += len(group)
    return {name: tuple(sorted(members)) for name, members in splits.items()}
