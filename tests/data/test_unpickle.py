import io
import os
import pickle

import numpy as np
import pytest
from data.published import python2_pickle

from raymaml.data import unpickle
from raymaml.errors import DataError

VALUES = {
    "image_data": np.arange(24, dtype=np.uint8).reshape(2, 4, 3),
    "labels": [3, 5],
    "class_dict": {"n01532829": [0, 1]},
}


def load(raw):
    return unpickle.load(io.BytesIO(raw), "x.pkl")


def assert_same(found):
    assert list(found) == list(VALUES)
    assert np.array_equal(found["image_data"], VALUES["image_data"])
    assert found["image_data"].dtype == np.uint8
    assert found["labels"] == [3, 5]
    assert found["class_dict"] == {"n01532829": [0, 1]}


@pytest.mark.parametrize("protocol", range(6))
def test_pickles_of_python_3_are_read(protocol):
    assert_same(load(pickle.dumps(VALUES, protocol)))


@pytest.mark.parametrize("numpy", [b"numpy.core", b"numpy._core"])
def test_pickles_of_python_2_and_of_both_numpys_are_read(numpy):
    raw = python2_pickle(VALUES)
    expected = pickle.loads(raw, encoding="latin1")  # the copy is a pickle that numpy itself reads
    assert np.array_equal(expected["image_data"], VALUES["image_data"])
    assert_same(load(raw.replace(b"numpy.core", numpy)))
    again = pickle.dumps(VALUES, 4).replace(
        b"\x16numpy._core.multiarray", bytes([len(numpy) + 11]) + numpy + b".multiarray"
    )
    assert numpy in again
    assert_same(load(_without_frame(again)))


def _without_frame(raw):
    """Drop the FRAME opcodes, whose lengths no longer hold; protocol 4 does not need them."""
    assert raw[2:3] == b"\x95"
    return raw[:2] + raw[11:]


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(np.arange(6, dtype=np.int64).reshape(2, 3)),
        np.arange(6, dtype=">i4"),
        np.array([True, False]),
        np.zeros((0, 3), np.float32),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_arrays_of_any_order_and_number(array, protocol):
    found = load(pickle.dumps({"a": array}, protocol))["a"]
    assert np.array_equal(found, array)
    assert found.dtype == array.dtype


def test_numbers_of_numpy_and_keys_of_bytes():
    assert load(pickle.dumps({b"labels": [np.int64(7)], 3: "x"}, 4)) == {"labels": [7], 3: "x"}


class Evil:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_would_run_a_program_is_refused_and_runs_nothing(tmp_path, protocol):
    raw = pickle.dumps({"data": Evil(os.system, f"touch {tmp_path / 'ran'}")}, protocol)
    with pytest.raises(DataError, match=r"x.pkl asks for posix.system.*do not use this file") as caught:
        load(raw)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()
    pickle.loads(raw)
    assert (tmp_path / "ran").exists(), "the pickle is evil"


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        (Evil(eval, "1 + 1"), "builtins.eval"),
        (Evil(np.load, "x.npy"), "numpy"),
        (Evil(np.ndarray, (1,)), "numpy.ndarray"),
        (Evil(np.dtype, "O"), "an array of 'O'"),
        (np.array([print], dtype=object), "an array of 'O8'|builtins.print"),
        (np.array(["text"]), "an array of 'U4'"),
        (np.zeros(2, [("a", "u1")]), "an array of 'V1'"),
        (bytearray, "builtins.bytearray"),
    ],
)
def test_nothing_but_plain_numbers_text_lists_and_dicts_is_read(value, asked):
    with pytest.raises(DataError, match=rf"asks for {asked}"):
        load(pickle.dumps({"data": value}, 4))


@pytest.mark.parametrize("raw", [b"", b"garbage", pickle.dumps(VALUES)[:-20], b"\x80\x02]q\x00h\x00a."])
def test_a_damaged_pickle_is_one_line(raw):
    with pytest.raises(DataError, match=r"x.pkl (is damaged|holds no dict)") as caught:
        load(raw)
    assert "\n" not in str(caught.value)


def test_an_array_whose_bytes_do_not_fit_is_damaged():
    raw = python2_pickle({"a": np.arange(6, dtype=np.uint8)}).replace(b"(J\x06\x00\x00\x00t", b"(J\x07\x00\x00\x00t")
    with pytest.raises(DataError, match="damaged"):
        load(raw)
