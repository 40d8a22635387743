"""What `raymaml sharpness` prints of stores that are complete; nothing is computed for it."""

import importlib
import re

import numpy as np
import pytest

from raymaml import checkpoints
from raymaml.runs import RunDir
from raymaml.sharpness.request import default_store, sharpness_spec
from raymaml.sharpness.store import create_or_open, open_store

pytestmark = pytest.mark.usefixtures("no_ray")


@pytest.fixture
def measured(run_at_home):
    """The standard, the averaged and the Hessian measures of two base tasks."""
    seed = RunDir(run_at_home).seed(5)
    spec = sharpness_spec(checkpoints.load(seed.best), split="base", tasks=2)
    store = create_or_open(default_store(seed, spec), spec, {"threads": 1}, 1)
    values = {"loss0": [1.0, 2.0], "sharpness_standard": [0.2, 0.4], "sharpness_averaged": [0.1, 0.1]}
    values |= {"eigenvalue": [30.0, 50.0], "trace": [np.nan, 7.0]}
    store.write(0, ["standard", "averaged", "hessian"], {name: np.array(row) for name, row in values.items()})
    return store.path


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("", [0]), ("--measures standard hessian", [0, 1, 2]), ("--seeds 5 --averaged", [0, 3])],
)
def test_what_is_asked_of_a_complete_measurement_is_printed_at_once(command, measured, typed, shown):
    ran = command("sharpness", "--split", "base", "--tasks", "2", *typed.split())
    assert (ran.code, ran.err) == (0, f"store {measured}\n")
    numbers = [
        r"standard sharpness \(rho 0.05\) 0.3000 ± 0.1960",
        r"Hessian eigenvalue 40.0000 ± 19.6000",
        r"Hessian trace nan ± nan",
        r"averaged sharpness \(rho 0.05\) 0.1000 ± 0.0000",
    ]
    expected = [
        rf"seed 5, best checkpoint, base: {numbers[i]} \(95 % interval, 2 tasks, 10 steps\), loss 1.500\n"
        for i in shown
    ]
    assert re.fullmatch("".join(expected), ran.out), ran.out


def test_seeds_are_summed_up(capsys, measured):
    store = open_store(measured)
    program = importlib.import_module("raymaml_cli.sharpness")
    program.say_sharpness([store, store], ["standard", "hessian"])
    found = [line for line in capsys.readouterr().out.splitlines() if line.startswith("2 seeds")]
    what = "2 seeds, best checkpoint, base: "
    spread = "mean of the intervals 0.1960, standard deviation over seeds 0.0000"
    assert found[0] == f"{what}standard sharpness (rho 0.05) 0.3000, {spread}"
    assert found[2] == f"{what}Hessian trace nan, mean of the intervals nan, standard deviation over seeds nan"
