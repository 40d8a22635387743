import importlib.metadata
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
FOLDERS = {"raymaml", "cluster", "cli", "tests", "artifacts"}
NOT_OURS = {"__pycache__", "build", "dist"}  # what tools leave behind


def package_folders(root):
    return {path.parent.relative_to(root).as_posix() for path in (root / "raymaml").rglob("__init__.py")}


def test_every_package_is_listed():
    found = {folder.replace("/", ".") for folder in package_folders(ROOT)}
    assert sorted(SETTINGS["packages"]) == sorted(found | {"raymaml_cli"})
    assert SETTINGS["package-dir"] == {"raymaml_cli": "cli"}


def test_every_folder_with_modules_is_a_package():
    folders = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "raymaml").rglob("*.py")}
    assert folders == package_folders(ROOT)


def test_the_top_level_folders_are_the_five():
    found = {path.name for path in ROOT.iterdir() if path.is_dir()}
    assert {n for n in found - NOT_OURS if not n.startswith(".") and not n.endswith(".egg-info")} == FOLDERS


def test_a_wheel_holds_two_packages_and_every_module(tmp_path):
    if tuple(map(int, importlib.metadata.version("setuptools").split(".")[:1])) < (77,):
        pytest.skip("building without network needs setuptools >= 77 in this environment")
    tree = tmp_path / "tree"
    skipped = shutil.ignore_patterns(".*", "*.egg-info", "__pycache__", "build", "dist", "artifacts", "tests")
    shutil.copytree(ROOT, tree, ignore=skipped)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*build, "-w", tmp_path / "wheels", tree], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"raymaml", "raymaml_cli"}
    assert len(tops) == 3
    ours = {path.relative_to(ROOT).as_posix() for path in (ROOT / "raymaml").rglob("*.py")}
    ours |= {f"raymaml_cli/{path.name}" for path in (ROOT / "cli").glob("*.py")}
    assert {name for name in names if name.endswith(".py")} == ours
    assert "raymaml/py.typed" in names
    assert {"raymaml/published/runs.csv", "raymaml/published/table2.csv"} <= set(names)
