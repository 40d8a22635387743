"""`raymaml export`: which part of which store goes into which file."""

import csv
import dataclasses
import json
import shutil

import h5py
import numpy as np
import pytest

import raymaml
from raymaml.landscape import sets
from raymaml.landscape.store import create_or_open, open_store
from raymaml.landscape.values import empty

ALL = ["h5", "npz", "csv", "vts", "html"]


@pytest.fixture
def values(store):
    """The arrays of the store: 8 of 11 alphas are done."""
    opened = open_store(store)
    return {name: opened.read(name) for name in ("loss", "accuracy", "support_loss", "done")}


def files(ran, folder):
    """The names on stdout, checked to be all that is in the folder."""
    assert sorted(ran.out.splitlines()) == sorted(str(path) for path in folder.iterdir())
    return [line.rsplit("/", 1)[1] for line in ran.out.splitlines()]


def test_every_format_goes_beside_the_store_and_says_what_is_missing(command, store):
    ran = command("export", store)
    assert ran.code == 0
    assert ran.err == f"warning: 72 % of {store} is computed; the files say what is not\n"
    assert files(ran, store.with_name("small-export")) == [f"small.{end}" for end in ALL]


def test_some_formats_in_another_folder(command, store, here):
    ran = command("export", "--format", "npz", "csv", store, "--out", here / "X")
    assert ran.code == 0
    assert files(ran, here / "X") == ["small.npz", "small.csv"]


def test_hdf5_is_the_mean_of_the_last_step_and_the_most_queries(command, store, here, values):
    assert command("export", store, "--format", "hdf5", "--out", here).code == 0
    with h5py.File(here / "small.h5") as file:
        x, y = np.meshgrid(file["xcoordinates"][:], file["ycoordinates"][:])  # as plot_2D.py
        z, percent, support = (file[name][:] for name in ("train_loss", "train_acc", "support_loss"))
        assert json.loads(file.attrs["spec"])["queries"] == [1, 15]
    at = np.nonzero(np.isclose(x, -0.6) & (y == 1.0))
    assert (len(at[0]), z.shape) == (1, (7, 11))
    assert z[at] == pytest.approx(values["loss"][:, 1, 1, 2, 6].mean())
    assert percent[at] == pytest.approx(100 * values["accuracy"][:, 1, 1, 2, 6].mean())
    assert support[at] == pytest.approx(values["support_loss"][:, 1, 2, 6].mean())
    assert (z[:, 8:] == -1).all()
    assert (z[:, :8] > 0).all()


def test_a_step_queries_and_tasks_of_a_store(command, store, here, values):
    ran = command("export", store, "--step", 0, "--query", 1, "--tasks", 2, "--out", here)
    stem = "small-0steps-1queries-2tasks"
    assert files(ran, here) == [f"{stem}.{end}" for end in ALL]
    with h5py.File(here / f"{stem}.h5") as file:
        assert file["train_loss"][3, 4] == pytest.approx(values["loss"][:2, 0, 0, 4, 3].mean())
    with np.load(here / f"{stem}.npz", allow_pickle=False) as found:
        np.testing.assert_array_equal(found["loss"], values["loss"][:2, :1, :1])
        np.testing.assert_array_equal(found["support_loss"], values["support_loss"][:2, :1])
        np.testing.assert_array_equal(found["done"], values["done"][:2])
        assert [found[axis].tolist() for axis in ("task", "step", "query")] == [[0, 1], [0], [1]]
    with (here / f"{stem}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 11 * 7
    assert {(row["step"], row["query"], row["tasks"]) for row in rows} == {("0", "1", "2")}
    assert "after 0 inner steps" in (here / f"{stem}.html").read_text()


def test_npz_is_the_whole_store(command, store, here, values):
    assert command("export", store, "--format", "npz", "--out", here).code == 0
    with np.load(here / "small.npz", allow_pickle=False) as found:
        for name, expected in values.items():
            np.testing.assert_array_equal(found[name], expected)
        assert found["loss"].dtype == np.float32
        assert (found["alpha"].shape, found["beta"].shape) == ((11,), (7,))
        assert json.loads(str(found["spec"])) == json.loads(json.dumps(open_store(store).spec.to_dict()))


def test_csv_holds_every_step_and_query_number(command, store, here, values):
    assert command("export", store, "--format", "csv", "--out", here).code == 0
    with (here / "small.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 11 * 7
    [row] = [r for r in rows if (r["alpha"], r["beta"], r["step"], r["query"]) == ("-1.0", "0.0", "10", "1")]
    expected = values["loss"][:, 1, 0, 0, 3].astype(float)
    assert float(row["loss_mean"]) == pytest.approx(expected.mean())
    assert float(row["loss_stderr"]) == pytest.approx(expected.std(ddof=1) / 3**0.5)


def test_csv_of_each_task(command, store, here):
    ran = command("export", store, "--format", "csv", "--per-task", "--out", here)
    assert files(ran, here) == ["small-per-task.csv"]
    with (here / "small-per-task.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 * 2 * 11 * 7
    assert sum(row["loss"] == "" for row in rows) == 3 * 2 * 2 * 3 * 7


@pytest.mark.parametrize(("quantity", "labels"), [("accuracy", 4), ("support_loss", 2)])
def test_another_quantity_is_the_height(command, store, here, quantity, labels):
    ran = command("export", store, "--format", "vtk", "html", "--quantity", quantity, "--out", here)
    assert files(ran, here) == [f"small-{quantity}.vts", f"small-{quantity}.html"]
    assert f'Scalars="{quantity}"' in (here / f"small-{quantity}.vts").read_text()
    page = (here / f"small-{quantity}.html").read_text()
    call = page[page.rindex("Plotly.newPlot(") :]
    assert call.count('"type":"surface"') - call.count('"surface":[{') == labels


def test_a_set_gives_files_for_each_seed_and_direction(command, store, tmp_path, here):
    path, spec = tmp_path / "set.zarr", open_store(store).spec
    for seed, direction in ((10, 0), (5, 1)):
        member = dataclasses.replace(spec, seed=seed, direction_seed=direction, checkpoint_digest=str(seed))
        sets.claim(path, member)
        create_or_open(sets.member_path(path, member), member, {})
    ran = command("export", path, "--format", "csv", "hdf5")
    names = [f"set-seed-{name}.{end}" for name in ("5-direction-1", "10-direction-0") for end in ("h5", "csv")]
    assert files(ran, tmp_path / "set-export") == names
    assert ran.err.count("warning: 0 % of") == 2
    with h5py.File(tmp_path / "set-export" / names[2]) as file:
        assert json.loads(file.attrs["spec"])["seed"] == 10


def test_a_finished_store_needs_no_warning(store):
    opened = open_store(store)
    for block in opened.missing():
        values = empty(block.shape, 2, 2, "float32")
        for part in values:
            part[...] = 1
        opened.write(block, values)
    notes = []
    assert [path.name for path in raymaml.export(opened, ["npz"], on_note=notes.append)] == ["small.npz"]
    assert notes == []


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("STORE --format cvs", "'cvs' is not one of"),
        ("STORE --format csv html nope", "unexpected extra argument"),
        ("STORE --step 3", "the surface was not recorded at 3 steps, only at 0 10"),
        ("STORE --query 4", "not recorded at 4 query images, only at 1 15"),
        ("STORE --tasks 4", "holds 3 tasks: --tasks must be from 1 to that, got 4"),
        ("STORE --format vtk --per-task", "--per-task is of the csv format"),
        ("none.zarr", "no surface at none.zarr"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(command, store, here, typed, expected):
    ran = command("export", *(str(store) if word == "STORE" else word for word in typed.split()), "--out", here / "X")
    assert (ran.code, ran.out) == (2, "")
    assert expected in ran.err
    assert ran.err.count("\n") == 1
    assert not (here / "X").exists()


def test_a_surface_of_one_point_has_no_page(command, store, tmp_path, here):
    spec = open_store(store).spec
    point = dataclasses.replace(spec, grid=dataclasses.replace(spec.grid, alphas=1, betas=1))
    create_or_open(tmp_path / "point.zarr", point, {})
    ran = command("export", tmp_path / "point.zarr")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "1 x 1 points, a page needs at least 2 x 2: name other formats" in ran.err
    assert not (tmp_path / "point-export").exists()
    assert command("export", tmp_path / "point.zarr", "--format", "hdf5", "npz", "csv", "vtk").code == 0


def test_a_damaged_store_is_one_line(command, store, here):
    shutil.rmtree(store / "loss")
    ran = command("export", store)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "loss is not an array that raymaml wrote, or it is damaged" in ran.err
