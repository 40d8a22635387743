"""The store of a prepared set: chunks read as they are, preparations that are killed, damage, originals."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from data import published
from PIL import Image

from raymaml import data
from raymaml.data import catalogue, prepared, store
from raymaml.data.imageset import digest_of
from raymaml.errors import BusyError, DataError, MissingError, SpecError
from raymaml.specs import TaskSpec
from raymaml.tasks import TaskSampler


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """Chunks of 10 images instead of 1,024."""
    monkeypatch.setattr(store, "MOST", 10)
    monkeypatch.setattr(store, "FEWEST", 2)


@pytest.fixture
def birds(tmp_path) -> Path:
    """Seven classes of 18 pictures of noise, of many shapes."""
    rng = np.random.default_rng(0)
    for c in range(7):
        (tmp_path / "birds" / f"bird{c}").mkdir(parents=True)
        for i in range(18):
            pixels = rng.integers(0, 256, (20 + c, 30 + i, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "birds" / f"bird{c}" / f"{i:02}.png")
    return tmp_path / "birds"


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """The names of the pictures that are read, as they are."""
    seen: list[str] = []
    read = store.RawSet.read

    def counted(self, name):
        seen.append(name)
        return read(self, name)

    monkeypatch.setattr(store.RawSet, "read", counted)
    return seen


def in_memory(root):
    """The images of the set, decoded one by one, without a store."""
    raw = catalogue.request_of("folder", root, name="x", size=16).scan()
    return np.stack([raw.read(name)[0] for name in raw.names])


# --- images on disk


@pytest.fixture
def pair(birds, prepare):
    """The images of a prepared set, and the same as an array."""
    return prepare("folder", birds, name="birds", size=16).images, in_memory(birds)


@pytest.mark.parametrize(
    "rows",
    [
        0,
        125,
        -1,
        np.int64(33),
        [3, 3, 99],
        np.arange(126)[::-1],
        slice(5, 25),
        slice(None),
        np.array([[9, 10], [11, 120]]),
    ],
    ids=str,
)
def test_rows_are_taken_as_from_an_array(pair, rows):
    images, array = pair
    assert np.array_equal(images[rows], array[rows])
    assert images[rows].shape == array[rows].shape


def test_masks_and_nothing(pair):
    images, array = pair
    mask = np.arange(126) % 7 == 3
    assert np.array_equal(images[mask], array[mask])
    assert images[np.array([], int)].shape == (0, 3, 16, 16)


@pytest.mark.parametrize("rows", [126, -127, [0, 126]])
def test_rows_that_are_not_there(pair, rows):
    with pytest.raises(IndexError):
        pair[0][rows]


def test_a_copy_is_taken(pair):
    images, array = pair
    images[np.arange(3)][:] = 0
    images[5][:] = 0
    assert np.array_equal(images[:], array)


def test_no_file_stays_open(pair):
    images, array = pair
    before = len(os.listdir("/proc/self/fd"))
    assert np.array_equal(images[:], array)
    assert len(os.listdir("/proc/self/fd")) == before


def test_tasks_are_those_of_the_images_in_memory(birds, prepare):
    found = prepare("folder", birds, name="birds", size=16)
    array = data.ImageSet(
        *(found.name, in_memory(birds), found.labels, found.class_names, found.splits, found.mean, found.std)
    )
    for index in range(3):
        ours, theirs = (TaskSampler(s, "base", TaskSpec(3, 1, 4), seed=1).task(index) for s in (found, array))
        assert (ours.support_x == theirs.support_x).all()
        assert (ours.query_x == theirs.query_x).all()


def test_a_digest_of_images_alone_is_that_of_the_array(prepare, tmp_path):
    found = prepare("miniimagenet", published.make_caches(tmp_path), expected=published.MINI)
    assert found.originals is None
    array = data.ImageSet(
        *(found.name, found.images[:], found.labels, found.class_names, found.splits, found.mean, found.std)
    )
    assert array.digest == found.digest == digest_of(found)


def test_the_store_is_zarr_without_compression(birds, prepare, cache):
    found = prepare("folder", birds, name="birds", size=16)
    group = zarr.open_group(cache / "birds.zarr", mode="r")
    assert np.array_equal(group["images"][:], in_memory(birds))
    assert group["images"].chunks == (10, 3, 16, 16)
    assert group["done"][:].all()
    first = b"".join(path.read_bytes() for path in sorted((birds / "bird0").iterdir())[:10])
    assert group["originals/0"][:].tobytes() == first
    record = dict(group.attrs)
    assert record["digest"] == found.digest
    assert record["settings"] == {
        **{"kind": "folder", "root": str(birds), "size": 16, "seed": 0, "grey": False, "split": None}
    }
    assert record["classes"] == {f"bird{c}": 18 for c in range(7)}
    assert record["split_rule"] == "seed 0"
    assert sorted(name for part in record["splits"].values() for name in part) == list(record["classes"])
    assert set(record["provenance"]) == {"numpy", "pillow", "raymaml", "zarr"}


def test_chunks_hold_no_more_than_they_may(monkeypatch):
    monkeypatch.setattr(store, "MOST", 1024)
    monkeypatch.setattr(store, "FEWEST", 16)
    for images, pixels, file, step in (
        (60_000, 84, 0, 1017),  # 59 chunks, as even as can be
        (60_000, 224, 0, 445),  # 64 MiB
        (60_000, 84, 100_000, 509),
        (100, 84, 50_000_000, 15),
        (96, 224, 0, 96),
        (1, 84, 1, 1),
    ):
        assert store._images_per_chunk(images, 3 * pixels**2, [file] * images if file else []) == step


def test_black_images_are_stored(prepare, tmp_path):
    for c in range(6):
        (tmp_path / "black" / f"{c}").mkdir(parents=True)
        for i in range(16):
            Image.new("RGB", (8, 8)).save(tmp_path / "black" / f"{c}" / f"{i}.png")
    assert not prepare("folder", tmp_path / "black", name="black", size=8).images[:].any()


# --- originals


def test_originals_are_the_files_of_the_publisher(birds, prepare):
    found = prepare("folder", birds, name="birds", size=16)
    raw = catalogue.request_of("folder", birds, name="x").scan()
    for row in (0, 9, 10, 77, 125):
        with Image.open(birds / raw.names[row]) as picture:
            assert np.array_equal(found.original(row), np.asarray(picture).transpose(2, 0, 1))
    assert found.original(125).shape == (3, 26, 47)


def test_originals_of_one_channel(birds, prepare):
    found = prepare("folder", birds, name="birds", size=16, grey=True)
    with Image.open(birds / "bird0" / "00.png") as picture:
        assert np.array_equal(found.original(0), np.asarray(picture.convert("L"))[None])


def test_an_original_in_memory_is_the_image(images):
    original = images.original(3)
    assert np.array_equal(original, images.images[3])
    original[:] = 0
    assert images.images[3].any(), "it was a copy"


# --- interrupted


class StopError(Exception):
    """As if the process were killed."""


def stop_after(chunks):
    def tell(progress):
        if progress.decoded >= 10 * chunks:
            raise StopError

    return tell


def test_an_interrupted_preparation_continues_with_what_is_missing(birds, prepare, cache, decoded):
    with pytest.raises(StopError):
        prepare("folder", birds, name="birds", size=16, tell=stop_after(4))
    assert [path.name for path in cache.iterdir()] == [".birds.partial"]
    with pytest.raises(MissingError, match="no data set"):
        data.load("birds")
    assert len(decoded) == 40
    (cache / ".birds.partial" / "images" / "c" / "x.partial").touch()  # of a writer that was killed
    told = []
    found = prepare("folder", birds, name="birds", size=16, tell=told.append)
    assert len(decoded) == len(set(decoded)) == 126
    assert [(p.images, p.decoded) for p in told[::8]] == [(50, 10), (126, 86)]
    assert np.array_equal(found.images[:], in_memory(birds))
    assert [path.name for path in cache.iterdir()] == ["birds.zarr"]
    assert not list(cache.rglob("*.partial"))


KILLED = """
import os, signal, sys
from pathlib import Path
from raymaml.data import catalogue, store
store.MOST, store.FEWEST = 10, 2
request = catalogue.request_of("folder", Path(sys.argv[1]), name="birds", size=16)
write = store.ImageStore.write
def killed(self, chunk, pixels, files):
    if chunk == 3:
        self._array("images")[30:40] = pixels // 2  # some pixels are there, the mark is not
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, chunk, pixels, files)
store.ImageStore.write = killed
catalogue.prepare(request)
"""


def test_a_preparation_that_was_killed_continues(birds, prepare, decoded):
    done = subprocess.run([sys.executable, "-c", KILLED, birds], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    found = prepare("folder", birds, name="birds", size=16)
    assert len(decoded) == 126 - 30
    assert np.array_equal(found.images[:], in_memory(birds))
    assert digest_of(found) == found.digest


@pytest.mark.parametrize("point", ["finish", "_put_in_place"])
def test_killed_at_the_end_it_is_finished(birds, prepare, decoded, monkeypatch, point):
    owner = store if point == "finish" else prepared
    with monkeypatch.context() as patch:
        patch.setattr(owner, point, lambda *args: (_ for _ in ()).throw(StopError))
        with pytest.raises(StopError):
            prepare("folder", birds, name="birds", size=16)
    found = prepare("folder", birds, name="birds", size=16)
    assert len(decoded) == 126
    assert digest_of(found) == found.digest


@pytest.mark.parametrize("change", ["size", "file", "half a store"])
def test_what_was_begun_for_something_else_is_not_continued(birds, prepare, cache, decoded, change):
    with pytest.raises(StopError):
        prepare("folder", birds, name="birds", size=16, tell=stop_after(4))
    if change == "file":
        Image.new("RGB", (9, 9)).save(birds / "bird3" / "05.png")
    if change == "half a store":
        (cache / ".birds.partial" / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"')
    del decoded[:]
    found = prepare("folder", birds, name="birds", size=20 if change == "size" else 16)
    assert len(decoded) == 126
    assert digest_of(found) == found.digest


def test_a_replacement_that_is_interrupted_leaves_the_set_that_was_there(birds, prepare, cache):
    first = prepare("folder", birds, name="birds", size=16)
    with pytest.raises(StopError):
        prepare("folder", birds, name="birds", size=20, replace=True, tell=stop_after(2))
    assert data.load("birds").digest == first.digest
    (cache / ".birds.zarr.0.old").mkdir()  # of a process that was killed while it put the new one in place
    second = prepare("folder", birds, name="birds", size=20, replace=True)
    assert second.digest != first.digest
    assert [path.name for path in cache.iterdir()] == ["birds.zarr"]
    for use in (lambda: first.images[3], lambda: first.original(3)):
        with pytest.raises(DataError, match="birds.zarr was replaced while it was in use: start again"):
            use()


def test_two_processes_do_not_prepare_one_set_at_once(birds, prepare):
    def again(progress):
        with pytest.raises(BusyError, match=f"birds.zarr is being computed by process {os.getpid()} on "):
            prepare("folder", birds, name="birds", size=16)

    told = []
    prepare("folder", birds, name="birds", size=16, tell=lambda p: (again(p), told.append(p)))
    assert len(told) == 13


def test_a_picture_that_changes_meanwhile_is_refused(birds, prepare, cache):
    def change(progress):
        Image.new("RGB", (9, 9)).save(birds / "bird6" / "05.png")

    with pytest.raises(DataError, match="birds changed while it was read"):
        prepare("folder", birds, name="birds", size=16, tell=change)
    assert list(cache.iterdir()) == []


def test_an_empty_file_is_refused(birds, prepare, cache):
    (birds / "bird3" / "05.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"bird3/05.png in .* is empty"):
        prepare("folder", birds, name="birds", size=16)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_named(birds, prepare, cache):
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder must go")
    with pytest.raises(SpecError, match="prepared cannot be written .*: set RAYMAML_CACHE to another"):
        prepare("folder", birds, name="birds", size=16)


# --- damaged


def forget():
    """Another process would open the set anew."""
    prepared._open.cache_clear()


@pytest.mark.parametrize("path", ["images/c/12/0/0/0", "originals/3/c/0"])
@pytest.mark.parametrize("harm", ["missing", "short", "long"])
def test_a_chunk_of_the_wrong_size_is_refused_at_load(birds, prepare, cache, path, harm):
    prepare("folder", birds, name="birds", size=16)
    chunk = cache / "birds.zarr" / path
    raw = chunk.read_bytes()
    chunk.unlink()
    if harm != "missing":
        chunk.write_bytes(raw[:-1] if harm == "short" else raw + b"x")
    forget()
    with pytest.raises(DataError, match=rf"{path} .*damaged: prepare birds again with --replace") as caught:
        data.load("birds")
    assert "\n" not in str(caught.value)
    assert prepare("folder", birds, name="birds", size=16, replace=True).original(125).shape == (3, 26, 47)


@pytest.mark.parametrize("path", ["images/c/12/0/0/0", "originals/3/c/0", "offsets/c/0"])
def test_a_changed_byte_is_found_by_check(birds, prepare, cache, path):
    prepare("folder", birds, name="birds", size=16)
    assert prepared.check("birds").digest == data.load("birds").digest
    chunk = cache / "birds.zarr" / path
    raw = bytearray(chunk.read_bytes())
    raw[len(raw) // 3] ^= 1
    chunk.write_bytes(raw)
    with pytest.raises(DataError, match="damaged: .*prepare birds again with --replace"):
        prepared.check("birds")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("digest", "damaged"),
        ("settings", "damaged"),
        ("classes", "damaged"),
        ("splits", "damaged"),
        ("originals", "damaged"),
        ("kind", "version"),
    ],
)
def test_a_damaged_record_is_refused(birds, prepare, cache, name, text):
    prepare("folder", birds, name="birds", size=16)
    group = zarr.open_group(cache / "birds.zarr", mode="r+")
    del group.attrs[name]
    forget()
    with pytest.raises(DataError, match=rf"{text}.*: prepare birds again with --replace"):
        data.load("birds")


def test_a_set_of_a_newer_version_is_refused(birds, prepare, cache):
    prepare("folder", birds, name="birds", size=16)
    zarr.open_group(cache / "birds.zarr", mode="r+").attrs["format"] = 2
    forget()
    with pytest.raises(DataError, match="birds.zarr was written by a newer version of raymaml: prepare birds again"):
        data.load("birds")


@pytest.mark.parametrize("path", ["zarr.json", "images/zarr.json", "offsets/zarr.json"])
@pytest.mark.parametrize("text", [None, "", "{}"])
def test_damaged_metadata_are_refused(birds, prepare, cache, path, text):
    prepare("folder", birds, name="birds", size=16)
    file = cache / "birds.zarr" / path
    file.unlink()
    if text is not None:
        file.write_text(text)
    forget()
    with pytest.raises(DataError, match="damaged|another version") as caught:
        data.load("birds")
    assert "--replace" in str(caught.value)


def test_a_damaged_original_is_refused(birds, prepare, cache):
    found = prepare("folder", birds, name="birds", size=16)
    chunk = cache / "birds.zarr" / "originals" / "3" / "c" / "0"
    chunk.write_bytes(bytes(len(chunk.read_bytes())))
    with pytest.raises(DataError, match="picture 30 in .* is damaged"):
        found.original(30)


# --- rotations of Omniglot


def test_a_turned_character_is_a_class_of_the_same_split(prepare, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "MOST", 1024)  # 424 chunks would take a while
    rng = np.random.default_rng(0)
    for alphabet, count in (("Tagalog", 17), ("Ojibwe_(Canadian_Aboriginal_Syllabics)", 14), ("Early_Aramaic", 22)):
        for n in range(1, count + 1):
            folder = tmp_path / "omniglot" / alphabet / f"character{n:02}"
            folder.mkdir(parents=True)
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 2, (28, 28), np.uint8) * 255).convert("1").save(file, "PNG")
            for i in range(1, 21):
                (folder / f"{n:04}_{i:02}.png").write_bytes(file.getvalue())
    plain = prepare("omniglot", tmp_path / "omniglot")
    turned = prepare("omniglot", tmp_path / "omniglot", rotations=True)
    assert (plain.name, turned.name) == ("omniglot", "omniglot-rotations")
    assert len(turned.images) == 4 * len(plain.images) == 4 * 53 * 20
    assert turned.originals is None
    for split, classes in plain.splits.items():
        expected = {f"{plain.class_names[c]}/rot{d:03}" for c in classes for d in (0, 90, 180, 270)}
        assert {turned.class_names[c] for c in turned.splits[split]} == expected
    first = plain.class_names.index("Tagalog/character03")
    upright = plain.images[plain.rows_of_class[first]]
    for quarters, name in enumerate(("rot000", "rot090", "rot180", "rot270")):
        rows = turned.rows_of_class[turned.class_names.index(f"Tagalog/character03/{name}")]
        assert np.array_equal(turned.images[rows], np.rot90(upright, quarters, axes=(2, 3)))
    assert np.array_equal(turned.original(7), turned.images[7])
