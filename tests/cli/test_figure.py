import shutil

import pytest

SIGNS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


def written(ran, folder):
    """The files that the command named on stdout, checked to be all that is there."""
    names = ran.out.splitlines()
    assert sorted(names) == sorted(str(path) for path in folder.iterdir())
    return [path for name in names for path in folder.iterdir() if str(path) == name]


def test_a_surface_is_drawn_in_every_format_beside_its_store(command, store):
    ran = command("figure", "surface", store)
    assert (ran.code, ran.err) == (0, "")
    files = written(ran, store.with_name("small-figures"))
    assert [path.name for path in files] == [
        f"loss-{kind}.{name}" for kind in ("contour", "3d") for name in ("png", "pdf", "svg")
    ]
    for path in files:
        assert path.read_bytes().startswith(SIGNS[path.suffix[1:]])


def test_one_format_in_another_folder(command, store, here):
    ran = command("figure", "surface", store, "--formats", "png", "--out", here / "X")
    assert (ran.code, ran.err) == (0, "")
    assert [path.name for path in written(ran, here / "X")] == ["loss-contour.png", "loss-3d.png"]
    assert not store.with_name("small-figures").exists()


def test_the_installed_script_does_the_same(script, store, here):
    ran = script("figure", "surface", store, "--formats", "svg, pdf", "--quantity", "accuracy", "--out", "Y")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        f"Y/accuracy-{kind}.{name}" for kind in ("contour", "3d") for name in ("svg", "pdf")
    ]
    assert len(list((here / "Y").iterdir())) == 4


@pytest.mark.parametrize(("levels", "legend"), [("0.3", "≤ 0.91"), ("0.5,1,1.5", "≤ 0.5"), ("1.5, 1", "≤ 1:")])
def test_levels_reach_the_figure(command, store, here, monkeypatch, levels, legend):
    texts = []

    def save(figure, stem, formats):
        texts.extend(text.get_text() for legend in figure.legends for text in legend.get_texts())
        return []

    monkeypatch.setattr("raymaml.verbs.figure.save", save)
    assert command("figure", "surface", store, "--levels", levels).code == 0
    assert any(legend in text for text in texts)
    assert "not computed yet" in texts


def test_a_step_and_fewer_tasks_of_a_store(command, store):
    ran = command("figure", "surface", store, "--step", 0, "--query", 1, "--tasks", 2, "--formats", "svg")
    assert (ran.code, ran.err) == (0, "")
    names = [path.name for path in written(ran, store.with_name("small-figures"))]
    assert names == ["loss-0steps-1queries-2tasks-contour.svg", "loss-0steps-1queries-2tasks-3d.svg"]


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("inner STORE --steps 0,10 --quantity loss,support_loss --scale all --labels mine", ["inner"]),
        ("parts STORE --step 10 --name figure6", ["figure6"]),
        ("queries STORE --query 1,15 --step 0 --spacing 0.5", ["queries"]),
    ],
)
def test_surfaces_beside_each_other(command, store, here, typed, names):
    words = [str(store) if word == "STORE" else word for word in typed.split()]
    ran = command("figure", *words, "--formats", "svg,png", "--out", here / "F")
    assert (ran.code, ran.err) == (0, "")
    assert [path.name for path in written(ran, here / "F")] == [
        f"{name}.{kind}" for name in names for kind in ("svg", "png")
    ]


def test_several_stores_go_to_the_figures_of_the_runs(command, store, tmp_path):
    other = shutil.copytree(store, tmp_path / "other.zarr")
    ran = command("figure", "meta", store, other, "--labels", "a,b", "--thresholds", "1.5,1", "--formats", "svg")
    assert ran.code == 0
    part = "56 of 77 grid points are computed; shares and other numbers are of these alone"
    assert [line.split(", and")[0] for line in ran.err.splitlines()] == [
        f"warning: {name}.zarr: {part}" for name in ("small", "other")
    ]
    *areas, solid, flat, table = ran.out.splitlines()
    assert [line.split(" %")[0].rsplit(" ", 1)[0] for line in areas] == ["a: ≤ 1:", "a: ≤ 1.5:", "b: ≤ 1:", "b: ≤ 1.5:"]
    assert all(line.endswith(") of the grid") for line in areas)
    folder = tmp_path / "home" / "figures"
    assert [solid, flat, table] == [str(folder / f"meta-{name}") for name in ("3d.svg", "contour.svg", "areas.csv")]
    assert len((folder / "meta-areas.csv").read_text().splitlines()) == 5
