import importlib
import shlex

import pytest

from raymaml.runs import RunDir

pytestmark = pytest.mark.usefixtures("no_ray")  # a list that is parsed wrongly must not start a run

spread = importlib.import_module("raymaml_cli.variadic").spread

# What is typed after `train`, and the seeds that arrive.
LISTS = [
    ("--seeds 5 6 7", [5, 6, 7]),
    ("--seeds 5,6,7", [5, 6, 7]),
    ("--seeds 5 --seeds 6 --seeds 7", [5, 6, 7]),
    ("--seeds=5 6", [5, 6]),
    ("--seeds=5,6 7 --seeds 8", [5, 6, 7, 8]),
    ("--seeds 5 6 --updates 3", [5, 6]),
    ("--updates 3 --seeds 5 6", [5, 6]),
    ("--seeds 5 --updates 3 --seeds 6", [5, 6]),
    ("--seeds -1 5 -2", [-1, 5, -2]),  # numbers, not options: the check of the seeds refuses them
    ("--seeds 9", [9]),
    ("", [5, 6, 7]),
]


@pytest.fixture
def given(monkeypatch, tmp_path):
    """What the command hands to training, which does not run."""
    seen = {}

    def train(seeds, **options):
        seen.update(options, seeds=seeds)
        return RunDir(tmp_path), {}

    monkeypatch.setattr("raymaml.verbs.train.train", train)
    return seen


@pytest.mark.parametrize(("typed", "seeds"), LISTS)
def test_train_gets_every_seed(command, given, typed, seeds):
    ran = command("train", *shlex.split(typed))
    assert (ran.code, ran.err) == (0, "")
    assert given["seeds"] == seeds
    assert given["updates"] == (3 if "updates" in typed else None)


@pytest.mark.parametrize(
    ("typed", "spread_out"),
    [
        ("--seeds 5 6,7 --updates 3 x", "--seeds 5 --seeds 6 --seeds 7 --updates 3 x"),
        ("-s 5 6 --seeds=7 8", "-s 5 -s 6 --seeds 7 --seeds 8"),
        ("--seeds 5 6 -- 7 --seeds 8", "--seeds 5 --seeds 6 -- 7 --seeds 8"),
        ("--seeds -1 -2.5 -x", "--seeds -1 --seeds -2.5 -x"),
        ("--updates 3 4 --out=a,b", "--updates 3 4 --out=a,b"),  # no list options: as they are
        ("--seeds", "--seeds"),
        ("", ""),
    ],
)
def test_spread(typed, spread_out):
    assert list(spread(typed.split(), {"--seeds", "-s"})) == spread_out.split()


def test_values_after_a_double_dash_are_no_seeds(command, given):
    ran = command("train", "--seeds", "5", "--", "6")
    assert ran.code == 2
    assert "unexpected extra argument" in ran.err
    assert not given


def test_a_list_without_a_value_is_refused(command, given):
    ran = command("train", "--seeds")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines() == ["raymaml: Option '--seeds' requires an argument."]
    assert not given


@pytest.mark.parametrize("rest", ["--updates 3", "--", "--seeds 5"])
def test_a_list_without_a_value_is_refused_before_another_option(command, given, rest):
    ran = command("train", "--seeds", *rest.split())
    assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1)
    assert "--seeds" in ran.err
    assert not given


def test_help_shows_the_option(command):
    ran = command("train", "--help")
    assert ran.code == 0
    assert "--seeds" in ran.out
    assert "Default: 5 6 7" in " ".join(ran.out.replace("│", " ").split())


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("raymaml train --seeds 5 6 --upd", "--updates"),
        ("raymaml train --seeds 5,6 7 --backbone res", "resnet10"),
        ("raymaml train --seeds 5 6 --see", "--seeds"),
    ],
)
def test_bash_completes_after_a_list(script, line, expected):
    words = line.split()
    ran = script(_RAYMAML_COMPLETE="complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    assert (ran.code, ran.err) == (0, "")
    assert expected in ran.out.splitlines()


@pytest.mark.parametrize(
    ("typed", "spread_out"),
    [
        ("--format csv npz STORE", "--format csv --format npz STORE"),
        ("--format csv,npz STORE --step 5", "--format csv --format npz STORE --step 5"),
        ("STORE --format csv npz", "STORE --format csv --format npz"),
        ("--format cvs STORE", "--format cvs STORE"),  # the first word is a value, so that Typer refuses it by name
        ("--format csv STORE npz", "--format csv STORE npz"),
    ],
)
def test_a_list_of_choices_ends_before_an_argument(typed, spread_out):
    assert list(spread(typed.split(), {"--format"}, {"--format": {"csv", "npz"}})) == spread_out.split()
