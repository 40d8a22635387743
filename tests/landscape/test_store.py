import dataclasses
import json
import shutil

import numpy as np
import pytest
import xarray
import zarr

from raymaml.errors import MismatchError, MissingError, SpecError
from raymaml.landscape import store as stores
from raymaml.landscape.plan import Block
from raymaml.specs import GridSpec


@pytest.fixture
def wide_spec(surface_spec):
    return dataclasses.replace(surface_spec, tasks=30, grid=GridSpec(3, 7, -0.5, 1.0))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "surface.zarr"


@pytest.fixture
def store(path, wide_spec):
    return stores.create_or_open(path, wide_spec, {"torch": "2", "threads": 1})


def values(block, offset=0.0):
    tasks, alphas, betas = (np.arange(*r) for r in (block.task, block.alpha, block.beta))
    return offset + tasks[:, None, None] * 100.0 + alphas[:, None] * 10 + betas


def fill(store):
    for block in store.missing():
        store.write(block, values(block), values(block, 0.5))


def test_what_is_written_is_read(store, path, wide_spec):
    fill(store)
    again = stores.open_store(path)
    everything = Block((0, 30), (0, 3), (0, 7))
    assert np.array_equal(again.read("loss"), values(everything))
    assert np.array_equal(again.read("accuracy"), values(everything, 0.5))
    assert again.read("done").all()
    assert again.spec == wide_spec
    assert again.provenance == {"torch": "2", "threads": 1}
    assert again.missing() == []


def test_missing_blocks_are_those_not_written(store):
    blocks = store.missing()
    assert blocks == list(store.plan.blocks())
    for block in blocks[1::2]:
        store.write(block, values(block), values(block))
    assert store.missing() == blocks[::2]


def test_a_diverged_block_is_data_and_not_missing(store, path):
    block = store.missing()[0]
    store.write(block, np.full(block.shape, np.nan), np.zeros(block.shape))
    again = stores.open_store(path)
    assert block not in again.missing()
    assert np.isnan(again.read("loss")[block.slices]).all()
    assert len(list((path / "loss" / "c").rglob("*"))) > 0  # stored, though equal to the fill value


def test_a_block_counts_only_when_all_of_it_is_written(store, path, monkeypatch):
    block = store.missing()[0]
    real = stores.SurfaceStore._array

    def fail_at_accuracy(self, name):
        if name == "accuracy":
            raise OSError("disk full")
        return real(self, name)

    with monkeypatch.context() as patched:
        patched.setattr(stores.SurfaceStore, "_array", fail_at_accuracy)
        with pytest.raises(OSError, match="disk full"):
            store.write(block, values(block), values(block))
    assert block in stores.open_store(path).missing()


@pytest.mark.parametrize(
    "block",
    [Block((0, 30), (0, 1), (0, 4)), Block((0, 25), (0, 2), (0, 4)), Block((0, 25), (0, 1), (1, 5))],
    ids=["tasks", "alphas", "shifted"],
)
def test_a_block_that_is_not_one_chunk_is_refused(store, block):
    with pytest.raises(ValueError, match="is not one chunk of .*: writing parts of a chunk loses data"):
        store.write(block, values(block), values(block))


def test_values_of_another_shape_are_refused(store):
    block = store.missing()[0]
    with pytest.raises(ValueError, match="needs values of shape"):
        store.write(block, values(block)[:-1], values(block))


def test_one_block_is_one_chunk_of_each_array(store):
    for name in ("loss", "accuracy", "done"):
        assert store.group[name].chunks == store.plan.block_shape == (25, 1, 4)


def test_xarray_reads_it_as_is(store, path, recwarn):
    fill(store)
    data = xarray.open_zarr(path)
    assert dict(data.sizes) == {"task": 30, "alpha": 3, "beta": 7}
    assert set(data.data_vars) == {"loss", "accuracy", "done"}
    assert data.alpha.values.tolist() == [-0.5, 0.25, 1.0]
    assert float(data.loss.sel(alpha=0.25, beta=1.0, task=2)) == 200 + 10 + 6
    assert data.attrs["spec"]["split"] == "novel"
    assert not [w for w in recwarn if "onsolidated" in str(w.message)]


def test_the_same_surface_may_be_opened_again_and_leftovers_go(store, path, wide_spec):
    block = store.missing()[0]
    store.write(block, values(block), values(block))
    leftover = path / "loss" / "c" / "0" / "0" / ".abc.partial"
    leftover.touch()
    again = stores.create_or_open(path, wide_spec, {"other": "provenance"})
    assert len(again.missing()) == len(list(store.plan.blocks())) - 1
    assert again.provenance == {"torch": "2", "threads": 1}
    assert not leftover.exists()


def test_another_surface_is_refused_with_the_difference(store, path, wide_spec):
    with pytest.raises(MismatchError, match="holds another surface: steps is 2, asked for 5; name another store"):
        stores.create_or_open(path, dataclasses.replace(wide_spec, steps=5), {})


def test_nothing_half_made_is_left_when_creation_fails(path, wide_spec, monkeypatch):
    def fail(group, spec):
        assert not path.exists()
        raise OSError("disk full")

    monkeypatch.setattr(stores, "_create_coordinates", fail)
    with pytest.raises(OSError, match="disk full"):
        stores.create_or_open(path, wide_spec, {})
    assert list(path.parent.iterdir()) == []


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(MissingError, match="no surface at .*; compute one"):
        stores.open_store(tmp_path / "none.zarr")
    (tmp_path / "folder").mkdir()
    with pytest.raises(SpecError, match="not a surface that raymaml wrote"):
        stores.open_store(tmp_path / "folder")
    zarr.create_group(tmp_path / "other.zarr", attributes={"kind": "weather"})
    with pytest.raises(SpecError, match="not a surface that raymaml wrote"):
        stores.open_store(tmp_path / "other.zarr")


def damage(path, change):
    file = path / "zarr.json"
    metadata = json.loads(file.read_text())
    change(metadata["attributes"])
    file.write_text(json.dumps(metadata))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.update(format=2), "has format 2, this version reads 1"),
        (lambda a: a.pop("spec"), "not a surface that raymaml wrote, or it is damaged"),
        (lambda a: a.update(spec=3), "SurfaceSpec needs exactly the names"),
        (lambda a: a.update(plan={}), "or it is damaged"),
        (lambda a: a["plan"].update(block_shape=[1, 1, 1]), "or it is damaged: array loss has shape"),
    ],
    ids=["format", "no spec", "spec", "plan", "chunks"],
)
def test_damaged_metadata_is_refused(store, path, change, message):
    damage(path, change)
    with pytest.raises(SpecError, match=message):
        stores.open_store(path)


def test_a_missing_array_is_refused(store, path):
    shutil.rmtree(path / "accuracy")
    with pytest.raises(SpecError, match="or it is damaged"):
        stores.open_store(path)
