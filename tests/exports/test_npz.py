import json

import numpy as np

from raymaml.exports import npz


def test_arrays_and_texts_come_back_without_pickle(tmp_path):
    arrays = {"loss": np.arange(6, dtype=np.float32).reshape(1, 2, 3), "done": np.ones((1, 3), np.uint8)}
    npz.write(tmp_path / "a.npz", arrays, spec={"seed": 5}, provenance={"host": "α"})
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    with np.load(tmp_path / "a.npz", allow_pickle=False) as found:
        assert set(found) == {"loss", "done", "spec", "provenance"}
        assert found["loss"].dtype == np.float32
        np.testing.assert_array_equal(found["loss"], arrays["loss"])
        assert json.loads(str(found["spec"])) == {"seed": 5}
        assert json.loads(str(found["provenance"])) == {"host": "α"}


def test_the_same_arrays_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        npz.write(tmp_path / f"{name}.npz", {"loss": np.ones(3)}, spec={}, provenance={})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
