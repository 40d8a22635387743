import json
import pickle

import pytest
import torch

from raymaml import checkpoints
from raymaml.checkpoints import Checkpoint
from raymaml.errors import MismatchError, MissingError, SpecError
from raymaml.specs import Score


@pytest.fixture
def saved(spec, tmp_path):
    params = {"b": torch.tensor([1.0, float("nan"), -0.0]), "a": torch.arange(6.0).reshape(2, 3)}
    checkpoint = Checkpoint(
        spec,
        5,
        12,
        params,
        Score(0.5, 0.1, 1.2, 3),
        0.6,
        since_validation=[[1.5, 0.25]],
        optimiser={"a/step": torch.tensor(3.0)},
        provenance={"torch": "2"},
    )
    checkpoints.save(tmp_path / "last", checkpoint)
    return tmp_path / "last", checkpoint


def test_what_is_saved_is_loaded_to_the_bit(saved):
    directory, before = saved
    after = checkpoints.load(directory)
    assert (after.spec, after.seed, after.step, after.val) == (before.spec, before.seed, before.step, before.val)
    assert after.best_accuracy == before.best_accuracy
    assert after.since_validation == before.since_validation
    assert after.provenance == before.provenance
    for name in before.params:
        assert torch.equal(after.params[name].view(torch.int32), before.params[name].view(torch.int32))
    assert after.optimiser["a/step"] == 3.0


def test_a_newer_checkpoint_replaces_the_older(saved, spec):
    directory, before = saved
    checkpoints.save(directory, Checkpoint(spec, 5, 13, before.params))
    assert checkpoints.load(directory).step == 13
    assert [p.name for p in directory.glob("*.safetensors")] == ["step-000013.safetensors"]


def test_nothing_there(tmp_path):
    assert not checkpoints.exists(tmp_path)
    with pytest.raises(MissingError, match=r"checkpoint\.json is not there"):
        checkpoints.load(tmp_path)


def test_weights_that_changed_are_refused(saved):
    weights = next(saved[0].glob("*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(MismatchError, match="is corrupt: its SHA-256 is not the one"):
        checkpoints.load(saved[0])


def test_weights_cut_short_are_refused(saved):
    weights = next(saved[0].glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:50])
    with pytest.raises(MismatchError, match="is corrupt"):
        checkpoints.load(saved[0])


def test_missing_weights_are_named(saved):
    next(saved[0].glob("*.safetensors")).unlink()
    with pytest.raises(MissingError, match=r"step-000012\.safetensors is not there: the checkpoint is incomplete"):
        checkpoints.load(saved[0])


def test_a_pickle_in_place_of_the_weights_is_never_run(saved):
    directory = saved[0]
    ran = directory / "ran"

    class Evil:
        def __reduce__(self):
            return (open, (str(ran), "w"))

    weights = next(directory.glob("*.safetensors"))
    weights.write_bytes(pickle.dumps(Evil()))
    info = json.loads((directory / "checkpoint.json").read_text())
    info["weights_sha256"] = checkpoints.files.sha256(weights)
    (directory / "checkpoint.json").write_text(json.dumps(info))
    with pytest.raises(SpecError, match="is not a safetensors file"):
        checkpoints.load(directory)
    assert not ran.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("no json", "cannot be read as JSON"),
        ([], "not a checkpoint of format 1"),
        ({}, "not a checkpoint of format 1"),
        ({"format": 2}, r"^\S+ has format 2, this version reads 1"),
        ({"spec": {}}, "^TrainSpec needs exactly the names"),
        ({"val": 3}, "^Score needs exactly the names"),
        ({"weights": "../../other.safetensors"}, r"last/other\.safetensors is not there"),
    ],
    ids=str,
)
def test_a_damaged_description_is_refused(saved, change, message):
    file = saved[0] / "checkpoint.json"
    info = json.loads(file.read_text())
    values = {**info, **change} if isinstance(change, dict) and change else change
    file.write_text(values if isinstance(values, str) else json.dumps(values))
    with pytest.raises((SpecError, MissingError), match=message):
        checkpoints.load(saved[0])
