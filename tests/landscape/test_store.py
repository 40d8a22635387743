import dataclasses
import json
import shutil

import numpy as np
import pytest
import xarray
import zarr

from raymaml.errors import MismatchError, MissingError, SpecError
from raymaml.landscape import store as stores
from raymaml.landscape.plan import Block, Plan
from raymaml.landscape.values import Values
from raymaml.specs import GridSpec


@pytest.fixture
def wide_spec(surface_spec):
    return dataclasses.replace(
        surface_spec, tasks=30, first_task=4, grid=GridSpec(3, 7, -0.5, 1.0), steps=(0, 2, 5), queries=(1, 2)
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "surface.zarr"


@pytest.fixture
def store(path, wide_spec):
    return stores.create_or_open(path, wide_spec, {"torch": "2", "threads": 1})


@pytest.fixture
def older(path, wide_spec, monkeypatch):
    """A store that an earlier version cut in another way, into 4 points along beta."""
    with monkeypatch.context() as patched:
        patched.setattr(stores, "plan_of", lambda *shape, shared: Plan(shape, (30, 1, 4)))
        return stores.create_or_open(path, wide_spec, {"torch": "2", "threads": 1})


def values(block):
    """Each cell's own number, in a decimal place per axis; accuracy is 0.5 more, the support loss has no query."""
    tasks, alphas, betas = (np.arange(*r) for r in (block.task, block.alpha, block.beta))
    cells = tasks[:, None, None] * 100.0 + alphas[:, None] * 10 + betas
    loss = cells[:, None, None] + np.array([0, 1e4, 2e4])[:, None, None, None] + np.array([0, 1e5])[:, None, None]
    return Values(loss, loss + 0.5, loss[:, :, 0] + 0.25)


def fill(store):
    for block in store.missing():
        store.write(block, values(block))


def test_what_is_written_is_read(store, path, wide_spec):
    fill(store)
    again = stores.open_store(path)
    everything = Block((0, 30), (0, 3), (0, 7))
    for name, expected in values(everything)._asdict().items():
        assert np.array_equal(again.read(name), expected), name
    assert again.read("done").all()
    assert again.spec == wide_spec
    assert again.provenance == {"torch": "2", "threads": 1}
    assert again.missing() == []


def test_a_store_that_was_cut_in_another_way_is_continued(older, path, wide_spec):
    assert older.missing()[0].shape == (30, 1, 4)
    fill(older)
    again = stores.create_or_open(path, wide_spec, {})
    assert again.plan.block_shape == (30, 1, 4)
    assert np.array_equal(again.read("loss"), values(Block((0, 30), (0, 3), (0, 7))).loss)
    assert again.missing() == []


def test_the_points_of_a_block_around_adapted_weights_share_an_adaptation(path, wide_spec):
    store = stores.create_or_open(path, dataclasses.replace(wide_spec, around="adapted"), {})
    assert store.plan.block_shape == (15, 2, 2)


def test_missing_blocks_are_those_not_written(store):
    blocks = store.missing()
    assert blocks == list(store.plan.blocks())
    for block in blocks[1::2]:
        store.write(block, values(block))
    assert store.missing() == blocks[::2]


def test_a_diverged_block_is_data_and_not_missing(store, path):
    block = store.missing()[0]
    store.write(block, Values(*(np.full_like(part, np.nan) for part in values(block))))
    again = stores.open_store(path)
    assert block not in again.missing()
    assert again.read("done")[block.slices].all()
    for name in ("loss", "accuracy", "support_loss"):
        assert len(list((path / name / "c").rglob("*"))) > 0  # stored, though equal to the fill value


@pytest.mark.parametrize("last", ["loss", "accuracy", "support_loss"])
def test_a_block_counts_only_when_all_of_it_is_written(store, path, monkeypatch, last):
    block = store.missing()[0]
    real = stores.SurfaceStore._array

    def fail_at_one(self, name):
        if name == last:
            raise OSError("disk full")
        return real(self, name)

    with monkeypatch.context() as patched:
        patched.setattr(stores.SurfaceStore, "_array", fail_at_one)
        with pytest.raises(OSError, match="disk full"):
            store.write(block, values(block))
    assert block in stores.open_store(path).missing()


@pytest.mark.parametrize(
    "block",
    [Block((0, 25), (0, 1), (0, 4)), Block((0, 30), (0, 2), (0, 4)), Block((0, 30), (0, 1), (1, 5))],
    ids=["tasks", "alphas", "shifted"],
)
def test_a_block_that_is_not_one_chunk_is_refused(older, block):
    store = older
    with pytest.raises(ValueError, match="is not one chunk of .*: writing parts of a chunk loses data"):
        store.write(block, values(block))


def test_values_of_another_shape_are_refused(store):
    block = store.missing()[0]
    for name, part in values(block)._asdict().items():
        with pytest.raises(ValueError, match=f"needs {name} of shape"):
            store.write(block, values(block)._replace(**{name: part[:-1]}))


def test_a_surface_is_one_step_and_one_number_of_queries(store):
    fill(store)
    everything = values(Block((0, 30), (0, 3), (0, 7)))
    assert np.array_equal(store.surface("loss"), everything.loss[:, 2, 1])  # the last of both
    assert np.array_equal(store.surface("accuracy", step=2, query=1), everything.accuracy[:, 1, 0])
    assert np.array_equal(store.surface("support_loss", step=0), everything.support_loss[:, 0])
    with pytest.raises(MissingError, match="not recorded at 3 steps, only at 0 2 5"):
        store.surface("loss", step=3)
    with pytest.raises(MissingError, match="not recorded at 15 query images, only at 1 2"):
        store.surface("loss", query=15)


def test_one_block_is_one_chunk_of_each_array(store):
    assert store.plan.block_shape == (30, 1, 1)
    for name in ("loss", "accuracy"):
        assert store.group[name].chunks == (30, 3, 2, 1, 1)
    assert store.group["support_loss"].chunks == (30, 3, 1, 1)
    assert store.group["done"].chunks == (30, 1, 1)
    store.write(store.missing()[0], values(store.missing()[0]))
    for name in ("loss", "accuracy", "support_loss", "done"):
        assert len([f for f in (store.path / name / "c").rglob("*") if f.is_file()]) == 1


def test_xarray_reads_it_as_is(store, path, recwarn):
    fill(store)
    data = xarray.open_zarr(path)
    assert dict(data.sizes) == {"task": 30, "step": 3, "query": 2, "alpha": 3, "beta": 7}
    assert set(data.data_vars) == {"loss", "accuracy", "support_loss", "done"}
    assert (data.step.values.tolist(), data["query"].values.tolist()) == ([0, 2, 5], [1, 2])
    assert data.alpha.values.tolist() == [-0.5, 0.25, 1.0]
    # Task 6 is the third: the first one is number 4 of the task seed.
    assert float(data.loss.sel(alpha=0.25, beta=1.0, task=6, step=5, query=2)) == 1e5 + 2e4 + 200 + 10 + 6
    assert float(data.support_loss.sel(alpha=0.25, beta=1.0, task=6, step=5)) == 2e4 + 200 + 10 + 6 + 0.25
    assert data.attrs["spec"]["split"] == "novel"
    assert not [w for w in recwarn if "onsolidated" in str(w.message)]


def test_the_same_surface_may_be_opened_again_and_leftovers_go(store, path, wide_spec):
    block = store.missing()[0]
    store.write(block, values(block))
    leftover = path / "loss" / "c" / "0" / "0" / ".abc.partial"
    leftover.touch()
    again = stores.create_or_open(path, wide_spec, {"other": "provenance"})
    assert len(again.missing()) == len(list(store.plan.blocks())) - 1
    assert again.provenance == {"torch": "2", "threads": 1}
    assert not leftover.exists()


def test_another_surface_is_refused_with_the_difference(store, path, wide_spec):
    with pytest.raises(MismatchError, match="holds another surface: steps is 0 2 5, asked for 0 5; name another store"):
        stores.create_or_open(path, dataclasses.replace(wide_spec, steps=(0, 5)), {})


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
        (lambda a: a.update(format=3), "has format 3, this version reads 2; update raymaml"),
        (lambda a: a.update(format=1), "has format 1, this version reads 2; move it away and compute it again"),
        (lambda a: a["spec"].update(steps=[2, 2, 5]), "steps must ascend, each number once, got 2 2 5"),
        (lambda a: a.pop("spec"), "not a surface that raymaml wrote, or it is damaged"),
        (lambda a: a.update(spec=3), "SurfaceSpec needs exactly the names"),
        (lambda a: a.update(plan={}), "or it is damaged"),
        (lambda a: a["plan"].update(block_shape=[1, 1, 2]), "or it is damaged: array loss has shape"),
    ],
    ids=["newer format", "older format", "steps", "no spec", "spec", "plan", "chunks"],
)
def test_damaged_metadata_is_refused(store, path, change, message):
    damage(path, change)
    with pytest.raises(SpecError, match=message):
        stores.open_store(path)


def test_a_missing_array_is_refused(store, path):
    shutil.rmtree(path / "accuracy")
    with pytest.raises(SpecError, match="or it is damaged"):
        stores.open_store(path)
