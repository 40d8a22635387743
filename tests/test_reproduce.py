"""`raymaml reproduce` as a user runs it: killed on the way, continued, and drawn again."""

import json
import os
import re
import shlex
import signal

import numpy as np
import pytest
from test_end_to_end import finish, interrupt, start

from raymaml import backends, checkpoints
from raymaml.errors import MismatchError, SpecError
from raymaml.landscape import sets
from raymaml.landscape.evaluate import evaluator_of
from raymaml.landscape.plan import Block
from raymaml.landscape.store import open_store
from raymaml.verbs.reproduce import plan

ITEMS = "figure-6 table-5 adaptation spread"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("reproduced") / "thesis"


def stores_in(out):
    # Not **, which fails where it meets a folder that a store is just being made in.
    places = ("seed-*/surfaces/[!.]*.zarr", "surfaces/[!.]*.zarr/seed-*")
    found = [path for place in places for path in out.glob(f"runs/*/{place}")]
    return sorted(path for path in found if (path / "done" / "zarr.json").exists())


def state(folder):
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


@pytest.mark.ray
@pytest.mark.timeout(600)
def test_killed_and_continued_it_gives_all_items_and_the_values_of_the_plain_loop(out, glyphs, tmp_path):
    line = shlex.split(f"reproduce {ITEMS} --scale smoke --out {out}")
    interrupt(start(line, tmp_path), lambda: stores_in(out), signal.SIGKILL)
    code, printed, err = finish(start(line, tmp_path))
    assert (code, printed.split()) == (0, [str(out / "index.html")]), err
    for path in stores_in(out):
        store = open_store(path)
        assert not store.missing()
        folder = (
            next(parent for parent in path.parents if (parent / "run.json").exists()) / f"seed-{store.spec.seed}/best"
        )
        execution = backends.recorded(store.provenance["execution"])
        evaluator = evaluator_of(store.spec, checkpoints.load(folder).params, glyphs, execution=execution)
        everything = Block(*((0, size) for size in store.plan.shape))
        np.testing.assert_array_equal(store.read("loss"), evaluator.evaluate(everything).loss)
    assert len(stores_in(out)) == 3 + 4 + 4  # parts; seeds x augmentation; seeds x directions
    [together] = [path for path in out.glob("runs/*/surfaces/*.zarr") if sets.is_set(path)]
    assert [(m.spec.seed, m.spec.direction_seed) for m in sets.open_set(together).members] == [
        (5, 0), (5, 1), (6, 0), (6, 1),
    ]  # fmt: skip
    page = (out / "index.html").read_text()
    assert all((out / target).exists() for target in re.findall(r'(?:href|src)="([^#"]+)"', page))
    assert 'id="figure-6"' in page
    assert "Not made" not in page
    assert "ln 5 = 1.609" in (out / "findings.md").read_text()
    assert not list(out.glob("runs/*transfer*/seed-*"))  # of which only the settings are asked


@pytest.mark.ray
def test_once_more_it_computes_nothing_and_draws_the_same(out, tmp_path):
    before = state(out / "runs"), (out / "figures" / "figure6.png").read_bytes()
    os.unlink(out / "figures" / "figure6.png")
    code, _, err = finish(start(shlex.split(f"reproduce {ITEMS} --scale smoke --out {out}"), tmp_path))
    assert code == 0, err
    assert (state(out / "runs"), (out / "figures" / "figure6.png").read_bytes()) == before
    assert len([json.loads(line) for line in (out / "calls.jsonl").read_text().splitlines()]) >= 2


def test_what_does_not_fit_is_refused_before_anything_is_made(tmp_path, glyphs):
    for arguments, words in (
        ({"names": ["figure-5"]}, "second data set"),
        ({"scale": "huge"}, "--scale must be one of smoke, quick, thesis"),
        ({"data": ["glyphs", "glyphs"]}, "one or two different data sets"),
    ):
        with pytest.raises(SpecError, match=words):
            plan(out=tmp_path / "out", **{"scale": "smoke", **arguments})
    assert not (tmp_path / "out").exists()


def test_another_run_in_the_folder_is_refused(tmp_path, glyphs):
    [cell] = plan(["figure-9"], "smoke", out=tmp_path).cells.values()
    cell.run.path.mkdir(parents=True)
    (cell.run.path / "run.json").write_text(json.dumps({**cell.spec.to_dict(), "updates": 999}))
    with pytest.raises(MismatchError, match="updates is 999"):
        plan(["figure-9"], "smoke", out=tmp_path)


def test_only_the_runs_that_an_item_needs_are_planned(tmp_path, glyphs):
    def trained(*names):
        cells = plan(list(names), "smoke", out=tmp_path).cells
        return {key[1:]: cell.seeds for key, cell in cells.items()}

    assert trained("figure-4") == {("maml", "conv4", True): (5,)}
    assert trained("figure-9") == {("transfer", "conv4", False): (5,)}
    assert trained("figure-11") == {("maml", "conv4", True): (5,), ("maml", "conv4", False): (5,)}
    assert set(trained("table-2").values()) == {(5, 6)}
    assert len(trained("table-2")) == 4
    assert not plan(["figure-4"], "smoke", out=tmp_path).matrix.splits  # nothing to evaluate
