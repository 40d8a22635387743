import csv
import dataclasses

import numpy as np
import pytest

from raymaml.exports import table
from raymaml.exports.means import mean_of


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def found(means, tmp_path):
    """Rows of the means by (alpha, beta)."""
    table.write_means(tmp_path / "means.csv", [means])
    return {(row["alpha"], row["beta"]): row for row in rows(tmp_path / "means.csv")}


def test_a_row_is_one_grid_point(found):
    assert len(found) == 6
    row = {name: float(text) for name, text in found["2.0", "0.25"].items()}
    assert row == pytest.approx(
        {
            "alpha": 2, "beta": 0.25, "step": 5, "query": 15, "loss_mean": 121.5, "loss_stderr": 0.5,
            "accuracy_mean": 0.1225, "accuracy_stderr": 0.0005, "support_loss_mean": 123.5, "support_loss_stderr": 0.5,
            "tasks_done": 2, "tasks": 2,
        }
    )  # fmt: skip


def test_diverged_is_nan_or_inf_and_not_computed_is_empty(found):
    assert (found["2.0", "-0.5"]["loss_mean"], found["2.0", "-0.5"]["loss_stderr"]) == ("nan", "nan")
    assert found["-1.0", "0.25"]["loss_mean"] == "inf"
    missing = found["0.0", "0.25"]
    assert missing["tasks_done"] == "1"
    assert {missing[name] for name in missing if name.endswith(("mean", "stderr"))} == {""}


def test_several_surfaces_follow_each_other(means, tmp_path):
    table.write_means(tmp_path / "x.csv", [means, dataclasses.replace(means, step=10)])
    assert [row["step"] for row in rows(tmp_path / "x.csv")] == ["5"] * 6 + ["10"] * 6


def test_one_task_has_no_standard_error(means, tmp_path):
    one = mean_of(np.full((1, 3, 2), 0.5), np.ones((1, 3, 2), np.bool_))
    alone = dataclasses.replace(
        means, loss=one, accuracy=one, support_loss=one, tasks=1, tasks_done=np.ones((3, 2), np.int64)
    )
    table.write_means(tmp_path / "one.csv", [alone])
    for row in rows(tmp_path / "one.csv"):
        assert (row["loss_mean"], row["loss_stderr"]) == ("0.5", "")


def test_each_value_of_each_task(tmp_path):
    shape = (2, 2, 2, 3, 2)  # task, step, query, alpha, beta
    loss = np.arange(48, dtype=np.float32).reshape(shape) / 10
    done = np.ones((2, 3, 2), np.uint8)
    done[1, 2, 0] = 0
    loss[0, 1, 0, 1, 1] = np.nan
    arrays = {
        "loss": loss, "accuracy": loss / 100, "support_loss": loss[:, :, 0] + 1000, "done": done,
        "task": np.array([7, 8]), "step": np.array([0, 5]), "query": np.array([1, 15]),
        "alpha": np.array([-1.0, 0, 1]), "beta": np.array([-0.5, 0.5]),
    }  # fmt: skip
    table.write_tasks(tmp_path / "tasks.csv", arrays)
    found = {tuple(row[axis] for axis in table.TASKS[:5]): row for row in rows(tmp_path / "tasks.csv")}
    assert len(found) == 48
    row = found["8", "5", "1", "0.0", "0.5"]
    at = (1, 1, 0, 1, 1)
    assert row["loss"] == str(loss[at])  # as short as a float32 can be
    assert len(row["loss"]) <= 4
    assert np.float32(row["accuracy"]) == arrays["accuracy"][at]
    assert np.float32(row["support_loss"]) == arrays["support_loss"][1, 1, 1, 1]
    assert found["7", "5", "1", "0.0", "0.5"]["loss"] == "nan"
    empty = [key for key, row in found.items() if row["loss"] == ""]
    assert len(empty) == 4
    assert {(task, alpha, beta) for task, _, _, alpha, beta in empty} == {("8", "1.0", "-0.5")}
