"""The program as users run it: in this process through its entry point, or as the installed script."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

from raymaml.landscape.store import create_or_open
from raymaml.landscape.values import Values
from raymaml.specs import GridSpec, MamlSpec, ModelSpec, SurfaceSpec, TaskSpec

SCRIPT = Path(sys.executable).with_name("raymaml")


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty current directory, beside the empty home of runs."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def command(here, capsys):
    """Run `raymaml ...` in this process."""
    (entry,) = entry_points(group="console_scripts", name="raymaml")
    program = importlib.import_module(entry.module)

    def run(*args) -> Ran:
        capsys.readouterr()
        code = program.run([str(arg) for arg in args])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def script(here):
    """Run `raymaml ...` in a process of its own."""

    def run(*args, **environment) -> Ran:
        done = subprocess.run(
            [SCRIPT, *map(str, args)],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, **environment},
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def no_ray(monkeypatch):
    """As if no cluster were connected, and none can be started: a refusal must come before that."""

    def init(*args, **options):
        raise AssertionError(f"ray.init{args} was called")

    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.init", init)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


# --- things on disk


@pytest.fixture(scope="session")
def tiny_run(glyphs, tmp_path_factory) -> Path:
    """The folder of a finished run on glyphs: seed 5, two updates; not to be changed."""
    from raymaml import training
    from raymaml.presets import train_spec
    from raymaml.runs import RunDir

    run = RunDir(tmp_path_factory.mktemp("runs") / "tiny")
    spec = train_spec(glyphs, "demo", updates=2, validate_every=1, val_tasks=2, test_tasks=2, query=1)
    run.claim(spec)
    training.train(spec, glyphs, seed=5, directory=run.seed(5))
    return run.path


@pytest.fixture
def run_at_home(tiny_run, tmp_path) -> Path:
    """A copy of the finished run in the home of runs, under the name `tiny`."""
    return Path(shutil.copytree(tiny_run, tmp_path / "home" / "tiny"))


@pytest.fixture
def store(tmp_path) -> Path:
    """A surface of 11 alphas x 7 betas x 3 tasks of which 8 alphas are done."""
    spec = SurfaceSpec(
        run="0" * 64,
        seed=5,
        checkpoint="best",
        checkpoint_digest="1" * 64,
        data="glyphs",
        data_digest="2" * 64,
        model=ModelSpec(channels=1, image_size=28),
        learner=MamlSpec(inner_lr=0.1),
        split="novel",
        task=TaskSpec(),
        queries=(1, 15),
        tasks=3,
        first_task=0,
        task_seed=0,
        fresh_tasks=False,
        steps=(0, 10),
        grid=GridSpec(11, 7),
        direction_seed=0,
        orthogonal=False,
    )
    made = create_or_open(tmp_path / "small.zarr", spec, {})
    rng = np.random.default_rng(0)
    for block in (block for block in made.missing() if block.alpha[1] <= 8):
        wide = (block.shape[0], 2, 2, *block.shape[1:])
        losses, accuracy = rng.uniform(0.2, 2.0, wide), rng.uniform(0.2, 1.0, wide)
        made.write(block, Values(losses, accuracy, losses[:, :, 0]))
    return made.path


@pytest.fixture
def newer_store(store) -> Path:
    """The same, as a later version of the package would write it."""
    metadata = store / "zarr.json"
    values = json.loads(metadata.read_text())
    values["attributes"]["format"] += 1
    metadata.write_text(json.dumps(values))
    return store
