"""The README is true: its commands parse, its Python runs, its paths exist."""

import re
import shlex
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "cluster" / "README.md", ROOT / "artifacts" / "README.md"]


@pytest.fixture(scope="module")
def program():
    (found,) = entry_points(group="console_scripts", name="raymaml")
    return found.load().__globals__["run"]


def commands():
    text = "\n".join(page.read_text() for page in PAGES)
    found = re.findall(r"(?:^ {4}|`|^\.venv/bin/)raymaml ([^`\n#]*)", text, flags=re.MULTILINE)
    return sorted({command.strip() for command in found})


def test_the_two_lines_are_there_as_typed():
    assert {"train --seeds 5 6 7", "surface --grid 51 --tasks 100"} <= set(commands())


@pytest.mark.parametrize("command", commands())
def test_every_command_parses(program, capsys, command):
    # --help after the options: they are parsed, and unknown ones are refused, but nothing runs.
    words = [w.replace("HOST", "127.0.0.1") for w in shlex.split(command)]
    assert program([*words, "--help"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_path_exists(page):
    text = page.read_text()
    named = re.findall(r"\]\(([^):]+)\)", text) + re.findall(r"`((?:raymaml|cli|cluster|tests)/[\w./]+)`", text)
    base = [page.parent if link in re.findall(r"\]\(([^):]+)\)", text) else ROOT for link in named]
    missing = [link for link, folder in zip(named, base, strict=True) if not (folder / link).exists()]
    assert missing == []


@pytest.mark.ray
def test_the_python_of_the_readme_runs(cluster, glyphs, monkeypatch):
    from raymaml import runs, training
    from raymaml.presets import train_spec
    from raymaml.runs import RunDir

    spec = train_spec(glyphs, "demo", updates=1, query=1, val_tasks=2, test_tasks=2)
    run = RunDir(runs.home() / "tiny")
    run.claim(spec)
    training.train(spec, glyphs, seed=5, directory=run.seed(5))
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    assert names["loss"].shape == (2, 2, 1, 1, 3)
    assert (names["store"].read("loss")[..., 1, :] == names["loss"][..., 0, :]).all()
    assert len(names["pictures"]) == 2
