import json
import re
from pathlib import Path

import numpy as np
import pytest
from data.published import make_cub
from PIL import Image

from raymaml.data import prepared

REAL = Path(__file__).parents[3] / "shared" / "data" / "omniglot_background_small1.zip"


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """Six classes of sixteen pictures, and a cache of its own."""
    monkeypatch.setenv("RAYMAML_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for c in "abcdef":
        folder = tmp_path / "birds" / c
        folder.mkdir(parents=True)
        for i in range(16):
            Image.fromarray(rng.integers(0, 255, (20, 30, 3), np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "birds"


def prepare(command, root, *more):
    return command("data", "prepare", "folder", "--root", root, "--name", "birds", "--size", "16", *more)


def test_prepared_pictures_are_listed_and_shown(command, pictures, tmp_path):
    assert "birds" not in command("data", "list").out
    ran = prepare(command, pictures)
    assert ran.code == 0, ran.err
    assert ran.out == "birds: 96 images, classes: base 2, val 2, novel 2; use it with --data birds\n"
    listed = command("data", "list").out
    assert "birds: your own pictures\n  prepared here at 16 pixels: --data birds\n" in listed
    assert re.search(r"^omniglot: .*\n  not prepared here$", listed, flags=re.MULTILINE)
    shown = command("data", "show", "birds", "--way", "2", "--query", "3", "--out", tmp_path / "sheets")
    assert shown.code == 0, shown.err
    assert len(shown.out.splitlines()) == 2


def test_other_settings_are_refused_until_replaced(command, pictures):
    assert prepare(command, pictures).code == 0
    again = prepare(command, pictures, "--grey")
    assert again.code == 2
    assert "birds is prepared already: grey is False, asked for True; --replace makes it again" in again.err
    assert prepare(command, pictures, "--grey", "--replace").code == 0


def test_a_truncated_picture_leaves_nothing_prepared(command, pictures, tmp_path):
    broken = pictures / "c" / "3.png"
    broken.write_bytes(broken.read_bytes()[:100])
    ran = prepare(command, pictures)
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert "c/3.png" in ran.err
    assert not list((tmp_path / "cache" / "prepared").iterdir())


def test_a_prepared_set_is_checked(command, pictures, tmp_path):
    assert prepare(command, pictures).code == 0
    ran = command("data", "check", "birds")
    assert re.fullmatch(r"birds: 96 images are as prepared; digest [0-9a-f]{64}\n", ran.out)
    chunk = tmp_path / "cache" / "prepared" / "birds.zarr" / "images" / "c" / "0" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"\x07")
    ran = command("data", "check", "birds")
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert "birds.zarr is damaged" in ran.err
    assert "prepare birds again with --replace" in ran.err
    chunk.unlink()
    prepared._open.cache_clear()  # another process would open the files
    assert "birds: your own pictures\n  prepared here, but " in command("data", "list").out


@pytest.mark.parametrize("option", ["--split-file", "--split"])
def test_a_split_file_by_either_name(command, pictures, tmp_path, option):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"base": ["a", "b"], "val": ["c", "d"], "novel": ["e", "f"]}))
    assert prepare(command, pictures, option, path).code == 0
    again = prepare(command, pictures)
    assert f"split is {path}, asked for None" in again.err


def test_progress_is_told(command, pictures):
    assert re.fullmatch(r"prepare 100 %, 96/96 images, \d+ images/s, ETA 0:00:00\n", prepare(command, pictures).err)


def test_the_list_says_what_is_whole_in_a_folder(command, pictures, tmp_path):
    make_cub(tmp_path / "downloads")
    ran = command("data", "list", "--root", tmp_path / "downloads")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    told = {lines[i].partition(":")[0]: lines[i + 2] for i in range(1, len(lines) - 2, 3)}
    assert sorted(told) == ["cifarfs", "cub", "miniimagenet", "omniglot"]
    assert told["cub"].startswith("  not whole there: ")
    assert "lacks 188 of 200 classes: 013, 014, 015 and 185 more" in told["cub"]
    assert all(re.match(r"  not whole there: .* holds no .*: expected", told[k]) for k in told if k != "cub")


@pytest.mark.skipif(not REAL.is_file(), reason="the real part of Omniglot is not here")
def test_a_real_part_of_omniglot_is_found_whole_and_listed(command, pictures):
    ran = command("data", "list", "--root", REAL)
    assert f"  whole there: 2720 pictures of 136 classes in {REAL}\n" in ran.out
    for more in ([], ["--size", "32", "--rotations"]):
        assert command("data", "prepare", "omniglot", "--root", REAL, *more).code == 0
    ran = command("data", "list")
    assert (
        "  prepared here at 28 pixels: --data omniglot\n  prepared here at 32 pixels: --data omniglot-rotations-32\n"
        in ran.out
    )
