"""A home of runs, stores, data sets and files, all whole and small, which hostile commands must leave as they are."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import raymaml_cli.app
import typer
from hostile.world import CASES, World
from PIL import Image

from raymaml import checkpoints, data, machine, training
from raymaml.data.cache import cache_folder
from raymaml.landscape import sets
from raymaml.landscape import store as surfaces
from raymaml.landscape.evaluate import evaluator_of
from raymaml.landscape.request import default_store, evaluation_spec, evaluation_store, surface_spec
from raymaml.presets import train_spec
from raymaml.runs import RunDir
from raymaml.sharpness import request as sharpness_request
from raymaml.sharpness import store as sharpness
from raymaml.specs import GridSpec, SurfaceSpec

RESULTS = (
    "data,method,backbone,augment,seed,split,checkpoint,accuracy,accuracy_ci95,loss,tasks,"
    "sharpness,sharpness_ci95,sharpness_tasks\n"
    "glyphs,maml,conv4,false,5,novel,best,0.9,0.01,0.3,600,0.1,0.01,100\n"
    "glyphs,maml,conv4,false,6,novel,best,0.8,0.01,0.4,600,0.2,0.01,100\n"
    "glyphs,maml,conv6,true,5,novel,best,0.85,0.01,0.35,600,0.3,0.01,100\n"
    "glyphs,maml,conv6,true,5,novel,last,0.85,0.01,nan,600,,,\n"
    "glyphs,maml,conv6,true,5,base,best,0.95,0.01,0.2,600,nan,nan,100\n"
)


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"hostile commands run: {CASES[0]}")


@pytest.fixture(scope="session")
def built(glyphs, tmp_path_factory) -> Path:
    """The world as it is made; each module works on a copy."""
    world = World(tmp_path_factory.mktemp("hostile"))
    world.here.mkdir()
    _make_run(world, glyphs)
    centre = world.seed.best
    trained = checkpoints.load(centre)
    of = {"grid": GridSpec(3, 3), "tasks": 2, "query": [1, 2], "steps": [0, 1]}
    spec = surface_spec(trained, **of)
    _compute(world.surface, centre, spec)
    sets.claim(world.here / "set.zarr", spec)
    for number in (0, 1):
        member = surface_spec(trained, direction_seed=number, **of)
        _compute(sets.member_path(world.here / "set.zarr", member), centre, member)
    _compute(default_store(world.seed, spec), centre, spec)
    evaluation = evaluation_spec(trained, split="novel", which="best", tasks=2, query=1)
    _compute(evaluation_store(world.seed, evaluation), centre, evaluation)
    _make_sharpness(world, centre)
    _make_files(world.here)
    _make_pictures(world.here / "pictures")
    return world.root


@pytest.fixture(scope="module")
def world(built, tmp_path_factory) -> Iterator[World]:
    """The world, its own homes and current directory, and no way to start Ray or to time anything."""
    root = Path(shutil.copytree(built, tmp_path_factory.mktemp("world") / "w", symlinks=True))
    world = World(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAYMAML_CACHE", str(root / "cache"))
        patch.setenv("HOME", str(root.parent / "user"))
        patch.setenv("RAY_TMPDIR", str(root / "ray"))
        patch.setattr("ray.is_initialized", lambda: False)
        patch.setattr("ray.init", _no_ray)
        patch.delenv("RAY_ADDRESS", raising=False)
        # Typer builds its command tree at each call, which takes longer than most cases here.
        patch.setattr("raymaml_cli.app.app", typer.main.get_command(raymaml_cli.app.app))
        patch.setattr("raymaml.verbs.estimate._measure", lambda specs, _: ("nothing", dict.fromkeys(specs, 1.0)))
        patch.chdir(world.here)
        prepared = world.run(["data", "prepare", "folder", "--root", "pictures", "--name", "birds", "--size", "16"])
        assert prepared.code == 0, prepared
        world.files = world.snapshot()
        yield world


@pytest.fixture(autouse=True)
def _home(world, monkeypatch):
    monkeypatch.setenv("RAYMAML_HOME", str(world.root / "home"))


def _no_ray(*args, **options):
    raise ConnectionError("no cluster is started in this test")


def _make_run(world: World, glyphs) -> None:
    spec = train_spec(glyphs, "demo", updates=2, validate_every=1, val_tasks=2, test_tasks=2, query=1)
    run = RunDir(world.root / "home" / "tiny")
    run.claim(spec)
    training.train(spec, glyphs, seed=5, directory=run.seed(5))


def _compute(path: Path, centre: Path, spec: SurfaceSpec) -> None:
    evaluator = evaluator_of(spec, checkpoints.load(centre).params, data.load("glyphs"))
    # A checkpoint path that is not there: the store and the run are copied, and found beside each other or by --run.
    execution = evaluator.execution.record()
    digest = evaluator.direction_digest
    known = {**machine.provenance(), "threads": 1, "direction_digest": digest, "execution": execution}
    store = surfaces.create_or_open(path, spec, known)
    for block in store.missing():
        store.write(block, evaluator.evaluate(block))


def _make_sharpness(world: World, centre: Path) -> None:
    spec = sharpness_request.sharpness_spec(checkpoints.load(centre), tasks=2, query=1, steps=1)
    store = sharpness.create_or_open(sharpness_request.default_store(world.seed, spec), spec, {"threads": 1}, 1)
    rows = {"loss0": [1.0, 2.0], "gradient_norm": [1.0, 1.0]}
    rows |= {"loss_standard": [1.2, 2.4], "sharpness_standard": [0.2, 0.4]}
    store.write(0, ["standard"], {name: np.array(row) for name, row in rows.items()})


def _make_files(here: Path) -> None:
    (here / "results.csv").write_text(RESULTS)
    (here / "binary").write_bytes(bytes(range(256)) * 4)
    (here / "empty").touch()
    (here / "folder").mkdir()
    (here / "loop").symlink_to("loop")
    (here / "dangling").symlink_to("nothing")
    splits = {"base": ["bird0", "bird1"], "val": ["bird2", "bird3"], "novel": ["bird4", "bird5"]}
    (here / "split.json").write_text(json.dumps(splits))


def _make_pictures(root: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 17, 9, 9, 3), np.uint8)
    for bird, pictures in enumerate(pixels):
        (root / f"bird{bird}").mkdir(parents=True)
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(root / f"bird{bird}" / f"{number}.png")
    assert cache_folder()  # the glyphs are in the user's; the world has one of its own
