"""Tables 5 and 6, and the table of losses before and after adapting."""

import dataclasses
import math

import numpy as np
import pytest

from raymaml.errors import MissingError, SpecError
from raymaml.presets import train_spec
from raymaml.tables import as_text, settings_table
from raymaml.tables.adaptation import Adaptation, adaptation_table


def cells(table):
    return {row[0]: row[1:] for row in table.rows}


def test_table_5_is_the_thesis_and_the_runs(images):
    found = cells(settings_table(5, [train_spec(images, "thesis"), train_spec(images, "quick")]))
    assert found["inner-loop learning rate (alpha)"] == ("0.01", "0.01, 0.1")
    assert found["outer-loop learning rate (beta)"] == ("0.001", "0.001")
    assert found["inner steps in training"] == ("5", "5")
    assert found["inner steps in tests"] == ("10", "10")
    assert found["tasks per update (meta-batch)"] == ("4", "4")
    assert found["updates"] == (None, "60,000, 1,000")


def test_table_6_is_the_thesis_and_the_runs(images):
    spec = train_spec(images, "thesis", method="transfer", outputs=200)
    found = cells(settings_table(6, [spec, dataclasses.replace(spec, test_steps=200)]))
    assert found["training batch"] == ("128", "128")
    assert found["head updates on a task"] == ("10", "10, 200")
    assert found["head momentum"] == found["head dampening"] == ("0.9", "0.9")
    assert found["head weight decay"] == ("0.001", "0.001")
    assert found["head batch"] == ("4", "4")


def test_a_run_of_the_other_method_or_none_is_refused(images):
    with pytest.raises(SpecError, match="table 5 is of MAML and table 6 of transfer learning, got a run of transfer"):
        settings_table(5, [train_spec(images, "quick", method="transfer")])
    with pytest.raises(MissingError, match="train one"):
        settings_table(6, [])
    with pytest.raises(SpecError, match="5, 6, got 7"):
        settings_table(7, [])


def test_the_table_of_adaptation_has_means_and_the_interval_of_the_start():
    loss = np.array([[3.0, 1.0, 0.5], [5.0, 2.0, 1.5]])
    made = adaptation_table("glyphs", [Adaptation("conv4", True, 5, (0, 1, 10), loss)])
    assert made.rows == (("conv4", "yes", 5, 4.0, pytest.approx(1.96 * math.sqrt(2) / math.sqrt(2)), 1.5, 1.0),)
    assert "ln 5 = 1.609" in as_text(made)
    assert [column.name for column in made.columns][3:] == ["0 steps", "±", "1 step", "10 steps"]


def test_a_table_of_adaptation_needs_the_same_steps_in_each_row():
    one = Adaptation("conv4", True, 5, (0,), np.ones((2, 1)))
    with pytest.raises(SpecError, match="same inner steps"):
        adaptation_table("glyphs", [one, dataclasses.replace(one, steps=(1,))])
    with pytest.raises(MissingError):
        adaptation_table("glyphs", [])
