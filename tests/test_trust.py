"""Nothing of a stranger's file is run, no path in one leads out of its folder, and no secret gets into a result."""

import json
import os
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from data import published
from data.published import CIFAR, MINI
from safetensors.torch import save_file

from raymaml import checkpoints, files, machine, training
from raymaml.data import cache, catalogue, prepared
from raymaml.errors import DataError, MissingError, SpecError
from raymaml.landscape import store as surfaces
from raymaml.landscape.evaluate import evaluator_of
from raymaml.landscape.request import surface_spec
from raymaml.presets import train_spec
from raymaml.results import read_csv
from raymaml.runs import RunDir
from raymaml.specs import GridSpec


class Evil:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def evil(tmp_path):
    """A pickle that leaves a trace when it is loaded; at the end nothing must have loaded it, but it can be."""
    trace = tmp_path / "ran"
    raw = pickle.dumps({"image_data": Evil(trace), "data": Evil(trace), "fine_labels": Evil(trace)})
    yield raw
    assert not trace.exists(), "a pickle was run"
    pickle.loads(raw)
    assert trace.exists(), "the pickle is evil"


@pytest.fixture
def run(images, tmp_path) -> RunDir:
    """A finished run on the patterns."""
    spec = train_spec(images, "demo", updates=1, validate_every=1, val_tasks=2, test_tasks=2, query=1)
    found = RunDir(tmp_path / "run")
    found.claim(spec)
    training.train(spec, images, seed=5, directory=found.seed(5))
    return found


@pytest.fixture
def store(run, images, tmp_path) -> Path:
    """A surface of one block around it."""
    return _surface(run, images, tmp_path / "s.zarr")


def _surface(run: RunDir, images, path: Path) -> Path:
    trained = checkpoints.load(run.seed(5).best)
    spec = surface_spec(trained, grid=GridSpec(2, 2), tasks=2, query=1, steps=1)
    evaluator = evaluator_of(spec, trained.params, images)
    made = surfaces.create_or_open(path, spec, {**machine.provenance(), "threads": 1})
    for block in made.missing():
        made.write(block, evaluator.evaluate(block))
    return path


@pytest.fixture
def prepare(tmp_path, monkeypatch):
    """`raymaml data prepare`, in this process, with a cache of its own."""
    monkeypatch.setenv("RAYMAML_CACHE", str(tmp_path / "cache"))
    return lambda kind, root, **options: catalogue.prepare(catalogue.request_of(kind, root, **options))


# --- pickles


def _weights(run: RunDir) -> Path:
    (weights,) = run.seed(5).best.glob("*.safetensors")
    return weights


def _name_digest(run: RunDir) -> None:
    """As an attacker would: the JSON names the digest of what is there."""
    info = run.seed(5).best / checkpoints.INFO
    files.write_json(info, files.read_json(info) | {"weights_sha256": files.sha256(_weights(run))})


@pytest.mark.parametrize("torch_s", [False, True])
def test_a_pickle_in_place_of_weights_is_refused(run, evil, tmp_path, torch_s):
    weights = _weights(run)
    if torch_s:
        torch.save({"weights/a": Evil(tmp_path / "ran")}, weights)
    else:
        weights.write_bytes(evil)
    _name_digest(run)
    with pytest.raises(SpecError, match="is not a safetensors file"):
        checkpoints.load(run.seed(5).best)


def test_a_pickle_in_place_of_json_is_refused(run, evil):
    for path in (run.seed(5).best / checkpoints.INFO, run.seed(5).result, run.spec_file):
        path.write_bytes(evil)
        with pytest.raises(SpecError, match="cannot be read as JSON"):
            files.read_json(path)


def test_a_pickle_in_place_of_a_table_is_refused(evil, tmp_path):
    (tmp_path / "a.csv").write_bytes(evil)
    with pytest.raises(SpecError, match="cannot be read as CSV"):
        read_csv(tmp_path / "a.csv")


def test_a_pickle_in_place_of_a_chunk_or_of_metadata_is_refused(store, evil):
    for name in ("done/c/0/0/0", "zarr.json"):
        (store / name).write_bytes(evil)
        with pytest.raises(SpecError, match="damaged"):
            surfaces.open_store(store).missing()


@pytest.mark.parametrize("place", ["filters", "compressor"])
def test_a_store_of_zarr_2_whose_chunks_are_pickles_is_refused(store, evil, place):
    """Zarr 2 has a codec that unpickles chunks."""
    attributes = json.loads((store / "zarr.json").read_text())["attributes"]
    (store / "zarr.json").unlink()
    (store / ".zgroup").write_text('{"zarr_format": 2}')
    (store / ".zattrs").write_text(json.dumps(attributes))
    codec = {"id": "pickle", "protocol": 5}
    array = {"zarr_format": 2, "shape": [2, 2, 2], "chunks": [2, 2, 2], "dtype": "|u1", "fill_value": 0, "order": "C"}
    array |= {"compressor": None, "filters": None} | {place: [codec] if place == "filters" else codec}
    shutil.rmtree(store / "done")
    (store / "done").mkdir()
    (store / "done" / ".zarray").write_text(json.dumps(array))
    (store / "done" / "0.0.0").write_bytes(evil)
    with pytest.raises(SpecError, match="not a surface that raymaml wrote"):
        surfaces.open_store(store)


@pytest.mark.parametrize("codec", ["numcodecs.pickle", "gzip", "numcodecs.lzma", "vlen-bytes"])
def test_a_store_whose_chunks_go_through_other_codecs_is_refused(store, codec):
    metadata = json.loads((store / "loss" / "zarr.json").read_text())
    metadata["codecs"] = [metadata["codecs"][0], {"name": codec, "configuration": {}}]
    (store / "loss" / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(SpecError, match=r"loss is not an array that raymaml wrote"):
        surfaces.open_store(store)


def test_a_pickle_in_the_cache_is_not_loaded(evil, tmp_path):
    built = {"a": np.arange(3)}
    path = cache.cache_path(tmp_path, "x", "key")
    np.savez(path, a=np.array([Evil(tmp_path / "ran")], dtype=object))
    assert cache.cached_arrays(tmp_path, "x", "key", lambda: built)["a"].tolist() == [0, 1, 2]
    path.write_bytes(evil)
    assert cache.cached_arrays(tmp_path, "x", "key", lambda: built)["a"].tolist() == [0, 1, 2]


@pytest.mark.parametrize("layout", ["cache", "phase", "cifar"])
def test_a_pickle_that_runs_code_in_a_published_set_is_refused(prepare, evil, tmp_path, layout):
    if layout == "cache":
        kind, expected, root = "miniimagenet", MINI, published.make_caches(tmp_path / "set")
        (root / "mini-imagenet-cache-val.pkl").write_bytes(evil)
    elif layout == "phase":
        kind, expected, root = "miniimagenet", MINI, published.make_phases(tmp_path / "set")
        (root / "miniImageNet_category_split_val.pickle").write_bytes(evil)
    else:
        kind, root = "cifarfs", published.make_cifar(tmp_path / "set")
        expected = type(CIFAR)(CIFAR.counts, {}) if hasattr(CIFAR, "counts") else CIFAR
        (next(root.rglob("test"))).write_bytes(evil)
    with pytest.raises(DataError, match=r"asks for .*do not use this file"):
        prepare(kind, root, expected=expected)
    assert not (tmp_path / "cache" / "prepared" / f"{kind}.zarr").exists()


# --- paths


@pytest.mark.parametrize(
    "name", ["../../elsewhere.safetensors", "{outside}", "..", "", "a/../../elsewhere.safetensors"]
)
def test_a_checkpoint_cannot_name_weights_elsewhere(run, tmp_path, name):
    outside = tmp_path / "elsewhere.safetensors"
    save_file({"weights/a": torch.zeros(1)}, outside)
    info = run.seed(5).best / checkpoints.INFO
    changed = {"weights": name.format(outside=outside), "weights_sha256": files.sha256(outside)}
    files.write_json(info, files.read_json(info) | changed)
    with pytest.raises(MissingError, match="is not there: the checkpoint is incomplete"):
        checkpoints.load(run.seed(5).best)


@pytest.mark.parametrize("member", ["../{}", "/{}", "images/../../{}", "..\\{}", "C:\\{}"])
def test_a_path_that_leaves_a_zip_is_refused(prepare, tmp_path, member):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("bird/1.png", b"x")
        file.writestr(member.format("evil.png"), b"x")
    with pytest.raises(DataError, match="leaves the zip: do not use this file"):
        prepare("folder", tmp_path / "a.zip", name="birds")
    assert not list(tmp_path.rglob("evil.png"))


@pytest.mark.parametrize("name", ["../outside/secret.jpg", "{outside}/secret.jpg"])
def test_a_list_of_pictures_cannot_name_one_elsewhere(prepare, tmp_path, name):
    root, outside = published.make_csv(tmp_path / "set"), tmp_path / "outside"
    outside.mkdir()
    shutil.copy(next(root.rglob("*.jpg")), outside / "secret.jpg")
    lists = next(root.rglob("train.csv"))
    header, first, *rest = lists.read_text().splitlines()
    lists.write_text("\n".join([header, f"{name.format(outside=outside)},{first.split(',')[1]}", *rest]))
    with pytest.raises(DataError, match=r"lacks 1 of \d+ pictures"):
        prepare("miniimagenet", root, expected=MINI)


def _birds(root: Path) -> Path:
    from PIL import Image

    for bird in range(7):
        (root / f"bird{bird}").mkdir(parents=True)
        for number in range(16):
            Image.new("RGB", (8, 8), (bird, number, 0)).save(root / f"bird{bird}" / f"{number}.png")
    return root


@pytest.mark.parametrize("name", ["../outside", "{outside}", "bird0/../../outside", "."])
def test_a_split_file_cannot_name_classes_elsewhere(prepare, tmp_path, name):
    root = _birds(tmp_path / "set")
    shutil.copytree(root / "bird0", tmp_path / "outside")
    split = {"base": ["bird0", name.format(outside=tmp_path / "outside")], "val": ["bird2", "bird3"]}
    published.write_json(tmp_path / "split.json", split | {"novel": ["bird4", "bird5"]})
    with pytest.raises(DataError, match="there are no pictures of such a class"):
        prepare("folder", root, name="birds", split=tmp_path / "split.json")


@pytest.mark.parametrize("what", ["file", "folder", "loop"])
def test_links_out_of_a_folder_of_pictures_are_not_followed(prepare, tmp_path, what):
    root = _birds(tmp_path / "set")
    if what == "folder":
        (root / "bird0").rename(tmp_path / "outside")
        (root / "bird0").symlink_to(tmp_path / "outside")
        found = prepare("folder", root, name="birds", size=8)
        assert "bird0" not in found.class_names
        return
    picture = root / "bird0" / "1.png"
    picture.rename(tmp_path / "outside.png")
    picture.symlink_to(tmp_path / "outside.png" if what == "file" else picture)
    with pytest.raises(DataError, match=r"leads out of|cannot be read"):
        prepare("folder", root, name="birds", size=8)


@pytest.mark.timeout(60)  # a pipe that nobody writes to is waited on for ever
def test_a_pipe_among_the_files_is_refused(prepare, tmp_path):
    root = _birds(tmp_path / "set")
    (root / "bird0" / "1.png").unlink()
    os.mkfifo(root / "bird0" / "1.png")
    with pytest.raises(DataError, match="is empty"):
        prepare("folder", root, name="birds", size=8)
    root = published.make_csv(tmp_path / "mini")
    (root / "train.csv").unlink()
    os.mkfifo(root / "train.csv")
    with pytest.raises(DataError, match=r"train.csv cannot be read: it is no file"):
        prepare("miniimagenet", root, expected=MINI)


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "..", ".x", "", "a\0b", "x" * 65])
def test_the_name_of_a_set_is_no_path(tmp_path, monkeypatch, name):
    monkeypatch.setenv("RAYMAML_CACHE", str(tmp_path / "cache"))
    with pytest.raises(SpecError, match="a data set's name is letters"):
        prepared.read_record(name)


# --- secrets

SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "WANDB_API_KEY", "RAY_AUTH_TOKEN", "http_proxy")


def test_nothing_of_the_environment_gets_into_what_is_kept(images, prepare, tmp_path, monkeypatch):
    for number, name in enumerate(SECRETS):
        monkeypatch.setenv(name, f"s3cr3t-{number}")
    spec = train_spec(images, "demo", updates=1, validate_every=1, val_tasks=2, test_tasks=2, query=1)
    run = RunDir(tmp_path / "run")
    run.claim(spec)
    training.train(spec, images, seed=5, directory=run.seed(5))
    _surface(run, images, tmp_path / "run" / "s.zarr")
    prepare("folder", _birds(tmp_path / "set"), name="birds", size=8)
    kept = [path for folder in ("run", "cache") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    assert {"checkpoint.json", "result.json", "metrics.jsonl", "zarr.json"} <= {path.name for path in kept}
    assert [str(path) for path in kept if b"s3cr3t" in path.read_bytes()] == []
    assert not set(machine.provenance()) & {*SECRETS, "env", "environ", "environment", "argv", "hostname", "user"}


@pytest.mark.parametrize("inside", ["adaptive/zarr.json", "zarr.json"])
def test_no_file_of_the_user_goes_into_a_store_wherever_it_lies(tmp_path, inside):
    store = tmp_path / "my-figures" / "s.zarr"  # a folder called so around the store opens nothing in it
    store.mkdir(parents=True)
    (store / "zarr.json").write_text("{}")
    with pytest.raises(SpecError, match="lies in the store"):
        files.write_json(store / inside, {})
    files.write_json(store / "adaptive" / "zarr.json", {}, in_store=True)
    files.write_json(store / "seed-5-figures" / "areas.json", {})
