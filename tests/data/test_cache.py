"""The array cache: a sound file is read, anything else is built again, nothing makes it fail."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import numpy as np
import pytest

from raymaml.data import cache
from raymaml.data.cache import Arrays, cache_folder, cache_path, cached_arrays

ARRAYS: Arrays = {
    "images": np.arange(24_000, dtype=np.uint8).reshape(10, 2, 30, 40),
    "names": np.array(["zhe", "ѫ"]),
    "none": np.zeros((0, 3)),
}


class Builder:
    """Counts how often it was asked to build."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Arrays:
        self.calls += 1
        return {name: a.copy() for name, a in ARRAYS.items()}


def assert_equal(found: Arrays) -> None:
    assert found.keys() == ARRAYS.keys()
    for name, a in ARRAYS.items():
        assert found[name].dtype == a.dtype
        np.testing.assert_array_equal(found[name], a)


def test_second_call_reads_what_the_first_built(tmp_path: Path) -> None:
    build = Builder()
    for _ in range(2):
        assert_equal(cached_arrays(tmp_path / "new" / "deep", "x", "key", build))
    assert build.calls == 1
    assert [p.name for p in (tmp_path / "new" / "deep").iterdir()] == [cache_path(tmp_path, "x", "key").name]


def test_another_key_is_another_file(tmp_path: Path) -> None:
    build = Builder()
    cached_arrays(tmp_path, "x", "key 1", build)
    cached_arrays(tmp_path, "x", "key 2", build)
    cached_arrays(tmp_path, "x", "key 1", build)
    assert build.calls == 2


def test_file_made_for_another_key_is_not_believed(tmp_path: Path) -> None:
    build = Builder()
    cached_arrays(tmp_path, "x", "old", build)
    os.replace(cache_path(tmp_path, "x", "old"), cache_path(tmp_path, "x", "new"))
    assert_equal(cached_arrays(tmp_path, "x", "new", build))
    assert build.calls == 2


@pytest.mark.parametrize("damage", ["empty", "half", "last byte", "flipped", "text", "foreign"])
def test_damaged_file_is_built_again(tmp_path: Path, damage: str) -> None:
    build = Builder()
    cached_arrays(tmp_path, "x", "key", build)
    path = cache_path(tmp_path, "x", "key")
    good = path.read_bytes()
    middle = len(good) // 2
    bad = {
        "empty": b"",
        "half": good[:middle],
        "last byte": good[:-1],
        "flipped": good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :],
        "text": b"not a zip file",
        "foreign": b"\x80\x04N.",  # a pickle: never loaded
    }[damage]
    path.write_bytes(bad)
    assert_equal(cached_arrays(tmp_path, "x", "key", build))
    assert build.calls == 2
    assert_equal(cached_arrays(tmp_path, "x", "key", build))
    assert build.calls == 2, "the damaged file was not replaced"


def test_well_formed_file_with_other_values_is_built_again(tmp_path: Path) -> None:
    build = Builder()
    cached_arrays(tmp_path, "x", "key", build)
    path = cache_path(tmp_path, "x", "key")
    with np.load(path) as file:
        held = dict(file)
    held["images"][0] += 1  # every CRC of the zip is right, the checksum of the arrays is not
    np.savez(path, **held)
    assert_equal(cached_arrays(tmp_path, "x", "key", build))
    assert build.calls == 2


def test_folder_that_cannot_be_made_costs_a_build_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")  # root may write to a read-only folder, not below a file
    build = Builder()
    for _ in range(2):
        assert_equal(cached_arrays(tmp_path / "file" / "cache", "x", "key", build))
    assert build.calls == 2


def test_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    assert_equal(cached_arrays(tmp_path, "x", "key", Builder()))
    assert list(tmp_path.iterdir()) == []


def test_error_of_the_build_reaches_the_caller_and_writes_nothing(tmp_path: Path) -> None:
    def broken() -> Arrays:
        raise LookupError("no fonts")

    with pytest.raises(LookupError, match="no fonts"):
        cached_arrays(tmp_path, "x", "key", broken)
    assert list(tmp_path.iterdir()) == []


def test_builders_at_the_same_time_all_end_with_a_right_file(tmp_path: Path) -> None:
    together, found = threading.Barrier(4, timeout=30), []

    def build() -> Arrays:
        together.wait()  # all four have missed the cache before any writes
        return Builder()()

    threads = [
        threading.Thread(target=lambda: found.append(cached_arrays(tmp_path, "x", "key", build))) for _ in range(4)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(found) == 4
    for arrays in found:
        assert_equal(arrays)
    after = Builder()
    assert_equal(cached_arrays(tmp_path, "x", "key", after))
    assert after.calls == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_folder_is_the_argument_else_the_variable_else_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYMAML_CACHE", str(tmp_path / "variable"))
    assert cache_folder(tmp_path / "argument") == tmp_path / "argument"
    assert cache_folder() == tmp_path / "variable"
    for unset in ("", None):
        monkeypatch.delenv("RAYMAML_CACHE") if unset is None else monkeypatch.setenv("RAYMAML_CACHE", unset)
        assert cache_folder().name == "raymaml"
