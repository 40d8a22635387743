import dataclasses
import json

import numpy as np
import pytest
import xarray

from raymaml.errors import MismatchError, MissingError, SpecError
from raymaml.sharpness.spec import SharpnessSpec
from raymaml.sharpness.store import create_or_open, open_store

PARAMETERS = 7


@pytest.fixture
def store(sharp_spec, tmp_path):
    return create_or_open(tmp_path / "s.zarr", sharp_spec, {"threads": 1}, PARAMETERS)


def values(count, start=0.0):
    return {
        "loss0": np.arange(count) + start,
        "loss_standard": np.full(count, np.nan),
        "sharpness_standard": np.ones(count),
    }


def test_parts_are_the_tasks_in_order_and_cut_short_at_the_end(store):
    assert [list(store.tasks(part)) for part in store.parts] == [list(range(10)), [10, 11, 12]]


def test_what_is_written_is_read_and_no_longer_missing(store):
    assert store.missing("standard") == [0, 1]
    store.write(1, ["standard"], values(3, 10.0))
    again = open_store(store.path)
    assert (again.missing("standard"), again.missing("adaptive")) == ([0], [0, 1])
    assert again.read("loss0")[10:].tolist() == [10.0, 11.0, 12.0]
    assert np.isnan(again.read("loss0")[:10]).all()
    store.write(0, ["standard"], values(10))
    assert open_store(store.path).missing("standard") == []


def test_a_part_that_diverged_is_done(store):
    for part, count in ((0, 10), (1, 3)):
        store.write(part, ["standard"], {name: row * np.nan for name, row in values(count).items()})
    assert store.missing("standard") == []
    assert (store.path / "loss0" / "c" / "0").is_file()


def test_a_part_counts_only_after_all_its_values(store, monkeypatch):
    with pytest.raises(ValueError, match=r"sharpness_standard needs values of shape \(10,\), got \(3,\)"):
        store.write(0, ["standard"], values(10) | {"sharpness_standard": np.ones(3)})
    assert store.missing("standard") == [0, 1]


def test_the_mean_gradient_adds_parts_in_order(sharp_spec, tmp_path):
    store = create_or_open(tmp_path / "m.zarr", dataclasses.replace(sharp_spec, tasks=23), {}, 2)
    for part, row in ((2, [-1e30, 5.0]), (0, [1e30, 1.0]), (1, [1.0, 2.0])):
        store.write(part, ["gradient"], {"gradient_sum": np.array(row)})
    assert store.missing("gradient") == []
    assert store.mean_gradient().tolist() == [0.0, 8 / 23]  # (1e30 + 1) - 1e30 is 0 in this order alone


def test_the_same_again_is_opened_and_another_is_refused(store, sharp_spec):
    (store.path / "loss0" / "x.partial").touch()
    assert create_or_open(store.path, sharp_spec, {}, PARAMETERS).provenance == {"threads": 1}
    assert not list(store.path.rglob("*.partial"))
    with pytest.raises(MismatchError, match=r"another measurement: rho is 0.05, asked for 0.1; move it away"):
        create_or_open(store.path, dataclasses.replace(sharp_spec, rho=0.1), {}, PARAMETERS)


def test_xarray_opens_it_as_it_is(store):
    store.write(1, ["standard"], values(3))
    found = xarray.open_zarr(store.path)
    assert found["sharpness_standard"].sel(task=12) == 1.0
    assert found["gradient_sum"].sizes == {"part": 2, "parameter": PARAMETERS}
    assert SharpnessSpec.from_dict(found.attrs["spec"]) == store.spec


def test_what_is_not_there_or_no_sharpness_is_refused(tmp_path, store):
    with pytest.raises(MissingError, match="no sharpness at .*nope.zarr; measure it: raymaml sharpness"):
        open_store(tmp_path / "nope.zarr")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SpecError, match="empty is not a sharpness that raymaml wrote"):
        open_store(tmp_path / "empty")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"format": 2}, "has format 2, this version reads 1; update raymaml"),
        ({"kind": "raymaml.surface"}, "is not a sharpness that raymaml wrote"),
        ({"spec": {}}, "SharpnessSpec needs exactly the names"),
        ({"provenance": None, "spec": None}, "SharpnessSpec needs exactly the names"),
    ],
)
def test_a_store_that_cannot_be_read_is_named(store, change, expected):
    metadata = store.path / "zarr.json"
    text = json.loads(metadata.read_text())
    text["attributes"] |= change
    metadata.write_text(json.dumps(text))
    with pytest.raises(SpecError, match=expected):
        open_store(store.path)


def test_a_store_with_an_array_of_another_shape_is_damaged(store, sharp_spec, tmp_path):
    other = create_or_open(tmp_path / "o.zarr", dataclasses.replace(sharp_spec, tasks=14), {}, PARAMETERS)
    (other.path / "loss0" / "zarr.json").replace(store.path / "loss0" / "zarr.json")
    with pytest.raises(SpecError, match="array loss0 has shape"):
        open_store(store.path)
