"""`raymaml figure spread`, `figure difference`, and `raymaml surface` of several seeds, as users type them."""

import dataclasses

import numpy as np
import pytest

from raymaml.landscape import sets
from raymaml.landscape.store import create_or_open, open_store
from raymaml.landscape.values import Values


@pytest.fixture
def a_set(store, tmp_path):
    """Two seeds on one pair of directions, finished."""
    path, rng = tmp_path / "set.zarr", np.random.default_rng(1)
    for seed in (5, 6):
        spec = dataclasses.replace(open_store(store).spec, seed=seed, checkpoint_digest=str(seed) * 64)
        sets.claim(path, spec)
        made = create_or_open(sets.member_path(path, spec), spec, {})
        for block in made.missing():
            losses = rng.uniform(0.2, 2.0, (block.shape[0], 2, 2, *block.shape[1:]))
            made.write(block, Values(losses, losses / 2, losses[:, :, 0]))
    return path


def test_spread_prints_numbers_and_names_its_files(command, a_set, here):
    ran = command("figure", "spread", a_set, "--step", 10, "--formats", "svg", "--out", here / "F")
    assert (ran.code, ran.err) == (0, "")
    *numbers, maps, lines, cells, areas = ran.out.splitlines()
    names = ["spread-maps.svg", "spread-sections.svg", "spread-cells.csv", "spread-areas.csv"]
    assert [maps, lines, cells, areas] == [str(here / "F" / name) for name in names]
    assert sorted(path.name for path in (here / "F").iterdir()) == sorted(names)
    starts = ["mean query loss: median", "standard error over tasks of the mean:", "standard deviation over seeds:"]
    assert all(line.startswith(start) for line, start in zip(numbers, starts, strict=False))
    assert [line.split(":")[0] for line in numbers[3:5]] == ["seed 5, directions 0", "seed 6, directions 0"]


def test_spread_of_one_unfinished_surface(command, store):
    ran = command("figure", "spread", store, "--quantity", "support_loss", "--formats", "png", "--name", "mine")
    assert (ran.code, ran.err) == (0, "")
    assert "over 56 of 77 grid points" in ran.out
    assert (store.with_name("small-figures") / "mine-maps.png").read_bytes().startswith(b"\x89PNG")


def test_difference_prints_numbers_and_names_its_files(command, a_set, tmp_path):
    ran = command("figure", "difference", *sets.members(a_set), "--labels", "a,b", "--formats", "svg")
    assert (ran.code, ran.err) == (0, "")
    *numbers, figure, cells = ran.out.splitlines()
    folder = tmp_path / "home" / "figures"
    assert [figure, cells] == [str(folder / "difference.svg"), str(folder / "difference-cells.csv")]
    assert numbers[0].startswith("b − a, query loss: mean ")
    assert "b is lower at " in numbers[1]
    assert numbers[2].startswith("at (0, 0): ")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("surface SET", "is a set of surfaces: draw it with raymaml figure spread"),
        ("meta SET", "or name one in it (seed-5-direction-0, seed-6-direction-0)"),
        ("difference SET SET", "is a set of surfaces"),
        ("difference STORE", "Missing argument 'other'"),
        ("difference STORE OTHER", "cannot be compared task by task: direction_seed is 0, in the other 3"),
        ("difference STORE STORE --labels a", "--labels needs one label for each of 2, got 1: a"),
        ("difference STORE STORE --step 3", "not recorded at 3 steps, only at 0 10"),
        ("difference STORE STORE --tasks 4", "holds 3 tasks: --tasks must be from 1 to that, got 4"),
        ("spread no.zarr", "no surface at no.zarr"),
        ("spread STORE --step 3", "not recorded at 3 steps, only at 0 10"),
        ("spread SET --formats gif", "saved as png, pdf or svg, not gif"),
    ],
)
def test_what_cannot_be_drawn_is_one_line_and_leaves_nothing(command, store, a_set, tmp_path, here, typed, expected):
    spec = dataclasses.replace(open_store(store).spec, direction_seed=3)
    paths = {"SET": a_set, "STORE": store, "OTHER": create_or_open(tmp_path / "other.zarr", spec, {}).path}
    before = sorted(tmp_path.rglob("*"))
    ran = command("figure", *(paths.get(word, word) for word in typed.split()))
    assert (ran.code, ran.out) == (2, "")
    [line] = ran.err.splitlines()
    assert line.startswith("raymaml: ")
    assert expected in line
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_set_says_so(command, store, tmp_path):
    path = tmp_path / "empty.zarr"
    sets.claim(path, open_store(store).spec)
    ran = command("figure", "spread", path)
    assert ran.code == 2
    assert f"no surface in {path} yet; compute them: raymaml surface --seeds 5 6 7 --out {path}" in ran.err


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--seed 5 --seeds 6", "--seed is one seed and --seeds are several: give one of them"),
        ("--seeds x", "--seeds needs whole numbers such as 5 6 7, got 'x'"),
        ("--seeds 5 5", "--seeds needs different whole numbers from 0 up, got [5, 5]"),
        ("--seeds 5 9", "run tiny has no finished seed 9 (finished: 5); train it first"),
        ("--direction-seed x", "--direction-seed needs whole numbers such as 5 6 7, got 'x'"),
        ("--direction-seed 1 1", "--direction-seed of several surfaces needs different whole numbers from 0 up"),
        ("--direction-seed 0 -1", "--direction-seed of several surfaces needs different whole numbers from 0 up"),
        ("--direction-seed 0 1 --out SET", "holds other surfaces: "),
        ("--out SET", "holds other surfaces: "),  # one surface is a member too
        ("--direction-seed 0 1 --out STORE", "is not a set of surfaces that raymaml wrote"),
    ],
)
def test_seeds_and_directions_that_cannot_be_are_refused(command, run_at_home, store, a_set, typed, expected):
    words = ({"SET": a_set, "STORE": store}.get(word, word) for word in typed.split())
    ran = command("surface", *words)
    assert (ran.code, ran.out) == (2, "")
    assert expected in ran.err.splitlines()[-1]
    assert not (run_at_home / "surfaces").exists()


@pytest.mark.ray
def test_several_directions_are_computed_added_to_and_drawn(cluster, command, run_at_home, tmp_path):
    shared = ["--grid", "2", "--tasks", "2", "--query", "1", "--steps", "1", "--actors", "1"]
    ran = command("surface", *shared, "--direction-seed", 0, 1)
    assert ran.code == 0, ran.err
    assert f"run {run_at_home}, seeds 5, directions 0 1: 2 surfaces, best checkpoint" in ran.err
    path, *rest = ran.out.splitlines()
    assert path.startswith(str(run_at_home / "surfaces" / "novel-2x2-2tasks-"))
    assert any(line.startswith("standard deviation over directions: ") for line in rest)
    assert rest[-1].endswith("-figures/spread-areas.csv")
    names = ["seed-5-direction-0", "seed-5-direction-1"]
    assert sorted(p.name for p in (tmp_path / path).glob("seed-*")) == names
    # One more, by --out; then nothing is left to compute, with other words for the same.
    ran = command("surface", *shared, "--direction-seed", 4, "--out", path, "--no-figure")
    assert (ran.code, ran.out) == (0, f"{path}\n")
    assert sorted(p.name for p in (tmp_path / path).glob("seed-*")) == [*names, "seed-5-direction-4"]
    # One seed and one pair of directions are one store, as ever.
    ran = command("surface", *shared, "--seeds", 5, "--direction-seed", 1, "--no-figure")
    assert ran.code == 0
    assert str(run_at_home / "seed-5" / "surfaces") in ran.out
    alone = open_store(tmp_path / ran.out.strip())
    member = open_store(tmp_path / path / "seed-5-direction-1")
    assert alone.spec == member.spec
    assert np.array_equal(alone.read("loss"), member.read("loss"))
