"""`raymaml surface --loss training` and `raymaml figure training`."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

CHOSEN = r"run .*\nstore .*"


@pytest.fixture(scope="module")
def transfer_run(glyphs, tmp_path_factory) -> Path:
    """The folder of a finished transfer run on glyphs: seed 5, one update."""
    from raymaml import training
    from raymaml.presets import train_spec
    from raymaml.runs import RunDir

    run = RunDir(tmp_path_factory.mktemp("runs") / "tiny-transfer")
    options = {"updates": 1, "validate_every": 1, "val_tasks": 2, "test_tasks": 2, "batch": 10, "test_steps": 1}
    spec = train_spec(glyphs, "demo", method="transfer", **options)
    run.claim(spec)
    training.train(spec, glyphs, seed=5, directory=run.seed(5))
    return run.path


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--steps 0", "--loss training has no tasks: leave out --steps"),
        ("--tasks 4 --query 1", "--loss training has no tasks: leave out --tasks, --query"),
        ("--task 0", "--loss training has no tasks: leave out --task"),
        ("--fresh-tasks", "--loss training has no tasks: leave out --fresh-tasks"),
        ("--around adapted", "--loss training has no tasks: leave out --around"),
        ("--split novel", "--loss training is that of the base split: leave out --split"),
        ("--batch 0", r"--batch.*greater than or equal to 1"),
        ("--norm layer", r"--norm.*'layer' is not one of 'batch', 'running'"),
        ("--images 1001", r"--images must be a multiple of --batch \(125\), got 1001"),
        ("--images 20 --batch 1", "batch must be at least 2, got 1"),
    ],
)
def test_what_has_no_meaning_is_refused(command, no_ray, transfer_run, typed, expected):
    ran = command("surface", "--run", transfer_run, "--loss", "training", *typed.split())
    assert (ran.code, ran.out) == (2, "")
    assert re.fullmatch(rf"raymaml: .*{expected}.*\n", ran.err)


@pytest.mark.parametrize(
    ("typed", "named"),
    [("--images 100", "--images"), ("--batch 5 --norm running", "--batch, --norm")],
)
def test_images_belong_to_the_training_loss(command, typed, named):
    ran = command("surface", *typed.split())
    assert (ran.code, ran.err) == (2, f"raymaml: {named}: only with --loss training\n")


def test_the_newest_run_may_be_of_another_method(command, no_ray, run_at_home):
    ran = command("surface", "--loss", "training")
    assert ran.code == 2
    assert ran.err == (
        "raymaml: run tiny was trained with method maml, and the pre-training loss is that of transfer learning; "
        "name a transfer run with --run\n"
    )


def test_too_many_images_are_refused_before_the_store_is_made(command, no_ray, transfer_run, here):
    ran = command("surface", "--run", transfer_run, "--loss", "training", "--images", 10**6, "--out", here / "s.zarr")
    assert ran.code == 2
    assert re.fullmatch(rf"{CHOSEN}\nraymaml: the base split of glyphs has \d+ images, .*; lower --images\n", ran.err)
    assert not (here / "s.zarr").exists()


@pytest.mark.ray
@pytest.mark.parametrize("norm", ["batch", "running"])
def test_a_surface_is_computed_and_drawn(command, cluster, transfer_run, here, norm):
    from raymaml.landscape.plan import Block
    from raymaml.landscape.store import open_store
    from raymaml.runtime.surface import load_evaluator

    typed = f"surface --loss training --images 40 --batch 20 --grid 3x2 --norm {norm} --precision float64 --actors 2"
    ran = command(*typed.split(), "--run", transfer_run)
    assert ran.code == 0, ran.err
    path, *pictures = map(Path, ran.out.splitlines())
    assert path.name.startswith("training-3x2-40images-" + ("running-" if norm == "running" else ""))
    assert len(pictures) == 6
    store = open_store(path)
    expected = load_evaluator(store.spec, transfer_run / "seed-5" / "best").evaluate(Block((0, 2), (0, 3), (0, 2)))
    assert store.spec.learner.norm == norm
    assert not store.missing()
    for name, values in expected._asdict().items():
        assert np.array_equal(store.read(name), values)
    assert json.loads((path / "zarr.json").read_text())["attributes"]["spec"]["learner"]["batch"] == 20
    ran = command("figure", "training", path, "--formats", "png", "--labels", "mine", "--scale", "all", "--out", "F")
    assert (ran.code, ran.err, ran.out) == (0, "", "F/training.png\n")
    assert (here / "F" / "training.png").read_bytes().startswith(b"\x89PNG")
