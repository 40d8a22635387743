"""Draws one character as a 28×28 image: a font outline, bent and thickened as a hand would."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFont, features
from scipy import ndimage

from raymaml.errors import MissingError

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

RENDERER_VERSION = 1  # raise it with any change to a pixel: it keys the random numbers and the cache
SIDE = 28  # pixels of an image's side
GLYPH = 20  # pixels of the longer side of an undistorted character
EM = 96  # font size of the source drawing: a letter is about 70 pixels high, 3.5 per output pixel

# Upright faces only: an oblique is a shear, which every image has anyway, and a true italic draws
# some letters as others (Cyrillic te as Latin m).  The first face that has a character names its shape.
FACES = (
    "DejaVuSans",
    "DejaVuSerif",
    "DejaVuSansMono",
    "STIXGeneral",
    "DejaVuSans-Bold",
    "DejaVuSerif-Bold",
    "DejaVuSansMono-Bold",
    "STIXGeneralBol",
)

_MISSING = chr(0x10FFFD)  # a private code point that no face maps: it draws the .notdef box
_KNOTS = 4  # the elastic field has 4×4 control points, one per 7 pixels: it bends whole strokes
_DRAWS = 8 + 2 * _KNOTS * _KNOTS  # random numbers per image; one of the eight is spare
_FINE = 2 * SIDE  # drawn at twice the size and averaged 2×2
_MARGIN = 13.8  # half the canvas less a trace: no ink is cut off
_SPREAD = 1.2  # what bending and thickening add to the extent of a character, nearly always


def font_folder() -> Path:
    """Find the folder of fonts inside the installed matplotlib, which is not imported.

    Raises MissingError where matplotlib is not installed or a face is not in it.
    """
    spec = importlib.util.find_spec("matplotlib")
    places = list(spec.submodule_search_locations or ()) if spec else []
    for place in places:
        folder = Path(place, "mpl-data", "fonts", "ttf")
        if all((folder / f"{face}.ttf").is_file() for face in FACES):
            return folder
    raise MissingError("the fonts of matplotlib were expected and not found; reinstall matplotlib>=3.9")


def renderer_key() -> str:
    """Name all that a pixel depends on: renderer version, font files and the libraries that draw."""
    files = (font_folder() / f"{face}.ttf" for face in FACES)
    fonts = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    libraries = [(name, version(name)) for name in ("matplotlib", "pillow", "scipy")]
    return f"{RENDERER_VERSION} {fonts} {libraries} freetype {features.version('freetype2')}"


@cache
def _font(face: str) -> ImageFont.FreeTypeFont:
    path = str(font_folder() / f"{face}.ttf")
    return ImageFont.truetype(path, EM, layout_engine=ImageFont.Layout.BASIC)


def _raw_mask(face: str, text: str) -> tuple[tuple[int, int], bytes]:
    mask = _font(face).getmask(text, mode="L")
    return mask.size, bytes(mask)


@cache
def _notdef(face: str) -> tuple[tuple[int, int], bytes]:
    return _raw_mask(face, _MISSING)


def glyph_mask(face: str, code: int) -> Bytes | None:
    """Draw the ink of a character in a face, cropped to it: (height, width), 255 is ink, EM-sized.

    None where the face has no such character or it leaves no ink.
    """
    raw = _raw_mask(face, chr(code))
    (width, height), data = raw
    if raw == _notdef(face) or not data:
        return None
    mask = np.frombuffer(data, dtype=np.uint8).reshape(height, width)
    rows, columns = (np.flatnonzero((mask >= 128).any(axis=a)) for a in (1, 0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else None


def fitted(mask: Bytes, box: int, canvas: int) -> Bytes:
    """Scale a mask to `box` pixels on its longer side and centre it: (canvas, canvas)."""
    scale = box / max(mask.shape)
    height, width = (max(1, round(n * scale)) for n in mask.shape)
    # Pillow resizes bytes in fixed-point arithmetic: the same on every machine.
    small = Image.fromarray(mask).resize((width, height), Image.Resampling.BOX)
    top, left = (canvas - height) // 2, (canvas - width) // 2
    out = np.zeros((canvas, canvas), dtype=np.uint8)
    out[top : top + height, left : left + width] = np.asarray(small)
    return out


def distance_field(mask: Bytes) -> Floats:
    """Measure the signed distance to the outline, positive in the ink, in source pixels; padded by 8."""
    ink = np.pad(mask >= 128, 8)
    inside, outside = ndimage.distance_transform_edt(ink), ndimage.distance_transform_edt(~ink)
    return np.asarray(inside - outside, dtype=np.float64)


def uniforms(code: int, image: int) -> Floats:
    """Draw the random numbers of one image, in [-1, 1): a pure function of version, character and number.

    Raw words of a counter-based generator, so that no NumPy release can change them.
    """
    name = f"glyphs/{RENDERER_VERSION}/{code}/{image}".encode()
    key = int.from_bytes(hashlib.blake2b(name, digest_size=16).digest(), "little")
    words = np.random.Philox(key=key).random_raw(_DRAWS)
    return np.asarray(words, dtype=np.float64) * 2.0**-63 - 1.0


def draw_class(code: int, faces: Sequence[str], count: int) -> Bytes:
    """Draw `count` images of a character, its faces taking turns: (count, 28, 28)."""
    images = np.zeros((count, SIDE, SIDE), dtype=np.uint8)
    for k, face in enumerate(faces):
        mask, numbers = glyph_mask(face, code), range(k, count, len(faces))
        if mask is not None and numbers:
            images[k :: len(faces)] = draw(mask, code, numbers)
    return images


def draw(mask: Bytes, code: int, images: Sequence[int]) -> Bytes:
    """Draw the given image numbers of a character from one face's mask: (len(images), 28, 28)."""
    field, scale = distance_field(mask), max(mask.shape) / GLYPH  # source pixels per output pixel
    return np.stack([_draw_one(field, scale, uniforms(code, image)) for image in images])


def _draw_one(field: Floats, scale: float, u: Floats) -> Bytes:
    matrix, shift = _affine(u, np.array(field.shape) - 16, scale)
    grid = (np.arange(_FINE) - (_FINE - 1) / 2) / 2  # output pixels from the centre
    where = np.stack(np.meshgrid(grid, grid, indexing="ij")) - shift[:, None, None] - _bend(u)
    source = np.tensordot(np.linalg.inv(matrix) * scale, where, axes=1)
    source += (np.array(field.shape)[:, None, None] - 1) / 2
    distance = ndimage.map_coordinates(field, source, order=1, mode="constant", cval=-99.0)
    growth = np.sqrt(np.linalg.det(matrix)) / scale  # output pixels per source pixel of distance
    ink = np.clip((distance * growth + _thickening(field, growth, u[5])) * 2 + 0.5, 0, 1)
    coarse = ink.reshape(SIDE, 2, SIDE, 2).mean(axis=(1, 3))
    return np.asarray(np.rint(coarse * 255), dtype=np.uint8)


def _affine(u: Floats, extent: npt.NDArray[np.int64], scale: float) -> tuple[Floats, Floats]:
    """Turn ±12°, shear ±0.2, size 0.8 to 1.1, aspect ±8 % and shift ±2 pixels, kept on the canvas."""
    angle, shear = np.deg2rad(12) * u[0], 0.2 * u[1]
    size, aspect = 0.95 + 0.15 * u[2], 1 + 0.08 * u[6]
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = size * turn @ np.array([[aspect, 0], [shear, 1 / aspect]])
    reach = np.abs(matrix) @ (extent / scale / 2) + _SPREAD
    fit = min(1.0, float(_MARGIN / reach.max()))
    room = np.minimum(2.0, _MARGIN - fit * reach)
    return fit * matrix, room * u[3:5]


def _thickening(field: Floats, growth: float, u: float) -> float:
    """Add -0.15 to 0.45 output pixels to both sides of a stroke, and let none be thinner than 1.2."""
    return float(max(0.15 + 0.3 * u, 0.6 - field.max() * growth))


@cache
def _basis() -> Floats:
    """Tabulate quadratic B-splines: rows are fine pixels, columns are control points."""
    knots = np.linspace(0, _FINE - 1, _KNOTS)
    x = np.abs(np.arange(_FINE)[:, None] - knots) / (knots[1] - knots[0])
    return np.where(x < 0.5, 0.75 - x**2, np.where(x < 1.5, (1.5 - x) ** 2 / 2, 0.0))


def _bend(u: Floats) -> Floats:
    """Make a smooth displacement in output pixels, (2, 56, 56): 0.5 in the mean square, at most 1.6."""
    control = 1.6 * u[8:].reshape(2, _KNOTS, _KNOTS)
    return np.asarray(_basis() @ control @ _basis().T)
