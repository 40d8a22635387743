"""Tiny copies of the published data sets, in the formats they are published in."""

import io
import json
import pickle
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from raymaml.data import cifarfs, cub
from raymaml.data.layouts import SplitCounts

PER_CLASS = 18
CUB = cub.Counts(classes=12, images=12 * PER_CLASS)
MINI = SplitCounts(base=4, val=2, novel=2, per_class=PER_CLASS)
PARTS = {"train": range(4), "val": range(4, 6), "test": range(6, 8)}
CIFAR = cifarfs.Expected(SplitCounts(base=64, val=16, novel=20, per_class=PER_CLASS), md5={})
RNG = np.random.default_rng(0)


def noise(*shape):
    return RNG.integers(0, 256, shape, np.uint8)


def photograph(number, size=(60, 40)):
    """A JPEG file whose colours tell its number."""
    file = io.BytesIO()
    Image.new("RGB", size, (number % 256, number // 256 % 256, 128)).save(file, "JPEG", quality=95)
    return file.getvalue()


def wnid(number):
    return f"n{1532829 + 7 * number:08}"


# --- CUB-200-2011


def make_cub(root: Path, classes=12, per_class=PER_CLASS, listed=None) -> Path:
    """CUB_200_2011 with images/, images.txt and classes.txt below `root`; the list has `listed` of each class."""
    folder, lines = root / "CUB_200_2011", []
    names = [f"{c + 1:03}.Bird_{c + 1}" for c in range(classes)]
    for c, name in enumerate(names):
        (folder / "images" / name).mkdir(parents=True)
        for i in range(listed or per_class):
            path = f"{name}/Bird_{c + 1}_{i:04}_{1000 + i}.jpg"
            lines.append(f"{len(lines) + 1} {path}")
            if i < per_class:
                (folder / "images" / path).write_bytes(photograph(c * per_class + i, (50 + i, 40 + c)))
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    (folder / "classes.txt").write_text("".join(f"{c + 1} {name}\n" for c, name in enumerate(names)))
    return root


# --- miniImageNet


def mini_pixels():
    """84-pixel images of each part: uint8 (picture, 84, 84, 3), class by class."""
    return {part: noise(len(classes) * PER_CLASS, 84, 84, 3) for part, classes in PARTS.items()}


def make_csv(root: Path) -> Path:
    (root / "images").mkdir(parents=True)
    for part, classes in PARTS.items():
        rows = ["filename,label"]
        for c in classes:
            for i in range(1, PER_CLASS + 1):
                name = f"{wnid(c)}{i:08}.jpg"
                rows.append(f"{name},{wnid(c)}")
                (root / "images" / name).write_bytes(photograph(c * PER_CLASS + i - 1))
        (root / f"{part}.csv").write_text("\n".join(rows) + "\n")
    return root


def make_folders(root: Path) -> Path:
    for part, classes in PARTS.items():
        for c in classes:
            folder = root / part / wnid(c)
            folder.mkdir(parents=True)
            for i in range(PER_CLASS):
                (folder / f"{wnid(c)}_{i:05}.jpg").write_bytes(photograph(c * PER_CLASS + i))
    return root


def make_listed(root: Path) -> Path:
    """As R2D2's archive unpacks."""
    (root / "splits" / "ravi-larochelle").mkdir(parents=True)
    for part, classes in PARTS.items():
        (root / "splits" / "ravi-larochelle" / f"{part}.txt").write_text("\n".join(map(wnid, classes)) + "\n")
        for c in classes:
            folder = root / "data" / wnid(c)
            folder.mkdir(parents=True)
            for i in range(PER_CLASS):
                (folder / f"{i:05}.jpg").write_bytes(photograph(c * PER_CLASS + i))
    return root


def make_caches(root: Path, dump=None, val="val") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for part, pixels in mini_pixels().items():
        rows = {wnid(c): list(range(k * PER_CLASS, (k + 1) * PER_CLASS)) for k, c in enumerate(PARTS[part])}
        name = {"val": val}.get(part, part)
        (root / f"mini-imagenet-cache-{name}.pkl").write_bytes(
            (dump or python2_pickle)({"class_dict": rows, "image_data": pixels})
        )
    return root


def make_phases(root: Path, dump=None) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    names = {"train": "train_phase_train", "val": "val", "test": "test"}
    for part, pixels in mini_pixels().items():
        labels = [c for c in PARTS[part] for _ in range(PER_CLASS)]
        (root / f"miniImageNet_category_split_{names[part]}.pickle").write_bytes(
            (dump or python2_pickle)({"data": pixels, "labels": labels})
        )
    return root


# --- CIFAR-100


def fine_labels():
    """100 names in alphabetical order; those that the split names are true."""
    names = [f"{chr(97 + n // 4)}{n:02}" for n in range(100)]
    return sorted(names)


def cifar_arrays(per_class=PER_CLASS):
    """Rows of 3,072 bytes and their fine labels, in mixed order: 15 of each class in train, the rest in test."""
    made = {}
    for name, each in (("train", 15), ("test", per_class - 15)):
        labels = RNG.permutation(np.repeat(np.arange(100), each)).tolist()
        made[name] = noise(len(labels), 3072), labels
    return made


def make_cifar(root: Path, arrays=None) -> Path:
    folder = root / "cifar-100-python"
    folder.mkdir(parents=True)
    for name, (pixels, labels) in (arrays or cifar_arrays()).items():
        values = {"data": pixels, "fine_labels": labels, "batch_label": "x", "filenames": ["a.png"] * len(labels)}
        (folder / name).write_bytes(python2_pickle(values))
    (folder / "meta").write_bytes(python2_pickle({"fine_label_names": fine_labels(), "coarse_label_names": []}))
    return root


def make_cifar_listed(root: Path, arrays) -> Path:
    """The same pictures as R2D2's archive has them."""
    names = fine_labels()
    lists = {"val": cifarfs.VAL, "test": cifarfs.NOVEL}
    lists["train"] = sorted(set(range(100)) - set(cifarfs.VAL) - set(cifarfs.NOVEL))
    (root / "cifar100" / "splits" / "bertinetto").mkdir(parents=True)
    for part, numbers in lists.items():
        path = root / "cifar100" / "splits" / "bertinetto" / f"{part}.txt"
        path.write_text("".join(f"{names[n]}\n" for n in numbers))
    for part, (pixels, labels) in arrays.items():
        for row, label in enumerate(labels):
            folder = root / "cifar100" / "data" / names[label]
            folder.mkdir(parents=True, exist_ok=True)
            picture = pixels[row].reshape(3, 32, 32).transpose(1, 2, 0)
            # train before test, in the order of rows
            Image.fromarray(picture).save(folder / f"{'ab'[part == 'test']}{row:05}.png")
    return root


# --- pickles as Python 2 wrote them, which no Python 3 can


def python2_pickle(value) -> bytes:
    """Protocol 2 of Python 2 with numpy 1: str is bytes, names are of `numpy.core`."""
    return b"\x80\x02" + _opcodes(value) + b"."


def _opcodes(value) -> bytes:
    if isinstance(value, np.ndarray):
        return _array_opcodes(value)
    if isinstance(value, dict):
        return b"}(" + b"".join(_opcodes(k) + _opcodes(v) for k, v in value.items()) + b"u"
    if isinstance(value, list):
        return b"](" + b"".join(map(_opcodes, value)) + b"e"
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    return _bytes(value.encode())


def _bytes(raw: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(raw)) + raw  # BINSTRING


def _array_opcodes(array) -> bytes:
    dtype = b"cnumpy\ndtype\n" + _bytes(array.dtype.str[1:].encode()) + b"K\x00K\x01\x87R"
    dtype += b"(K\x03" + _bytes(array.dtype.str[:1].encode()) + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"(" + b"".join(map(_opcodes, array.shape)) + b"t"
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n(K\x00t" + _bytes(b"b") + b"\x87R"
    return made + b"(K\x01" + shape + dtype + b"\x89" + _bytes(array.tobytes()) + b"tb"


def latin1_pickle(value) -> bytes:
    """As Python 3 writes for Python 2: bytes through _codecs.encode."""
    return pickle.dumps(value, protocol=2)


def write_json(path: Path, value) -> Path:
    path.write_text(json.dumps(value))
    return path
