"""Read back by a small reader of VTK's format, written from its documentation rather than from our writer."""

import base64
import dataclasses
import struct
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from raymaml.exports import vtk
from raymaml.exports.means import Mean

TYPES = {"Float64": "<f8", "UInt8": "<u1", "Int64": "<i8"}


def read(path):
    """Extent, points (point, 3), and point data by name."""
    root = ET.parse(path).getroot()
    assert root.attrib["type"] == "StructuredGrid"
    assert (root.attrib["byte_order"], root.attrib["header_type"]) == ("LittleEndian", "UInt64")
    piece = root.find("StructuredGrid/Piece")
    assert piece.attrib["Extent"] == root.find("StructuredGrid").attrib["WholeExtent"]
    arrays = {}
    for item in root.iter("DataArray"):
        raw = base64.b64decode(item.text)
        (size,) = struct.unpack("<Q", raw[:8])
        assert len(raw) == 8 + size
        values = np.frombuffer(raw[8:], TYPES[item.attrib["type"]])
        arrays[item.attrib["Name"]] = values.reshape(-1, 3) if item.attrib["NumberOfComponents"] == "3" else values
    assert piece.find("Points/DataArray").attrib["Name"] == "points"
    return piece, arrays.pop("points"), arrays


@pytest.fixture
def found(means, tmp_path):
    vtk.write(tmp_path / "s.vts", means)
    return read(tmp_path / "s.vts")


def test_alpha_goes_fastest(found):
    piece, points, data = found
    assert piece.attrib["Extent"] == "0 2 0 1 0 0"
    assert points[:, :2].tolist() == [[-1, -0.5], [0, -0.5], [2, -0.5], [-1, 0.25], [0, 0.25], [2, 0.25]]
    assert data["support_loss"][[0, 1, 2, 3, 5]].tolist() == [3.5, 13.5, 23.5, 103.5, 123.5]


def test_the_height_is_the_loss(found):
    piece, points, data = found
    finite = np.isfinite(data["loss"])
    assert points[finite, 2].tolist() == data["loss"][finite].tolist() == [1.5, 11.5, 121.5]
    assert piece.find("PointData").attrib["Scalars"] == "loss"


def test_points_without_a_value_stand_at_the_worst_and_are_marked(found):
    _, points, data = found
    assert np.isfinite(points).all()
    assert points[[2, 3, 4], 2].tolist() == [121.5] * 3
    assert np.isnan(data["loss"][[2, 4]]).all()
    assert data["loss"][3] == np.inf
    assert data["diverged"].tolist() == [0, 0, 1, 1, 0, 0]
    assert data["computed"].tolist() == [1, 1, 1, 1, 0, 1]
    assert data["tasks_done"].tolist() == [2, 2, 2, 2, 1, 2]


def test_the_worst_accuracy_is_the_lowest(means, tmp_path):
    vtk.write(tmp_path / "a.vts", means, "accuracy")
    piece, points, data = read(tmp_path / "a.vts")
    assert piece.find("PointData").attrib["Scalars"] == "accuracy"
    assert points[4, 2] == np.nanmin(data["accuracy"]) == pytest.approx(0.0025)
    assert points[5, 2] == data["accuracy"][5] == pytest.approx(0.1225)


def test_errors_have_their_own_arrays(found, means):
    _, _, data = found
    for name in ("loss", "accuracy", "support_loss"):
        np.testing.assert_array_equal(data[f"{name}_stderr"], means.of(name).error.T.ravel())


def test_without_any_value_it_is_flat(means, tmp_path):
    nothing = Mean(*np.full((2, 3, 2), np.nan))
    vtk.write(tmp_path / "n.vts", dataclasses.replace(means, loss=nothing))
    assert (read(tmp_path / "n.vts")[1][:, 2] == 0).all()
