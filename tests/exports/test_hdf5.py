"""As github.com/tomgoldstein/loss-landscape reads it."""

import json

import h5py
import numpy as np
import pytest

from raymaml.exports import hdf5

SPEC, PROVENANCE = {"seed": 5, "steps": [0, 5]}, {"torch": "2.9"}


@pytest.fixture
def path(means, tmp_path):
    path = tmp_path / "new" / "surface.h5"
    hdf5.write(path, means, directions="seed 0", spec=SPEC, provenance=PROVENANCE)
    return path


def test_plot_2d_finds_each_value_at_its_alpha_and_beta(path, means):
    with h5py.File(path) as file:
        x, y = np.meshgrid(file["xcoordinates"][:], file["ycoordinates"][:])  # as plot_2D.py does
        z = file["train_loss"][:]
    assert z.shape == x.shape == y.shape == (2, 3)
    assert z[(x == 0.0) & (y == -0.5)] == [11.5]
    assert z[(x == 2.0) & (y == 0.25)] == [121.5]


def test_the_contours_of_matplotlib_take_it(path):
    """What plot_2D.py does with it; matplotlib refuses an array that is turned."""
    from matplotlib.figure import Figure

    with h5py.File(path) as file:
        x, y = np.meshgrid(file["xcoordinates"][:], file["ycoordinates"][:])
        axes = Figure().subplots()
        for name in ("train_loss", "train_acc", "support_loss"):
            drawn = axes.contour(x, y, file[name][:], levels=[0.5, 1, 50, 100])
            assert sum(len(line.vertices) for line in drawn.get_paths()) > 0, name


def test_h52vtp_takes_points_and_values_in_one_order(path):
    with h5py.File(path) as file:
        x, y = (axis.ravel() for axis in np.meshgrid(file["xcoordinates"][:], file["ycoordinates"][:]))
        z = file["support_loss"][:].ravel()  # as h52vtp.py does
    assert dict(zip(zip(x, y, strict=True), z, strict=True))[(2.0, -0.5)] == 23.5


def test_accuracy_is_percent_there(path):
    with h5py.File(path) as file:
        assert file["train_acc"][0, 1] == pytest.approx(1.25)


def test_what_is_not_computed_is_minus_one_and_what_diverged_stays(path):
    with h5py.File(path) as file:
        for name in ("train_loss", "train_acc", "support_loss"):
            assert (file[name][:] == -1).tolist() == [[False, False, False], [False, True, False]]
        assert np.isnan(file["train_loss"][0, 2])
        assert file["train_loss"][1, 0] == np.inf


def test_what_it_is_of_is_told(path):
    with h5py.File(path) as file:
        assert file["dir_file"][()] == b"seed 0"
        assert json.loads(file.attrs["spec"]) == SPEC
        assert json.loads(file.attrs["provenance"]) == PROVENANCE
        assert [file.attrs[name] for name in ("step", "query", "tasks")] == [5, 15, 2]


def test_the_same_surface_gives_the_same_bytes(path, means, tmp_path):
    hdf5.write(tmp_path / "again.h5", means, directions="seed 0", spec=SPEC, provenance=PROVENANCE)
    assert path.read_bytes() == (tmp_path / "again.h5").read_bytes()


def test_a_failure_leaves_nothing(means, tmp_path):
    with pytest.raises(TypeError):
        hdf5.write(tmp_path / "x.h5", means, directions="", spec={"seed": object()}, provenance={})
    assert list(tmp_path.iterdir()) == []
