"""The embedded glyphs: enough classes, distinct ones, no look-alike in two splits, the same bytes always."""

from __future__ import annotations

import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from raymaml.data import glyph_classes, glyph_likeness, glyph_render, glyphs
from raymaml.data.cache import cache_path
from raymaml.data.glyph_classes import Choice
from raymaml.data.imageset import SPLITS, ImageSet
from raymaml.errors import MissingError

PER_CLASS = 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("glyphs")


@pytest.fixture(scope="module")
def built(folder: Path) -> ImageSet:
    """The one full build of this module, 16 s of one quiet core."""
    return glyphs.load_glyphs(folder)


@pytest.fixture(scope="module")
def choice() -> Choice:
    """The classes chosen a second time, 8 s, apart from the build."""
    return glyph_classes.choose_classes()


@pytest.fixture(scope="module")
def codes(built: ImageSet) -> list[int]:
    return [int(name.split()[0][2:], 16) for name in built.class_names]


@pytest.fixture(scope="module")
def split_of(built: ImageSet) -> np.ndarray:
    out = np.full(len(built.class_names), -1)
    for number, name in enumerate(SPLITS):
        out[list(built.splits[name])] = number
    return out


def test_shape_type_and_counts(built: ImageSet) -> None:
    classes = len(built.class_names)
    assert classes >= 1000
    assert built.images.shape == (classes * PER_CLASS, 1, 28, 28)
    assert built.images.dtype == np.uint8
    assert built.labels.dtype == np.int64
    assert np.bincount(built.labels).tolist() == [PER_CLASS] * classes
    assert (built.name, built.mean, built.std) == ("glyphs", (0.0,), (1.0,))


def test_splits_cover_every_class_once_in_the_wanted_shares(built: ImageSet) -> None:
    assert tuple(built.splits) == SPLITS
    members = [i for name in SPLITS for i in built.splits[name]]
    assert sorted(members) == list(range(len(built.class_names)))
    shares = [len(built.splits[name]) / len(members) for name in SPLITS]
    np.testing.assert_allclose(shares, [0.64, 0.16, 0.20], atol=0.015)


def test_names_say_code_point_and_character(built: ImageSet) -> None:
    assert "U+0416 CYRILLIC CAPITAL LETTER ZHE" in built.class_names
    assert len(set(built.class_names)) == len(built.class_names)


def test_no_pair_looks_alike_by_the_criterion(choice: Choice, codes: list[int], split_of: np.ndarray) -> None:
    drawings = np.stack([glyph_classes.canonical(code) for code in codes])
    alike = glyph_likeness.similarity(drawings, drawings)
    alike = np.maximum(alike, alike.T)
    np.fill_diagonal(alike, -1)
    assert alike.max() < glyph_classes.SAME
    apart = split_of[:, None] != split_of[None, :]
    assert alike[apart].max() < glyph_classes.LOOK_ALIKE
    assert glyph_likeness.overlap(drawings)[apart].max() < glyph_classes.OVERLAP
    families = np.array(choice.families)
    assert all(len(set(split_of[families == f])) == 1 for f in set(choice.families))
    assert np.bincount(families).max() <= glyph_classes.FAMILY_CAP


def _large_ink(code: int) -> np.ndarray:
    """A tight crop drawn from the font anew: longer side 32, centred on 36×36, binary."""
    masks = (glyph_render.glyph_mask(face, code) for face in glyph_render.FACES)
    mask = next(m for m in masks if m is not None)
    image = Image.fromarray(mask)
    image.thumbnail((32, 32), Image.Resampling.LANCZOS)
    sheet = Image.new("L", (36, 36))
    sheet.paste(image, ((36 - image.width) // 2, (36 - image.height) // 2))
    return np.asarray(sheet) > 100


def test_no_pair_of_two_splits_covers_the_same_ink(codes: list[int], split_of: np.ndarray) -> None:
    # Independent of the criterion: larger, sharp, and each pair shifted by up to a pixel.
    ink = np.stack([_large_ink(code) for code in codes]).astype(np.float32)
    flat, area = ink.reshape(len(ink), -1), ink.sum(axis=(1, 2))
    worst = np.zeros((len(ink), len(ink)))
    for rows in (-1, 0, 1):
        for columns in (-1, 0, 1):
            moved = np.roll(ink, (rows, columns), axis=(1, 2)).reshape(len(ink), -1)
            shared = flat @ moved.T
            worst = np.maximum(worst, shared / (area[:, None] + area[None, :] - shared))
    assert np.diag(worst).min() == 1
    assert worst[split_of[:, None] != split_of[None, :]].max() < 0.70  # measured 0.64


@pytest.mark.parametrize(
    "group",
    ["AΑАᎪ", "BΒВ", "OoΟοОоՕօ〇߀", "XxΧХх", "PpΡрР", "KkΚκКк", "SsЅѕ", "vνѵ", "ЖжӁ", "ⲞO", "AⒶＡ𝐀", "∑Σ"],
)
def test_confusable_characters_are_never_in_two_splits(codes: list[int], split_of: np.ndarray, group: str) -> None:
    present = [codes.index(ord(c)) for c in group if ord(c) in codes]
    assert len({int(split_of[i]) for i in present}) <= 1


@pytest.mark.parametrize("group", ["AΑА", "OoΟοОо", "XxΧХх", "SsЅѕ", "EΕЕ", "HΗН", "KΚ"])
def test_the_same_drawing_is_one_class(codes: list[int], group: str) -> None:
    assert sum(ord(c) in codes for c in group) == 1


def test_no_marks_spaces_controls_or_styled_forms(codes: list[int]) -> None:
    for code in codes:
        assert unicodedata.category(chr(code))[0] in "LNSP"
        assert unicodedata.normalize("NFKD", chr(code)) == chr(code)


def test_every_class_is_in_the_character_map_of_its_faces(choice: Choice) -> None:
    # A missing character is drawn as a box: the tables of the font files say which are missing.
    ttlib = pytest.importorskip("fontTools.ttLib")
    folder = glyph_render.font_folder()
    maps = {f: ttlib.TTFont(folder / f"{f}.ttf").getBestCmap() for f in glyph_render.FACES}
    for code, faces in zip(choice.codes, choice.faces, strict=True):
        assert faces
        assert all(code in maps[face] for face in faces)


def test_a_missing_character_and_a_blank_have_no_mask() -> None:
    assert glyph_render.glyph_mask("DejaVuSans", 0x4E00) is None
    assert glyph_render.glyph_mask("DejaVuSans", 0x2800) is None  # braille blank: covered, no ink
    assert glyph_render.glyph_mask("DejaVuSans", ord("A")) is not None


def test_dots_bars_and_blobs_are_not_classes(codes: list[int]) -> None:
    assert not {ord(c) for c in ".·:∴…-—|Il●■"} & set(codes)


def test_every_image_has_ink_and_is_not_cut_off(built: ImageSet) -> None:
    images = built.images[:, 0].astype(np.float64) / 255
    ink = images.sum(axis=(1, 2))
    assert ink.min() > 12  # measured 18.4
    assert ink.max() < 0.5 * 28 * 28  # measured 359
    assert images.max(axis=(1, 2)).min() > 0.75  # measured 0.90
    border = images[:, [0, -1]].sum(axis=(1, 2)) + images[:, :, [0, -1]].sum(axis=(1, 2))
    assert border.max() < 9  # measured 6.0: one edge of a square
    assert (border > 1).mean() < 0.01


def test_images_of_a_class_differ_and_still_are_one_drawing(built: ImageSet) -> None:
    images = built.images.reshape(-1, PER_CLASS, 784).astype(np.float64)
    assert len({image.tobytes() for image in built.images}) == len(built.images)
    images -= images.mean(axis=2, keepdims=True)
    images /= np.linalg.norm(images, axis=2, keepdims=True)
    mean = images.mean(axis=1)
    within = np.square(mean).sum(axis=1).mean()
    between = (mean @ mean.T)[~np.eye(len(mean), dtype=bool)].mean()
    assert within > between + 0.15  # measured 0.44 and 0.22


def test_five_way_one_shot_is_neither_trivial_nor_hopeless(built: ImageSet) -> None:
    # Nearest neighbour on pixels: chance is 0.20, measured 0.59.
    images, rng = built.images.reshape(-1, PER_CLASS, 784).astype(np.float32), np.random.default_rng(0)
    hits = []
    for _ in range(300):
        task = images[rng.choice(built.splits["novel"], 5, replace=False)]
        task = task[:, rng.permutation(PER_CLASS)]
        distance = np.square(task[:, 1:, None] - task[None, None, :, 0]).sum(axis=-1)
        hits.append((distance.argmin(axis=-1) == np.arange(5)[:, None]).mean())
    assert 0.45 < np.mean(hits) < 0.75


def test_choosing_again_gives_the_same_classes_and_splits(built: ImageSet, choice: Choice) -> None:
    assert tuple(glyphs.class_name(code) for code in choice.codes) == built.class_names
    assert {k: tuple(v) for k, v in built.splits.items()} == choice.splits


def test_drawing_again_gives_the_same_bytes(built: ImageSet, choice: Choice) -> None:
    for row in reversed(range(0, len(choice.codes), 40)):  # in another order: no state is carried over
        again = glyph_render.draw_class(choice.codes[row], choice.faces[row], PER_CLASS)
        assert again.tobytes() == built.images[row * PER_CLASS : (row + 1) * PER_CLASS].tobytes()


def test_random_numbers_are_pinned() -> None:
    # Philox's raw words are the same in every NumPy and on every machine.
    first = glyph_render.uniforms(ord("A"), 0)
    assert first[:3].tolist() == [0.6396093735171864, -0.5400719614598651, -0.22540188747659962]
    assert not np.array_equal(first, glyph_render.uniforms(ord("A"), 1))
    assert first.min() >= -1
    assert first.max() < 1


def test_second_load_reads_the_cache(built: ImageSet, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glyphs, "build_arrays", lambda: pytest.fail("built again"))
    assert glyphs.load_glyphs(folder).digest == built.digest


def test_damaged_cache_is_built_again(
    built: ImageSet, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = glyph_render.renderer_key()
    good = cache_path(folder, "glyphs", key).read_bytes()
    cache_path(tmp_path, "glyphs", key).write_bytes(good[: len(good) // 2])
    monkeypatch.setattr(glyphs, "build_arrays", lambda: _arrays_of(built))
    assert glyphs.load_glyphs(tmp_path).digest == built.digest
    assert cache_path(tmp_path, "glyphs", key).read_bytes() != good[: len(good) // 2]


def test_folder_that_cannot_be_written_is_no_error(
    built: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(glyphs, "build_arrays", lambda: _arrays_of(built))
    assert glyphs.load_glyphs(tmp_path / "file" / "cache").digest == built.digest


def _arrays_of(built: ImageSet) -> dict[str, np.ndarray]:
    split_of = np.zeros(len(built.class_names), dtype=np.int64)
    for number, name in enumerate(SPLITS):
        split_of[list(built.splits[name])] = number
    codes = np.array([int(name.split()[0][2:], 16) for name in built.class_names])
    return {"images": built.images, "codes": codes, "split_of": split_of}


def test_another_renderer_version_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    key = glyph_render.renderer_key()
    monkeypatch.setattr(glyph_render, "RENDERER_VERSION", glyph_render.RENDERER_VERSION + 1)
    assert glyph_render.renderer_key() != key


def test_missing_fonts_are_a_missing_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glyph_render.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingError, match="reinstall matplotlib"):
        glyph_render.font_folder()


@pytest.mark.usefixtures("built")
def test_import_is_light_and_matplotlib_is_never_imported(folder: Path) -> None:
    program = (
        "import sys, pathlib; import raymaml.data.glyphs as g\n"
        "print(sorted({'scipy', 'PIL', 'torch', 'matplotlib'} & set(sys.modules)))\n"
        "g.load_glyphs(pathlib.Path(sys.argv[1]))\n"
        "print(sorted({'torch', 'matplotlib'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]
