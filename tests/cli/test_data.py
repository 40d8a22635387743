import re

import numpy as np
import pytest
from PIL import Image


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
