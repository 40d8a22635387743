import dataclasses
import os

import pytest

from raymaml import files, runs
from raymaml.errors import MismatchError, MissingError, SpecError
from raymaml.runs import RunDir
from raymaml.specs import Score


def finish(run, seed, at=None):
    path = run.seed(seed).result
    files.write_json(path, {"test": Score(0.5, 0.1, 1.0, 3).to_dict()})
    if at is not None:
        os.utime(path, (at, at))


@pytest.fixture
def run(spec):
    made = RunDir(runs.home() / "first")
    made.claim(spec)
    return made


def test_a_claimed_run_may_be_claimed_again(run, spec):
    run.claim(spec)
    assert run.spec() == spec


def test_another_specification_is_refused_with_the_difference(run, spec):
    with pytest.raises(MismatchError, match="holds another run: updates is 6, asked for 9; ask for the same values"):
        run.claim(dataclasses.replace(spec, updates=9))


def test_a_folder_of_something_else_is_refused(spec, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").touch()
    with pytest.raises(MismatchError, match="is no run of raymaml"):
        RunDir(tmp_path / "thesis").claim(spec)
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter1.tex"]


def test_a_damaged_run_file_is_refused(run, spec):
    run.spec_file.write_text("{")
    with pytest.raises(SpecError, match=r"run\.json cannot be read as JSON"):
        run.claim(spec)


def test_the_newest_finished_run_is_found(run, spec):
    second = RunDir(runs.home() / "second")
    second.claim(spec)
    finish(run, 5, at=2000)
    finish(second, 5, at=1000)
    assert runs.find(None).path == run.path
    finish(second, 6, at=3000)
    assert runs.find(None).path == second.path


def test_without_a_finished_run_the_message_says_how_to_get_one(run):
    with pytest.raises(MissingError, match="no finished run in .*; train one first: raymaml train --seeds 5 6 7"):
        runs.find(None)


def test_runs_are_found_by_name_and_by_path(run, monkeypatch):
    assert runs.find("first").path == run.path
    monkeypatch.chdir(run.path.parent.parent)
    assert runs.find("home/first").path == run.path
    assert runs.find(str(run.path)).path == run.path
    with pytest.raises(MissingError, match=r"no run 'third' here or in .* \(there: first\)"):
        runs.find("third")


def test_which_seed_is_taken(run):
    with pytest.raises(MissingError, match=r"no finished seed 5 \(finished: none\)"):
        runs.pick_seed(run, None)
    finish(run, 10)
    finish(run, 7)
    run.seed(5).path.mkdir()
    assert runs.pick_seed(run, None).seed == 7
    finish(run, 5)
    finish(run, 3)
    assert runs.pick_seed(run, None).seed == 5
    assert runs.pick_seed(run, 3).seed == 3
    with pytest.raises(MissingError, match=r"no finished seed 9 \(finished: 3, 5, 7, 10\)"):
        runs.pick_seed(run, 9)
    assert [s.seed for s in run.seeds()] == [3, 5, 7, 10]


@pytest.mark.parametrize("seeds", [[], [5, 5], [-1]])
def test_unusable_seeds(seeds):
    with pytest.raises(SpecError, match="different whole numbers from 0 up"):
        runs.check_seeds(seeds)


def test_a_file_is_the_old_or_the_new_one(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"x": 1})

    def fail(temporary):
        temporary.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        files.replace(path, fail)
    assert files.read_json(path) == {"x": 1}
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["a.json"]


def test_of_two_that_claim_a_folder_one_wins(tmp_path, spec, monkeypatch):
    """Another process makes the run between our look and our write."""
    run, other = RunDir(tmp_path / "run"), dataclasses.replace(spec, updates=7)
    real = files.create

    def slow(path, text):
        assert real(path, files.json_text(other.to_dict()))
        return real(path, text)

    monkeypatch.setattr(files, "create", slow)
    with pytest.raises(MismatchError, match="holds another run: updates is 7, asked for 6"):
        run.claim(spec)
    assert run.spec() == other
    assert [p.name for p in run.path.iterdir()] == ["run.json"]


def test_what_a_killed_claim_left_does_not_make_a_folder_foreign(tmp_path, spec):
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    (run.path / ".run.json.0123.partial").touch()
    run.claim(spec)
    assert run.spec() == spec
