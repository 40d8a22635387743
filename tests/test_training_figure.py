"""Figures of the pre-training loss (thesis figure 9): which values, with what words."""

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from raymaml.errors import SpecError
from raymaml.landscape.store import create_or_open
from raymaml.landscape.values import empty
from raymaml.specs import NO_TASKS, GridSpec, MamlSpec, ModelSpec, PretrainingSpec, SurfaceSpec
from raymaml.verbs import figure as one
from raymaml.verbs import meta_figure, panel_figures, training_figure
from raymaml.verbs.titles import labels_of, title_of

SPEC = SurfaceSpec(
    **NO_TASKS, run="0" * 64, seed=5, checkpoint="best", checkpoint_digest="1" * 64, data="cub", data_digest="2" * 64,
    model=ModelSpec("conv4", outputs=200, norm="running"), learner=PretrainingSpec(), tasks=8, task_seed=0,
    grid=GridSpec(5, 3), direction_seed=0, orthogonal=False, precision="float64",
)  # fmt: skip
TITLE = (
    "transfer learning Conv4 on cub, seed 5, best checkpoint\n"
    "pre-training loss over all base classes (head of 200 outputs), no inner steps\n"
    "mean over 1,000 images of seed 0 in batches of 125, batch norm with each batch's statistics\n"
    "perturbed: weights (not biases, batch norm), filter-normalised directions, seed 0"
)


def backbone(name):
    return dataclasses.replace(SPEC.model, backbone=name)


@pytest.fixture
def make(tmp_path):
    def write(name, **changes):
        spec = dataclasses.replace(SPEC, **changes)
        store = create_or_open(tmp_path / f"{name}.zarr", spec, {})
        rng = np.random.default_rng(len(name))
        for block in store.missing():
            values = empty(block.shape, 1, 1, spec.precision)
            for part in values:
                part[...] = rng.uniform(0.1, 2.0, part.shape)
            store.write(block, values)
        return store

    return write


@pytest.fixture
def drawn(monkeypatch):
    """What the drawing functions were given, in order."""
    calls = []

    def record(*args, **named):
        calls.append((args, named))
        return Figure()

    for module, names in (
        (one, ["contour", "surface_3d"]),
        (panel_figures, ["solids"]),
        (training_figure, ["solids"]),
    ):
        for name in names:
            monkeypatch.setattr(module, name, record)
    return calls


def test_the_title_says_what_is_there():
    assert title_of([SPEC]) == TITLE
    running = dataclasses.replace(
        SPEC, learner=PretrainingSpec(batch=128, norm="running"), tasks=3, part="head", task_seed=2
    )
    assert "mean over 384 images of seed 2 in batches of 128, batch norm with running statistics" in title_of([running])
    assert "\nperturbed: weights of the head (not" in title_of([running])
    assert "mean over 500 images" in title_of([SPEC], tasks=4)


def test_one_surface_has_the_words_of_its_loss(make, drawn):
    store = make("s")
    one.figure_surface(store, formats=["svg"])
    one.figure_surface(store, quantity="accuracy", formats=["svg"])
    assert [named["title"] for _, named in drawn] == [TITLE] * 4
    assert [named["quantity"] for _, named in drawn[1:3]] == ["pre-training loss", "pre-training accuracy"]
    np.testing.assert_allclose(drawn[0][0][0], store.read("loss")[:, 0, 0].mean(0), rtol=1e-12)


def test_figure_9_has_a_column_per_backbone(make, drawn, tmp_path):
    names = ["conv4", "conv6", "resnet10", "resnet18"]
    stores = [make("x" * i, model=backbone(name)) for i, name in enumerate(names, start=1)]
    [path] = training_figure.figure_training(stores, out=tmp_path / "F", formats=["svg"])
    assert path == tmp_path / "F" / "training.svg"
    [(([row],), named)] = drawn
    for panel, store in zip(row.panels, stores, strict=True):
        np.testing.assert_allclose(panel.grid.values, store.read("loss")[:, 0, 0].mean(0), rtol=1e-12)
    assert [panel.heading for panel in row.panels] == ["Conv4", "Conv6", "ResNet10", "ResNet18"]
    assert (named["quantity"], named["scale"]) == ("pre-training loss", "own")
    assert named["title"] == TITLE.replace("Conv4", "Conv4, Conv6, ResNet10, ResNet18")


def test_figure_9_is_drawn(make):
    stores = [make("x", model=backbone("conv4")), make("xx", model=backbone("conv6"))]
    [path] = training_figure.figure_training([store.path for store in stores], labels=["mine", "yours"], name="nine",
                                             formats=["svg"])  # fmt: skip
    text = path.read_text()
    assert path.name == "nine.svg"
    assert text.startswith("<?xml")


def test_parts_of_the_network_stand_side_by_side(make, drawn):
    panel_figures.figure_parts([make("a"), make("hh", part="head")], formats=["svg"])
    [(([row],), named)] = drawn
    assert [panel.heading for panel in row.panels] == ["all", "head"]
    assert named["quantity"] == "pre-training loss"
    assert "no inner steps" in named["title"]


def test_stores_of_one_run_are_told_apart():
    specs = [SPEC, dataclasses.replace(SPEC, tasks=3, learner=PretrainingSpec(batch=128, norm="running"))]
    assert labels_of(specs, None) == [
        "Conv4, 8 batches of 125, batch statistics",
        "Conv4, 3 batches of 128, running statistics",
    ]


@pytest.fixture
def other(make):
    tasks = {"learner": MamlSpec(), "model": ModelSpec("conv4"), "split": "novel"}
    return make("other", **tasks)


def test_a_figure_of_another_loss_is_refused(make, other):
    store = make("s")
    for draw in (panel_figures.figure_inner, meta_figure.figure_meta, lambda s: panel_figures.figure_queries(s[0])):
        with pytest.raises(SpecError, match="s.zarr holds the pre-training loss, .* with raymaml figure training"):
            draw([store])
    with pytest.raises(SpecError, match="other.zarr does not hold a pre-training loss; compute one: raymaml surface"):
        training_figure.figure_training([store, other])
    with pytest.raises(SpecError, match="need figures of their own"):
        panel_figures.figure_parts([store, other])
