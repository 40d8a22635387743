"""The published data sets, each in every layout it is passed on in: prepared, loaded, trained on, or refused."""

import hashlib
import shutil

import numpy as np
import pytest
from data import published
from data.published import CIFAR, CUB, MINI, PER_CLASS, wnid
from PIL import Image

from raymaml import data
from raymaml.data import cifarfs, cub, miniimagenet
from raymaml.errors import DataError, MissingError, SpecError

pytestmark = pytest.mark.usefixtures("cache")


def colours(images):
    """The colour of the middle of each picture that `published.photograph` made, as its number modulo 256."""
    return images.images[:][:, 0, 5, 5].astype(int)


def is_numbered(images):
    """Whether image i shows photograph i: JPEG moves a plain colour by a few steps at most."""
    difference = (colours(images) - np.arange(len(images.images)) + 128) % 256 - 128
    return np.abs(difference).max() < 6


# --- CUB-200-2011


@pytest.mark.parametrize("below", ["", "CUB_200_2011", "CUB_200_2011/images"])
def test_cub_is_found_at_any_of_its_folders(prepare, train, tmp_path, below):
    root = published.make_cub(tmp_path / "birds")
    found = prepare("cub", root / below, expected=CUB, size=32)
    assert found.name == "cub-32"
    assert found.images.shape == (12 * PER_CLASS, 3, 32, 32)
    assert found.splits == {"base": (0, 2, 4, 6, 8, 10), "val": (1, 5, 9), "novel": (3, 7, 11)}
    assert found.class_names[3] == "004.Bird_4"
    assert is_numbered(found)
    assert train(data.load("cub-32"), way=2).tasks == 2


def test_cub_has_the_published_split_and_counts():
    folders = list(range(200))
    assert (len(folders[0::2]), len(folders[1::4]), len(folders[3::4])) == (100, 50, 50)
    assert cub.Counts() == cub.Counts(classes=200, images=11_788)


def test_an_original_of_cub_has_its_own_resolution(prepare, tmp_path):
    root = published.make_cub(tmp_path)
    found = prepare("cub", root, expected=CUB)
    assert found.images.shape[1:] == (3, 84, 84)
    path = root / "CUB_200_2011/images/003.Bird_3/Bird_3_0004_1004.jpg"
    with Image.open(path) as picture:
        expected = np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
    assert expected.shape == (3, 42, 54)
    row = 2 * PER_CLASS + 4
    assert np.array_equal(found.original(row), expected)
    assert np.array_equal(found.original(row - len(found.images)), expected)
    with pytest.raises(IndexError):
        found.original(len(found.images))


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (lambda f: (f / "images/002.Bird_2/Bird_2_0003_1003.jpg").unlink(), r"lacks 1 of 216 .*: 002.*_0003_1003.jpg"),
        (lambda f: shutil.rmtree(f / "images/005.Bird_5"), r"lacks 1 of 12 classes: 005"),
        (lambda f: (f / "images/005.Bird_5").rename(f / "images/013.Bird_5"), r"lacks 1 of 12 classes: 005"),
        (lambda f: shutil.copytree(f / "images/001.Bird_1", f / "images/013.x"), r"has 13 classes, not 12"),
        (lambda f: shutil.copy(f / "images/001.Bird_1/Bird_1_0000_1000.jpg", f / "images/001.Bird_1/x.jpg"), "x.jpg"),
        (lambda f: shutil.rmtree(f / "images"), r"holds no CUB-200-2011: expected CUB_200_2011/images/NNN.CLASS"),
        (lambda f: (f / "images.txt").write_bytes(b"\xff\xfe\xff"), r"images.txt in .* is no text"),
    ],
)
def test_cub_that_is_not_whole_is_refused(prepare, cache, tmp_path, harm, text):
    root = published.make_cub(tmp_path)
    harm(root / "CUB_200_2011")
    with pytest.raises(DataError, match=text) as caught:
        prepare("cub", root, expected=CUB)
    assert "\n" not in str(caught.value)
    assert not cache.exists()


def test_200_folders_of_too_few_pictures_are_not_cub(prepare, tmp_path):
    root = published.make_cub(tmp_path, classes=200, per_class=2, listed=59)
    with pytest.raises(DataError, match=r"lacks 11400 of 11800 .*Bird_1_0002_1002.jpg, .* and 11397 more"):
        prepare("cub", root)
    (root / "CUB_200_2011" / "images.txt").unlink()
    with pytest.raises(DataError, match="has 400 of 11788 pictures"):
        prepare("cub", root)


def test_a_tar_file_must_be_unpacked(prepare, tmp_path):
    (tmp_path / "CUB_200_2011.tgz").write_bytes(b"\x1f\x8b")
    with pytest.raises(DataError, match=r"tar file: unpack it first \(tar xf CUB_200_2011.tgz\)"):
        prepare("cub", tmp_path / "CUB_200_2011.tgz")


# --- miniImageNet

FILES = [published.make_csv, published.make_folders, published.make_listed]
PICKLES = [published.make_caches, published.make_phases]


@pytest.mark.parametrize("make", [*FILES, *PICKLES])
def test_miniimagenet_is_prepared_from_every_layout_and_trained_on(prepare, train, tmp_path, make):
    found = prepare("miniimagenet", make(tmp_path / "mini"), expected=MINI)
    assert found.name == "miniimagenet"
    assert found.images.shape == (8 * PER_CLASS, 3, 84, 84)
    assert found.splits == {"base": (0, 1, 2, 3), "val": (4, 5), "novel": (6, 7)}
    if make in FILES:
        assert is_numbered(found)
        assert found.original(0).shape == (3, 40, 60)
    assert train(data.load("miniimagenet"), way=2).tasks == 2


@pytest.mark.parametrize("make", FILES)
def test_every_layout_of_picture_files_gives_one_set(prepare, tmp_path, make):
    first = prepare("miniimagenet", published.make_csv(tmp_path / "csv"), expected=MINI, size=16)
    found = prepare("miniimagenet", make(tmp_path / "mini"), expected=MINI, size=16, replace=True)
    assert found.class_names == first.class_names == tuple(wnid(c) for c in range(8))
    assert found.digest == first.digest


@pytest.mark.parametrize("dump", [published.python2_pickle, published.latin1_pickle])
@pytest.mark.parametrize(
    ("make", "names"), [(published.make_caches, [wnid(c) for c in range(8)]), (published.make_phases, [])]
)
def test_pickled_images_of_the_size_asked_for_stay_as_they_are(prepare, tmp_path, monkeypatch, make, names, dump):
    pixels = published.mini_pixels()
    monkeypatch.setattr(published, "mini_pixels", lambda: pixels)
    found = prepare("miniimagenet", make(tmp_path / "mini", dump), expected=MINI)
    expected = np.concatenate([pixels[part] for part in ("train", "val", "test")]).transpose(0, 3, 1, 2)
    assert np.array_equal(found.images[:], expected)
    assert list(found.class_names) == names or [f"{c:03}" for c in range(8)]
    assert np.array_equal(found.original(3), expected[3]), "there is nothing larger"
    larger = prepare("miniimagenet", tmp_path / "mini", expected=MINI, size=96)
    assert (larger.name, larger.images.shape[1:]) == ("miniimagenet-96", (3, 96, 96))


def test_the_cache_may_say_validation_and_lie_in_a_folder(prepare, tmp_path):
    published.make_caches(tmp_path / "download" / "mini", val="validation")
    assert len(prepare("miniimagenet", tmp_path, expected=MINI).images) == 8 * PER_CLASS


def test_the_published_miniimagenet_has_100_classes_of_600():
    whole = miniimagenet.WHOLE
    assert [n * whole.per_class for n in (whole.base, whole.val, whole.novel)] == [38_400, 9_600, 12_000]


def in_two_splits(root):
    lines = (root / "val.csv").read_text().replace(wnid(4), wnid(0)).splitlines()
    for line in lines[1:]:
        (root / "images" / line.partition(",")[0]).write_bytes(published.photograph(0))
    (root / "val.csv").write_text("\n".join(lines))


def another_header(root):
    (root / "val.csv").write_text((root / "val.csv").read_text().replace("filename", "file"))


def a_class_less(root):
    lines = (root / "test.csv").read_text().splitlines()
    (root / "test.csv").write_text("\n".join(line for line in lines if wnid(7) not in line))


def a_picture_less(root):
    lines = (root / "test.csv").read_text().splitlines()
    (root / "test.csv").write_text("\n".join(lines[:-1]))


def a_picture_twice(root):
    lines = (root / "test.csv").read_text().splitlines()
    (root / "test.csv").write_text("\n".join([*lines[:-1], lines[-2]]))


@pytest.mark.parametrize(
    ("make", "harm", "text"),
    [
        (published.make_csv, in_two_splits, f"{wnid(0)} in more than one split"),
        (published.make_csv, another_header, "val.csv in .* must have the header filename,label"),
        (published.make_csv, a_class_less, r"has 1 of 2 novel classes \(test\)"),
        (published.make_csv, a_picture_less, rf"each class has 18 pictures, not so {wnid(7)} \(17\)"),
        (published.make_csv, a_picture_twice, rf"each class has 18 pictures, not so {wnid(7)} \(17\)"),
        (published.make_csv, lambda r: (r / "test.csv").unlink(), "lacks test.csv"),
        (published.make_csv, lambda r: (r / "images" / f"{wnid(1)}{3:08}.jpg").unlink(), "lacks 1 of 144 pictures: im"),
        (published.make_folders, lambda r: shutil.rmtree(r / "val"), r"has 0 of 2 val classes"),
        (published.make_folders, lambda r: (r / "val" / wnid(4)).rename(r / "val" / wnid(0)), "more than one split"),
        (published.make_listed, lambda r: shutil.rmtree(r / "data" / wnid(5)), rf"{wnid(5)} \(0\)"),
        (published.make_listed, lambda r: (r / "splits/ravi-larochelle/val.txt").unlink(), "lacks splits/ravi-.*val"),
        (published.make_caches, lambda r: (r / "mini-imagenet-cache-val.pkl").unlink(), "lacks mini-.*-val.pkl"),
        (published.make_phases, lambda r: [f.unlink() for f in r.iterdir()], "holds no miniImageNet: expected"),
    ],
)
def test_miniimagenet_that_is_not_whole_is_refused(prepare, cache, tmp_path, make, harm, text):
    root = make(tmp_path / "mini")
    harm(root)
    with pytest.raises(DataError, match=text) as caught:
        prepare("miniimagenet", root, expected=MINI)
    assert "\n" not in str(caught.value)
    assert not cache.exists()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"class_dict": {}}, "image_data"),
        ({"image_data": np.zeros((2, 84, 84, 3), np.float32), "class_dict": {"a": [0, 1]}}, "not uint8"),
        ({"image_data": np.zeros((2, 84, 84, 3), np.uint8), "class_dict": {"a": [0]}}, "not every picture has one"),
        ({"image_data": np.zeros((2, 84, 84, 3), np.uint8), "class_dict": {"a": [0, 1, 5]}}, "not every picture has"),
        ([1, 2], "holds no dict"),
    ],
)
def test_a_pickle_of_something_else_is_refused(prepare, tmp_path, values, text):
    root = published.make_caches(tmp_path)
    (root / "mini-imagenet-cache-test.pkl").write_bytes(published.python2_pickle(values))
    with pytest.raises(DataError, match=rf"mini-imagenet-cache-test.pkl in .*{text}"):
        prepare("miniimagenet", root, expected=MINI)


def test_a_truncated_pickle_is_refused(prepare, cache, tmp_path):
    path = published.make_phases(tmp_path) / "miniImageNet_category_split_val.pickle"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(DataError, match=rf"{path.name} in .* is damaged"):
        prepare("miniimagenet", tmp_path, expected=MINI)
    assert not cache.exists()


# --- CIFAR-FS


def test_cifarfs_is_prepared_from_cifar_100_and_trained_on(prepare, train, tmp_path):
    arrays = published.cifar_arrays()
    found = prepare("cifarfs", published.make_cifar(tmp_path, arrays), expected=CIFAR)
    assert found.images.shape == (100 * PER_CLASS, 3, 32, 32)
    assert {s: len(c) for s, c in found.splits.items()} == {"base": 64, "val": 16, "novel": 20}
    names = published.fine_labels()
    assert [found.class_names[c] for c in found.splits["val"]] == [names[n] for n in cifarfs.VAL]
    assert [found.class_names[c] for c in found.splits["novel"]] == [names[n] for n in cifarfs.NOVEL]
    for label, name in enumerate(names):
        rows = found.rows_of_class[found.class_names.index(name)]
        theirs = [pixels[np.array(labels) == label] for pixels, labels in arrays.values()]
        assert np.array_equal(found.images[rows].reshape(PER_CLASS, 3072), np.concatenate(theirs))
    assert found.original(0).shape == (3, 32, 32)
    assert train(data.load("cifarfs")).tasks == 2


def test_both_layouts_of_cifarfs_give_one_set(prepare, tmp_path):
    arrays = published.cifar_arrays()
    first = prepare("cifarfs", published.make_cifar(tmp_path / "a", arrays) / "cifar-100-python", expected=CIFAR)
    root = published.make_cifar_listed(tmp_path / "b", arrays)
    assert prepare("cifarfs", root, expected=CIFAR, replace=True).digest == first.digest


def test_the_split_of_cifarfs_is_a_partition():
    assert (len(cifarfs.VAL), len(cifarfs.NOVEL)) == (16, 20)
    assert len(set(cifarfs.VAL + cifarfs.NOVEL) & set(range(100))) == 36


def test_files_that_are_not_the_published_ones_are_refused(prepare, cache, tmp_path):
    root = published.make_cifar(tmp_path)
    found = hashlib.md5((root / "cifar-100-python" / "train").read_bytes()).hexdigest()
    with pytest.raises(DataError, match=rf"cifar-100-python/train in .* \(MD5 {found}, not 16019d7e"):
        prepare("cifarfs", root)
    assert not cache.exists()


def test_torchvision_knows_the_same_files():
    from torchvision.datasets import CIFAR100

    known = dict([*CIFAR100.train_list, *CIFAR100.test_list, (CIFAR100.meta["filename"], CIFAR100.meta["md5"])])
    assert known == cifarfs.MD5
    assert f"{CIFAR100.base_folder}/" == cifarfs.FOLDER


@pytest.mark.parametrize(
    ("harm", "text"),
    [
        (
            lambda a: {**a, "test": (a["test"][0][:-1], a["test"][1][:-1])},
            r"each class has 18 pictures, not so .* \(17",
        ),
        (lambda a: {**a, "test": (a["test"][0][:-1], a["test"][1])}, "test has 299 pictures and 300 labels"),
        (lambda a: {**a, "test": (a["test"][0][:, :-1], a["test"][1])}, r"not uint8 of shape \(picture, 3072\)"),
        (lambda a: {"train": a["train"]}, "lacks cifar-100-python/test"),
    ],
)
def test_cifar_that_is_not_whole_is_refused(prepare, cache, tmp_path, harm, text):
    root = published.make_cifar(tmp_path, harm(published.cifar_arrays()))
    with pytest.raises(DataError, match=text):
        prepare("cifarfs", root, expected=CIFAR)
    assert not cache.exists()


@pytest.mark.parametrize("kind", ["cub", "miniimagenet", "cifarfs", "omniglot"])
def test_an_empty_or_absent_folder_is_refused(prepare, tmp_path, kind):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no .*: expected"):
        prepare(kind, tmp_path / "empty")
    with pytest.raises(MissingError, match="--root needs the folder"):
        prepare(kind, tmp_path / "absent")


# --- names


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("cub", "raymaml data prepare cub --root DIR"),
        ("cub-224", "raymaml data prepare cub --root DIR --size 224"),
        ("omniglot-rotations-32", "raymaml data prepare omniglot --root DIR --rotations --size 32"),
    ],
)
def test_a_set_that_is_not_prepared_says_how(name, command):
    with pytest.raises(MissingError, match=f"{name} is not prepared here: run `{command}` first"):
        data.load(name)


def test_two_sizes_of_one_set_are_there_at_once(prepare, tmp_path):
    root = published.make_cub(tmp_path)
    sizes = {prepare("cub", root, expected=CUB, size=size).name: size for size in (84, 28)}
    assert sizes == {"cub": 84, "cub-28": 28}
    assert [data.load(name).images.shape[-1] for name in sizes] == [84, 28]


@pytest.mark.parametrize("options", [{"name": "mine"}, {"grey": True}, {"rotations": True}, {"size": 0}])
def test_options_that_a_published_set_has_not(prepare, tmp_path, options):
    with pytest.raises(SpecError, match="--"):
        prepare("cub", tmp_path, **options)
