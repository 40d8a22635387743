"""Real data sets, from tiny copies in their true layout: prepared, loaded, trained on, or refused with one line."""

import json
import os
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from raymaml import data
from raymaml.data import omniglot, prepared
from raymaml.errors import DataError, MismatchError, MissingError, SpecError

REAL = Path(__file__).parents[3] / "shared" / "data" / "omniglot_background_small1.zip"
SMALL = ("Blackfoot_(Canadian_Aboriginal_Syllabics)", "Ojibwe_(Canadian_Aboriginal_Syllabics)", "Tagalog")


pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def alphabets(tmp_path) -> Path:
    """Three alphabets as Omniglot has them: 105 pixels, one bit, black strokes on white."""
    drawing = np.full((105, 105), 255, np.uint8)
    drawing[40:60, 10:90] = 0
    Image.fromarray(drawing).convert("1").save(tmp_path / "one.png")
    for alphabet in SMALL:
        for n in range(1, omniglot.ALPHABETS[alphabet] + 1):
            folder = tmp_path / "letters" / alphabet / f"character{n:02}"
            folder.mkdir(parents=True)
            for i in range(1, 21):
                os.link(tmp_path / "one.png", folder / f"{n:04}_{i:02}.png")
    return tmp_path / "letters"


@pytest.fixture
def birds(tmp_path) -> Path:
    """Seven classes of 18 pictures of any shape, each class of one colour."""
    for c in range(7):
        (tmp_path / "birds" / f"bird{c}").mkdir(parents=True)
        for i in range(18):
            picture = Image.new("RGB", (40 + i, 30), (30 * c, 250 - 30 * c, 10 * i))
            picture.save(tmp_path / "birds" / f"bird{c}" / f"{i}.{'png' if i % 2 else 'jpg'}")
    return tmp_path / "birds"


def zipped(folder, path, top=""):
    with zipfile.ZipFile(path, "w") as file:
        for name in sorted(folder.rglob("*.png")):
            file.write(name, top + name.relative_to(folder).as_posix())
    return path


def test_omniglot_is_prepared_loaded_and_trained_on(prepare, train, alphabets):
    found = prepare("omniglot", alphabets)
    assert found.images.shape == (45 * 20, 1, 28, 28)
    assert found.images[0][0, 13, 14] > 250, "strokes are white"
    assert found.images[0][0, 2, 2] == 0, "the ground is black"
    used = [{found.class_names[c].split("/")[0] for c in part} for part in found.splits.values()]
    assert sorted(map(len, used)) == [1, 1, 1]
    assert set.union(*used) == set(SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert train(data.load("omniglot")).tasks == 2


def test_a_zip_and_a_folder_hold_the_same_set(prepare, alphabets, tmp_path):
    folder = prepare("omniglot", alphabets).digest
    path = zipped(alphabets, tmp_path / "a.zip", "images_background_small/")
    assert prepare("omniglot", path, replace=True).digest == folder


def test_all_alphabets_have_the_published_split():
    names = [f"{a}/character{n:02}" for a, count in omniglot.ALPHABETS.items() for n in range(1, count + 1)]
    splits, _ = omniglot._split(sorted(names), 0)
    assert {s: len(part) for s, part in splits.items()} == {"base": 1028, "val": 172, "novel": 423}
    assert (sum(omniglot.BACKGROUND.values()), sum(omniglot.EVALUATION.values())) == (964, 659)


@pytest.mark.skipif(not REAL.is_file(), reason="the real part of Omniglot is not here")
def test_the_real_part_of_omniglot(prepare):
    found = prepare("omniglot", REAL)
    assert len(found.images) == 136 * 20
    assert len(found.class_names) == 136
    share = (found.images[:] > 127).mean()
    assert 0.02 < share < 0.2, "white strokes on black"


def test_an_own_folder_is_prepared_loaded_and_trained_on(prepare, train, birds):
    found = prepare("folder", birds, name="birds", size=28)
    assert found.images.shape == (7 * 18, 3, 28, 28)
    assert {s: len(part) for s, part in found.splits.items()} == {"base": 3, "val": 2, "novel": 2}
    assert data.load("birds").digest == found.digest
    assert train(found, way=2).tasks == 2


def test_a_split_file_decides(prepare, birds, tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"base": ["bird6", "bird1"], "val": ["bird2", "bird3"], "novel": ["bird4", "bird0"]}))
    found = prepare("folder", birds, name="birds", size=28, split=path, grey=True)
    assert found.images.shape == (6 * 18, 1, 28, 28)
    assert [found.class_names[c] for c in found.splits["novel"]] == ["bird0", "bird4"]


def truncated(root):
    path = next(root.rglob("*0*.png")) if root.name == "letters" else root / "bird1" / "3.png"
    raw = path.read_bytes()
    path.unlink()  # the fixture's files share one inode
    path.write_bytes(raw[: len(raw) // 2])


@pytest.mark.parametrize(
    ("kind", "harm", "text"),
    [
        ("omniglot", truncated, r"letters/?.* is no whole picture|\.png in .* is no whole picture"),
        ("omniglot", lambda r: next((r / "Tagalog" / "character03").iterdir()).unlink(), r"Tagalog/character03 \(19\)"),
        ("omniglot", lambda r: (r / "Tagalog" / "character17").rename(r / "x"), "lacks 1 of 45 characters: Tagalog/"),
        ("omniglot", lambda r: (r / "Tagalog").rename(r / "Klingon"), "holds Klingon: not of Omniglot"),
        ("omniglot", lambda r: (r / "Tagalog").rename(r.parent / "x"), "alone cannot be split"),
        ("folder", truncated, "bird1/3.png in .* is no whole picture"),
        ("folder", lambda r: [(r / "bird2" / f"{i}.jpg").unlink() for i in (0, 2, 4)], r"bird2 \(15\)"),
        ("folder", lambda r: [(r / f"bird{i}").rename(r.parent / f"b{i}") for i in (0, 1)], "5 are too few to split"),
    ],
)
def test_a_set_that_is_not_whole_is_refused_and_leaves_nothing(prepare, kind, harm, text, request, cache):
    root = request.getfixturevalue("alphabets" if kind == "omniglot" else "birds")
    harm(root)
    name = None if kind == "omniglot" else "birds"
    with pytest.raises(DataError, match=text) as caught:
        prepare(kind, root, name=name, size=28)
    assert "\n" not in str(caught.value)
    assert not cache.exists() or list(cache.iterdir()) == []


def test_a_whole_published_folder_must_hold_all_its_alphabets(prepare, alphabets, tmp_path):
    alphabets.rename(tmp_path / "images_background")
    with pytest.raises(DataError, match="lacks 27 of 30 alphabets: .* and 24 more"):
        prepare("omniglot", tmp_path / "images_background" / "..")


@pytest.mark.parametrize("name", ["../evil/character01/1.png", "/evil/1.png", "a\\..\\..\\b.png"])
def test_a_path_that_leaves_the_zip_is_refused(prepare, name, tmp_path, cache):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(name, b"x")
    with pytest.raises(DataError, match="leaves the zip"):
        prepare("omniglot", tmp_path / "a.zip")
    assert not cache.exists()


def test_a_link_out_of_the_folder_is_refused(prepare, birds, tmp_path):
    (birds / "bird0" / "1.png").rename(tmp_path / "out.png")
    (birds / "bird0" / "1.png").symlink_to(tmp_path / "out.png")
    with pytest.raises(DataError, match="leads out of"):
        prepare("folder", birds, name="birds", size=28)


def test_the_same_again_is_at_hand_and_other_settings_are_refused(prepare, birds):
    first = prepare("folder", birds, name="birds", size=28)
    assert prepare("folder", birds, name="birds", size=28).digest == first.digest
    with pytest.raises(MismatchError, match="size is 28, asked for 32; --replace"):
        prepare("folder", birds, name="birds", size=32)
    assert prepare("folder", birds, name="birds", size=32, replace=True).images.shape[-1] == 32


def test_a_replacement_leaves_one_set_of_pixels(prepare, birds, cache):
    prepare("folder", birds, name="birds", size=28)
    prepare("folder", birds, name="birds", size=32, replace=True)
    assert [path.name for path in cache.iterdir()] == ["birds.zarr"]


@pytest.mark.parametrize("name", ["nope", "../x", ""])
def test_an_unknown_set(name):
    with pytest.raises(MissingError, match="no data set"):
        data.load(name)


def test_a_known_set_that_is_not_prepared_says_how():
    with pytest.raises(MissingError, match="raymaml data prepare omniglot --root DIR"):
        data.load("omniglot")


@pytest.mark.parametrize("name", [None, "glyphs", "omniglot", "../x", "a/b"])
def test_a_name_that_cannot_be(prepare, name, birds):
    with pytest.raises(SpecError, match="name"):
        prepare("folder", birds, name=name)


def test_a_folder_that_is_still_written_into_is_removed_all_the_same(tmp_path, monkeypatch):
    folder, left = tmp_path / "partial", ["late chunk", "later chunk"]
    folder.mkdir()
    remove = prepared.shutil.rmtree

    def meanwhile_written(path, ignore_errors=False):
        if not left:
            return remove(path)
        (path / left.pop()).touch()
        if not ignore_errors:
            raise OSError(39, "Directory not empty", str(path))

    monkeypatch.setattr(prepared.shutil, "rmtree", meanwhile_written)
    prepared._remove(folder)
    assert not folder.exists()
