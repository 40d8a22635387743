import importlib
import os
import resource
import subprocess
import sys

import pytest

HEAVY = ["torch", "ray", "matplotlib", "zarr", "h5py", "plotly"]

# Runs the program as its script does, then says which heavy packages were loaded.
PROGRAM = """
import sys
from importlib.metadata import entry_points
(entry,) = entry_points(group="console_scripts", name="raymaml")
sys.argv = ["raymaml", *sys.argv[1:]]
try:
    entry.load()()
except SystemExit as exit:
    assert not exit.code, exit.code
print("loaded:", *[name for name in {heavy} if name in sys.modules])
"""


def loaded(code, *args):
    """The heavy packages that a fresh process has loaded after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", code.replace("{heavy}", repr(HEAVY)), *map(str, args)],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    return done.stdout.splitlines()[-1].removeprefix("loaded:").split()


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["surface", "--help"],
        ["sharpness", "--help"],
        ["export", "--help"],
        ["bench", "--help"],
    ],
)
def test_help_loads_nothing_heavy(args):
    assert loaded(PROGRAM, *args) == []


def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_help_is_there_at_once(script):
    seconds = []
    for _ in range(3):
        started = processor_seconds()  # not the clock: other processes would slow it down
        assert script("--help").code == 0
        seconds.append(processor_seconds() - started)
    assert min(seconds) < 1


def test_a_stored_surface_is_drawn_without_torch_and_ray(store, here):
    assert loaded(PROGRAM, "figure", "surface", store, "--formats", "svg") == ["matplotlib", "zarr"]
    assert loaded(PROGRAM, "figure", "meta", store, "--formats", "svg") == ["matplotlib", "zarr"]
    assert loaded(PROGRAM, "figure", "spread", store, "--formats", "svg") == ["matplotlib", "zarr"]
    assert loaded(PROGRAM, "figure", "difference", store, store, "--formats", "svg") == ["matplotlib", "zarr"]


@pytest.mark.parametrize(
    ("name", "heavy"),
    [("csv", []), ("npz", []), ("vtk", []), ("hdf5", ["h5py"]), ("html", ["plotly"])],
)
def test_an_export_loads_what_its_format_needs(store, here, name, heavy):
    assert loaded(PROGRAM, "export", store, "--format", name) == ["matplotlib", "zarr", *heavy]


@pytest.mark.parametrize(
    ("args", "heavy"),
    [
        (["table", "2"], []),
        (["table", "3"], []),
        (["correlate", "--bootstrap", "100"], []),
        (["figure", "3", "--formats", "svg"], ["matplotlib"]),
        (["figure", "19", "--data", "glyphs", "--formats", "svg"], ["matplotlib"]),
    ],
)
def test_results_of_runs_are_shown_without_torch_and_ray(run_at_home, here, args, heavy):
    assert loaded(PROGRAM, *args) == heavy


def test_figures_of_sharpness_load_neither_torch_nor_ray(here):
    assert loaded(PROGRAM, "figure", "13", "--published", "--formats", "svg") == ["matplotlib"]
    assert loaded(PROGRAM, "correlate", "--published", "--bootstrap", "100") == []


def test_a_wrong_option_loads_nothing_heavy():
    code = PROGRAM.replace("assert not exit.code", "assert exit.code == 2")
    assert loaded(code, "surface", "--tasks", "0") == []


def test_import_raymaml_loads_nothing_heavy():
    code = "import sys, raymaml; dir(raymaml); print('loaded:', *[name for name in {heavy} if name in sys.modules])"
    assert loaded(code) == []


def test_every_public_name_resolves():
    package = importlib.import_module("raymaml")
    assert set(package.__all__) == set(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is not None, name
    assert sorted(package.__all__) == package.__all__
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        _ = package.nope
