"""What a user can get wrong: one line that says what was expected, exit code 2, and nothing left behind."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).with_name("raymaml")

pytestmark = pytest.mark.usefixtures("no_ray")

CHOSEN = r"run .*\n?(store .*)?(\nwarning: .*)?"  # lines that tell what was chosen, before it was tried


def snapshot(folder):
    return {p.relative_to(folder): p.stat().st_mtime_ns for p in folder.rglob("*")}


@pytest.fixture
def refused(command, tmp_path):
    """Check that a command is refused with one line, and gives that line."""

    def check(*args, expected: str, before: str = "") -> str:
        files = snapshot(tmp_path)
        ran = command(*args)
        assert ran.out == ""
        *earlier, line = ran.err.splitlines()
        assert ran.code == 2
        assert re.fullmatch(before, "\n".join(earlier)), earlier
        assert line.startswith("raymaml: ")
        assert re.search(expected, line), line
        assert snapshot(tmp_path) == files
        return line

    return check


@pytest.fixture(scope="session")
def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# --- options that need nothing on disk

OPTIONS = [
    ("train --data nope", r"no data set 'nope'; there are: glyphs"),
    ("train --backbone vgg", r"--backbone.*'vgg' is not one of 'conv4', 'conv6', 'resnet10', 'resnet18'"),
    ("train --preset fast", r"--preset.*'fast' is not one of 'demo', 'quick', 'thesis'"),
    ("train --seeds five", r"--seeds needs whole numbers such as 5 6 7, got 'five'"),
    ("train --seeds 5 6 1.5", r"--seeds needs whole numbers such as 5 6 7, got '5 6 1.5'"),
    ("train --seeds 5 6 5", r"--seeds needs different whole numbers from 0 up, got \[5, 6, 5\]"),
    ("train --seeds -1", r"--seeds needs different whole numbers from 0 up, got \[-1\]"),
    ("train --method reptile", r"--method.*'reptile' is not one of 'maml', 'transfer'"),
    ("train --method transfer --inner-lr 0.1", r"inner_lr: not a value of method transfer"),
    ("train --epochs 3", r"epochs: not a value of method maml"),
    ("bench --only speed", r"--only needs some of surface, train, engine, driver, each once, got 'speed'"),
    ("bench --quick --full", r"--quick and --full exclude each other"),
    ("bench --json .", r"--json needs a file that can be written, \. cannot: name another"),
    ("bench --json /etc/passwd/f.json", r"--json needs a file that can be written, /etc/passwd/f.json cannot"),
    ("bench --json /proc/none/f.json", r"--json needs a file that can be written, /proc/none/f.json cannot"),
    ("train --method transfer --outputs 9 --batch 1", r"batch must be at least 2, got 1"),
    ("train --method transfer --workers-per-seed 2", r"--workers-per-seed must be 1 for transfer learning"),
    ("train --monitor-every 30", r"monitor_every must be 0 or a multiple of validate_every \(100\), got 30"),
    ("train --test-steps -1", r"test_steps must be at least 0, got -1"),
    ("train --compat thesis", r"--compat.*'thesis' is not one of 'text', 'code'"),
    ("evaluate", r"no finished run in .*; train one first: raymaml train --seeds 5 6 7"),
    ("evaluate --run nope", r"no run 'nope' here or in "),
    ("evaluate --split train", r"--split needs some of base, val, novel, each once, got 'train'"),
    ("evaluate --checkpoint best best", r"--checkpoint needs some of best, last, each once, got 'best best'"),
    ("evaluate --tasks 1", r"--tasks.*greater than or equal to 2"),
    ("matrix --methods anil", r"--methods needs some of maml, transfer, each once, got 'anil'"),
    ("matrix --backbones conv4 conv5", r"--backbones needs some of conv4, .*, got 'conv4 conv5'"),
    ("matrix --augment maybe", r"--augment.*'maybe' is not one of 'both', 'off', 'on'"),
    ("matrix --data nope", r"no data set 'nope'; there are: glyphs"),
    ("matrix --seeds 5 5", r"--seeds needs different whole numbers"),
    ("matrix --updates 0", r"updates must be at least 1, got 0"),
    ("matrix --backbones resnet10", r"no data set 'glyphs-224'|resnet10 needs images of 224 pixels, got 28"),
    ("train --updates 0", r"updates must be at least 1, got 0"),
    ("train --updates many", r"--updates.*valid integer.*raymaml train --help"),
    ("train --inner-lr nan", r"inner_lr must be a finite number, got nan"),
    ("train --inner-lr -1", r"inner_lr must be at least 0, got -1"),
    ("train --order 3", r"order must be one of 1, 2, got 3"),
    ("train --way 1000000000000000000", r"(way|outputs) must be at most 100,000, got 1000000000000000000"),
    ("train --method transfer --outputs 1000000000000000000", r"outputs must be at most 100,000"),
    ("train --way 1", r"way must be at least 2, got 1"),
    ("train --val-tasks 1", r"val_tasks must be at least 2, got 1"),
    ("train --threads 0", r"--threads.*greater than or equal to 1"),
    ("train more", r"unexpected extra argument.*raymaml train --help"),
    ("train --nope 1", r"No such option: --nope.*raymaml train --help"),
    ("surface --adaptive 0", r"--adaptive needs a tolerance in nats above 0, such as 0.02, got 0$"),
    ("surface --adaptive -0.1", r"--adaptive needs a tolerance in nats above 0, such as 0.02, got -0.1"),
    ("surface --adaptive nan", r"--adaptive needs a tolerance in nats above 0, such as 0.02, got nan"),
    ("surface --adaptive little", r"--adaptive.*valid number"),
    ("surface --grid 0", r"--grid needs N or NxM with whole numbers from 1 to 10000, such as 51, got '0'"),
    ("surface --grid 99999999999999999999", r"--grid needs N or NxM.*got '99999999999999999999'"),
    ("surface --grid 5x", r"--grid needs N or NxM.*got '5x'"),
    ("surface --grid 5x5x5", r"--grid needs N or NxM.*got '5x5x5'"),
    ("surface --grid abc", r"--grid needs N or NxM.*got 'abc'"),
    ("surface --tasks 0", r"--tasks.*greater than or equal to 1"),
    ("surface --steps five", r"--steps needs whole numbers such as 5 6 7, got 'five'"),
    ("surface --query 1.5", r"--query needs whole numbers such as 5 6 7, got '1.5'"),
    ("surface --steps", r"Option '--steps' requires an argument"),
    ("surface --task 3 --tasks 4", r"--task is one fixed task: leave out --tasks and --fresh-tasks"),
    ("surface --task 3 --fresh-tasks", r"--task is one fixed task: leave out --tasks and --fresh-tasks"),
    ("surface --task -1", r"--task.*greater than or equal to 0"),
    ("surface --around both", r"--around.*'both' is not one of 'initial', 'adapted'"),
    ("surface --part body", r"--part.*'body' is not one of 'all', 'head', 'feature'"),
    ("surface --split test", r"--split.*'test' is not one of 'base', 'val', 'novel'"),
    ("surface --checkpoint first", r"--checkpoint.*'first' is not one of 'best', 'last'"),
    ("surface --actors 0", r"--actors.*greater than or equal to 1"),
    ("surface", r"no finished run in .*home; train one first: raymaml train --seeds 5 6 7"),
    ("surface --run nope", r"no run 'nope' here or in .*home \(there: none\)"),
    ("sharpness", r"no finished run in .*home; train one first: raymaml train --seeds 5 6 7"),
    ("sharpness --run nope", r"no run 'nope' here or in "),
    ("sharpness --split train", r"--split needs some of base, val, novel, each once, got 'train'"),
    ("sharpness --measures sam", r"--measures needs some of standard, adaptive, .*, each once, got 'sam'"),
    ("sharpness --measures averaged", r"--measures needs some of standard, .*, got 'averaged'"),
    ("sharpness --measures", r"--measures needs at least one value|Option '--measures' requires an argument"),
    ("sharpness --tasks 1", r"--tasks.*greater than or equal to 2"),
    ("sharpness --steps -1", r"--steps.*greater than or equal to 0"),
    ("sharpness --perturb bias", r"--perturb.*'bias' is not one of 'weights', 'all'"),
    ("sharpness --checkpoint first", r"--checkpoint.*'first' is not one of 'best', 'last'"),
    ("sharpness --seeds five", r"--seeds needs whole numbers such as 5 6 7, got 'five'"),
    ("figure surface", r"Missing argument 'store'.*raymaml figure surface --help"),
    ("data show nope", r"no data set 'nope'; there are: glyphs"),
    ("data show --split x", r"--split.*'x' is not one of 'base', 'val', 'novel'"),
    ("data show --way 500", r"novel split of glyphs has \d+ classes: too few for 500-way tasks"),
    ("data show --shot 30", r"classes with 20 images: too few for 30 support and 15 query.*lower --shot or --query"),
    ("table 5", r"No such command '5'.*raymaml table --help"),
    ("table 3", r"no results or curves; make some with"),
    ("table 7", r"no results or curves of miniimagenet; make some with"),
    ("table 8 --data nope --published", r"no results of nope, only of: cub, miniimagenet"),
    ("correlate", r"no results or curves; make some with"),
    ("correlate --published --bootstrap 99", r"a bootstrap needs 100 to 100,000 draws, got 99"),
    ("correlate --published --bootstrap -1", r"--bootstrap.*greater than or equal to 0"),
    ("correlate --published --x loss", r"--x needs some of base-sharpness, base-loss, .*, each once, got 'loss'"),
    ("correlate --published --y base-loss", r"--y needs some of base-accuracy, novel-accuracy, each once, got"),
    ("correlate --published --aug some", r"--aug.*'some' is not one of 'all', 'only', 'none'"),
    ("figure 13", r"no results or curves; make some with"),
    (
        "table 2",
        r"no results or curves; make some with `raymaml train --seeds 5 6 7` or `raymaml matrix`, name a file with --f",
    ),
    ("table 2 --data nope --published", r"no results of nope, only of: cub, miniimagenet"),
    ("table 2 --data", r"Option '--data' requires an argument"),
    ("table 2 --from nope.csv", r"nope.csv is not there; name a CSV file of results"),
    ("table 2 --published more", r"unexpected extra argument.*raymaml table 2 --help"),
    ("figure 3", r"no results or curves; make some with"),
    ("figure 3 --published --formats gif", r"a figure can be saved as png, pdf or svg, not gif"),
    ("figure 19", r"no results or curves of miniimagenet; make some with"),
    ("figure 20", r"no results or curves of cub; make some with"),
    ("figure 20 --published --data glyphs", r"no results of glyphs, only of: cub, miniimagenet"),
    ("data show cub-224", r"cub-224 is not prepared here: run `raymaml data prepare cub --root DIR --size 224` first"),
    ("data check nope", r"nope is not prepared here"),
    ("data check ../x", r"a data set's name is letters, digits.*got '../x'"),
    ("data prepare", r"Missing argument 'name'.*raymaml data prepare --help"),
    ("data prepare cub", r"Missing option '--root'.*raymaml data prepare --help"),
    (
        "data prepare imagenet --root .",
        r"'imagenet' cannot be prepared; there are: omniglot, cub, miniimagenet, cifarfs",
    ),
    ("data prepare cub --root nope", r"nope is not there: --root needs the folder or the zip file of the data set"),
    ("data prepare cub --root .", r"holds no CUB-200-2011: expected CUB_200_2011/images/NNN.CLASS/\*.jpg"),
    ("data prepare miniimagenet --root .", r"holds no miniImageNet: expected .*csv.*pkl.*pickle.*ravi-larochelle"),
    ("data prepare cifarfs --root .", r"holds no CIFAR-100: expected cifar-100-python/"),
    ("data prepare folder --root . --name x --size 101785", r"--size must be from 1 to 2048 pixels, got 101785"),
    ("data prepare cub --root . --size 0", r"--size.*greater than or equal to 1"),
    ("data prepare cub --root . --name mine", r"--name is for `folder`: this set is called cub"),
    ("data prepare cub --root . --rotations", r"--rotations is for `omniglot`"),
    ("data prepare cub --root . --split-file x.json", r"--grey and --split-file are for `folder`"),
    ("data prepare folder --root .", r"--name must say what to call your pictures, other than glyphs, cifarfs"),
    ("data prepare folder --root . --name cub-224", r"--name must say what to call your pictures, other than"),
    ("data prepare folder --root . --name a/b", r"a data set's name is letters"),
    ("data prepare folder --root . --name birds", r"holds no pictures: expected CLASS/NAME.png"),
    ("data list --root nope", r"nope is not there: --root needs the folder"),
    ("frobnicate", r"No such command 'frobnicate'.*raymaml --help"),
]


@pytest.mark.parametrize(("typed", "expected"), OPTIONS, ids=[typed for typed, _ in OPTIONS])
def test_a_wrong_option_is_refused(refused, typed, expected):
    refused(*shlex.split(typed), expected=expected)


def test_a_grid_in_superscript_is_refused(refused):
    refused("surface", "--grid", "5²", expected="--grid needs N or NxM")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--shot 6 --query 16", r"base split.*20 images: too few for 6 support and 16 query images"),
        ("--shot 6 --query 5", r"novel split.*20 images: too few for 6 support and 15 query images"),
        ("--way 500", r"classes: too few for 500-way tasks"),
        ("--backbone resnet10", r"resnet10 needs images of 224 pixels, got 28"),
    ],
)
def test_tasks_and_models_that_the_data_cannot_supply_are_refused_before_the_run_is_made(
    refused, closed_port, typed, expected
):
    refused("train", *typed.split(), "--address", f"127.0.0.1:{closed_port}", expected=expected)


# --- one line, whatever is in it


@pytest.mark.parametrize("text", ["\x1b[31mred", "a\nb\u2028c\x85d", "\u202e", "\udcff"])
def test_an_error_is_one_line_that_a_terminal_only_shows(refused, text):
    line = refused("table", "2", "--from", text, expected="is not there; name a CSV file|cannot be read as CSV")
    assert line.isprintable()


def test_what_was_chosen_is_told_in_lines_that_a_terminal_only_shows(command, run_at_home):
    ran = command("surface", "--grid", "3", "--out", "a\nb\x1b[2J", "--address", "nonsense")
    assert ran.err.splitlines()[1].endswith(r"/a\nb\x1b[2J")
    assert len(ran.err.splitlines()) == 3


def test_a_file_that_was_taken_for_a_name_is_cut_short(refused):
    line = refused("train", "--data", "x" * 100_000, expected=r"no data set 'xxx.*xxx \.\.\. ")
    assert len(line) < 1_600


def test_too_little_memory_is_one_line(refused, monkeypatch):
    def starve(*_args, **_options):
        raise MemoryError("463 GiB")

    monkeypatch.setattr("raymaml.verbs.show.show", starve)
    refused("data", "show", expected=r"not enough memory for that \(463 GiB\); ask for less")


def test_a_name_of_a_file_in_another_encoding_goes_out_as_it_came_in(here, store):
    done = subprocess.run(
        [SCRIPT, "export", store, "--format", "npz", "--out", b"caf\xe9"],
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},  # as in a locale other than C
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"caf\xe9/")


# --- the cluster


@pytest.mark.parametrize("verb", ["train", "surface"])
@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:{port}", "ray://127.0.0.1:10001", "auto"])
def test_a_cluster_that_does_not_answer_leaves_nothing_behind(
    refused, closed_port, run_at_home, tmp_path, monkeypatch, verb, address
):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))  # where `auto` looks
    address = address.format(port=closed_port)
    refused(verb, "--address", address, expected=r"Ray|--address must be local, auto or host:port", before=CHOSEN)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:{port}", r"no Ray cluster answers at 127.0.0.1:\d+ .*start one or use --address local"),
        ("nonsense", r"--address must be local, auto or host:port, got 'nonsense'"),
        ("127.0.0.1:", r"--address must be local, auto or host:port"),
        ("ray://127.0.0.1:10001", r"give host:port, or submit a Ray job"),
        ("auto", r"no Ray cluster runs on this machine; start one with `ray start --head`, or use --address local"),
    ],
)
def test_a_cluster_that_does_not_answer_is_named_soon(
    command, closed_port, run_at_home, tmp_path, monkeypatch, address, expected
):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    command("surface", "--run", "nope")  # loads ray and torch, which is not what is timed
    started = time.monotonic()
    ran = command("surface", "--grid", "3", "--tasks", "2", "--address", address.format(port=closed_port))
    assert time.monotonic() - started < 8
    assert (ran.code, ran.out) == (2, "")
    assert re.search(expected, ran.err.splitlines()[-1])
    assert "Traceback" not in ran.err


def test_a_reproduction_without_a_cluster_leaves_nothing(refused, glyphs):
    refused(
        *["reproduce", "table-2", "--scale", "smoke", "--out", "new", "--address", "nonsense"],
        expected="--address must be local, auto or host:port",
        before="1 items into .*",
    )


@pytest.mark.parametrize("text", ["garbage", '{"seconds": []}', "[" * 100_000])
def test_a_reproduction_with_damaged_notes_is_drawn_all_the_same(command, here, glyphs, text):
    (here / "r").mkdir()
    (here / "r" / "calls.jsonl").write_text(text)
    ran = command("reproduce", "table-5", "--scale", "smoke", "--out", "r", "--draw-only")
    assert ran.code == 0, ran.err
    assert "calls.jsonl is damaged" in (here / "r" / "index.html").read_text()


# --- files of results

RESULTS = "data,method,backbone,augment,seed,split,checkpoint,accuracy,accuracy_ci95,loss,tasks\n"
NOVEL = "glyphs,maml,conv4,false,5,novel,best,0.9,0.01,0.3,600\n"


@pytest.mark.parametrize("verb", ["table 2", "figure 3"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (RESULTS.replace("accuracy,", "accuracy_pct,"), r"a.csv line 1: the columns data,.* were expected, got "),
        (RESULTS + NOVEL.replace("0.9", "90"), r"a.csv line 2: accuracy must be a share .* not a percentage, got 90"),
        (RESULTS + NOVEL.replace("best", "last"), r"no results of best checkpoints on novel tasks; make some with"),
        (RESULTS, r"no results or curves; make some with"),
    ],
)
def test_files_of_results_that_cannot_be_used(refused, here, verb, text, expected):
    (here / "a.csv").write_text(text)
    refused(*verb.split(), "--from", "a.csv", expected=expected)


@pytest.mark.parametrize("verb", ["table 2", "figure 3"])
def test_a_seed_that_two_files_have_is_refused(refused, here, verb):
    for name in ("a.csv", "b.csv"):
        (here / name).write_text(RESULTS + NOVEL)
    expected = r"two results of seed 5 of maml conv4 without augmentation on glyphs, .*; give one of them"
    refused(*verb.split(), "--from", "a.csv", "b.csv", expected=expected)


@pytest.mark.parametrize("verb", ["table 7 --data glyphs", "figure 13", "figure 14"])
def test_results_without_sharpness_are_refused(refused, here, verb):
    (here / "a.csv").write_text(RESULTS + NOVEL)
    expected = (
        r"no sharpness of best checkpoints of MAML runs on base or novel tasks; measure it with `raymaml sharpness"
    )
    refused(*verb.split(), "--from", "a.csv", expected=expected)


def test_correlations_of_transfer_learning_are_refused(refused, here):
    (here / "a.csv").write_text(RESULTS + NOVEL.replace("maml", "transfer"))
    for verb in (["table", "3"], ["correlate"]):
        refused(
            *verb, "--from", "a.csv", expected=r"no results of best checkpoints of MAML runs on base or novel tasks"
        )
    (here / "a.csv").write_text(RESULTS + NOVEL)
    refused("table", "4", "--from", "a.csv", expected=r"no results of best checkpoints of augmented MAML runs")


def test_a_figure_of_overfitting_needs_two_checkpoints(refused, here):
    (here / "a.csv").write_text(RESULTS + NOVEL)
    expected = r"no curves of MAML over training, nor results of both its best and its last checkpoint; make some"
    refused("figure", "19", "--data", "glyphs", "--from", "a.csv", expected=expected)


def test_damaged_metrics_are_named(refused, run_at_home):
    (run_at_home / "seed-5" / "metrics.jsonl").write_text('{"step": 1, "val_accuracy": "high"}\n')
    refused("figure", "19", "--data", "glyphs", expected=r"metrics.jsonl is damaged: .*restore the file")


# --- a finished run


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--seed 99", r"run tiny has no finished seed 99 \(finished: 5\); train it first"),
        ("--run nope", r"no run 'nope' here or in .*home \(there: tiny\)"),
        ("--tasks 1000000000", r"tasks must be at most 1,000,000, got 1000000000"),
        ("--range 1 -1", r"range must go from low to high, got 1 to -1"),
        ("--range 0 0", r"range must go from low to high, got 0 to 0"),
        ("--range nan 1", r"low must be a finite number, got nan"),
        ("--steps 5 -1", r"steps must be at least 0, got -1"),
        ("--query 0", r"query must be at least 1, got 0"),
    ],
)
def test_a_surface_that_cannot_be_is_refused(refused, run_at_home, typed, expected):
    refused("surface", *typed.split(), expected=expected)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("--seeds 99", r"run tiny has no finished seed 99 \(finished: 5\); train it first"),
        ("--rho nan", r"rho must be a finite number, got nan"),
        ("--rho -1", r"rho must be at least 0, got -1"),
        ("--linf-rho -1", r"linf_rho must be at least 0, got -1"),
        ("--query 30", r"20 images: too few for 1 support and 30 query images; lower --shot or --query"),
        ("--address 127.0.0.1:{port}", r"no Ray cluster answers at 127.0.0.1:\d+"),
    ],
)
def test_a_sharpness_that_cannot_be_is_refused(refused, run_at_home, closed_port, typed, expected):
    typed = typed.format(port=closed_port)
    refused("sharpness", "--split", "base", "novel", *typed.split(), expected=expected, before=r"(store .*\n?)*")


def test_cut_weights_are_named_before_sharpness_is_measured(refused, run_at_home):
    (weights,) = (run_at_home / "seed-5" / "best").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-100])
    refused("sharpness", expected=rf"{weights.name} is corrupt.*restore the file, or start over with another --out")


def test_a_surface_of_tasks_that_the_data_cannot_supply_is_refused_before_the_store_is_made(
    refused, run_at_home, closed_port
):
    refused(
        *["surface", "--query", "30", "--address", f"127.0.0.1:{closed_port}"],
        expected=r"20 images: too few for 1 support and 30 query images; lower --shot or --query",
        before=CHOSEN,
    )


@pytest.mark.parametrize(("grid", "warned"), [("4", True), ("5x4", True), ("5", False)])
def test_only_a_grid_without_the_centre_is_warned_of(command, run_at_home, closed_port, grid, warned):
    ran = command("surface", "--grid", grid, "--tasks", "2", "--address", f"127.0.0.1:{closed_port}")
    warnings = [line for line in ran.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == warned
    assert all("not on this grid; an odd grid on -1 1 has it" in line for line in warnings)


TINY = "--preset demo --validate-every 1 --val-tasks 2 --test-tasks 2 --query 1"


def test_a_folder_with_another_run_is_refused_with_what_differs(refused, run_at_home):
    line = refused(
        *["train", "--seeds", "5", *TINY.split(), "--updates", "3", "--inner-lr", "0.2", "--out", run_at_home],
        expected=r"another run: learner.inner_lr is 0.1, asked for 0.2; updates is 2, asked for 3; .*--out",
    )
    assert "data_digest" not in line


def test_the_same_run_is_found_finished(command, run_at_home):
    ran = command("train", "--seeds", "5", *TINY.split(), "--updates", "2", "--out", run_at_home)
    assert ran.code == 0
    assert "seed 5 is finished already: nothing to do" in ran.err
    assert re.fullmatch(r"seed 5: novel accuracy \d.*/seed-5/best\n", ran.out)


def test_a_folder_that_is_no_run_is_refused(refused, here):
    (here / "papers").mkdir()
    (here / "papers" / "thesis.pdf").touch()
    refused("train", "--out", "papers", expected=r"papers is there and is no run of raymaml.*--out")


# --- damaged files of a run


def test_cut_weights_are_named(refused, run_at_home):
    (weights,) = (run_at_home / "seed-5" / "best").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-100])
    refused("surface", expected=rf"{weights.name} is corrupt.*restore the file, or start over with another --out")


def test_missing_weights_are_named(refused, run_at_home):
    (weights,) = (run_at_home / "seed-5" / "best").glob("*.safetensors")
    weights.unlink()
    refused("surface", expected=rf"{weights.name} is not there.*restore the file, or start over with another --out")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("garbage", "cannot be read as JSON"),
        ("", "cannot be read as JSON"),
        ("{}", "is not a checkpoint of format 1"),
        ("[]", "is not a checkpoint of format 1"),
        ('{"format": 2}', "has format 2, this version reads 1"),
    ],
)
class TestDamagedCheckpoint:
    def test_is_named(self, refused, run_at_home, text, expected):
        (run_at_home / "seed-5" / "best" / "checkpoint.json").write_text(text)
        refused("surface", expected=rf"best/checkpoint.json {expected}")

    def test_comes_with_advice(self, refused, run_at_home, text, expected):
        (run_at_home / "seed-5" / "best" / "checkpoint.json").write_text(text)
        refused("surface", expected=r"restore the file, or start over|update raymaml")


@pytest.mark.parametrize("text", ["garbage", "{}", "[]"])
def test_a_damaged_run_file_is_named(refused, run_at_home, text):
    (run_at_home / "run.json").write_text(text)
    refused("train", "--out", run_at_home, expected=r"run.json|TrainSpec needs exactly the names")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000])
def test_a_file_that_is_nested_without_end_is_named(refused, run_at_home, text):
    (run_at_home / "run.json").write_text(text)
    refused("surface", expected=r"run.json cannot be read as JSON")


# --- figures


@pytest.mark.parametrize("name", ["codecs", "chunk_key_encoding", "data_type", "shape"])
@pytest.mark.parametrize("array", ["loss", "task"])
def test_damaged_metadata_of_one_array_are_one_line(command, store, array, name):
    path = store / array / "zarr.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: {"name": "../../x"}}))
    ran = command("verify", store)
    assert "Traceback" not in ran.err
    assert ran.code in (1, 2)


def test_an_array_nested_without_end_is_one_line(refused, store):
    (store / "loss" / "zarr.json").write_text('{"a":' * 50_000)
    refused("figure", "surface", store, expected=r"loss is not an array that raymaml wrote, or it is damaged")


@pytest.mark.parametrize("threads", [0, -1, 10**9, "4", True])
def test_a_store_of_impossible_threads_is_refused(refused, store, threads):
    path = store / "zarr.json"
    values = json.loads(path.read_text())
    values["attributes"]["provenance"] = {"threads": threads}
    path.write_text(json.dumps(values))
    refused("figure", "surface", store, expected=r"its provenance has .* threads")


def test_a_name_longer_than_a_file_s_can_be_leaves_nothing(refused, store):
    refused("figure", "surface", store, "--out", "n" * 300, expected=r"File name too long")
    refused(
        *["figure", "meta", store, "--formats", "svg", "--name", "n" * 300],
        expected=r"nnn\.\.\. cannot be the name of a file: it is longer than 255 bytes",
    )


def test_a_folder_in_place_of_a_file_is_refused(refused, store):
    refused("verify", store, "--cells", "1", "--json", "", expected=r"\. is a folder: name a file")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("small.zarr/zarr.json", r"lies in the store .*small.zarr: name another place"),
        ("small.zarr/loss/new.json", r"lies in the store .*: name another place"),
        ("home/tiny/run.json", r"run.json is there and is no report of verify: name another file with --json"),
        ("pipe", r"pipe is no file: name one"),  # so is a device, which a file would take the place of
    ],
)
def test_a_report_is_written_over_nothing(refused, store, run_at_home, name, expected):
    os.mkfifo(store.parent / "pipe")
    refused("verify", store, "--cells", "1", "--json", store.parent / name, expected=expected)


def test_a_figure_is_not_drawn_into_a_store(refused, store):
    refused("figure", "surface", store, "--out", store, "--formats", "svg", expected=r"lies in the store")


def test_a_missing_store_is_refused(refused):
    refused(
        "figure", "surface", "no.zarr", expected=r"no surface at no.zarr; compute one: raymaml surface --out no.zarr"
    )


@pytest.mark.parametrize("kind", ["empty", "full", "file", "run"])
def test_what_is_no_store_is_refused(refused, here, tiny_run, kind):
    path = {"run": tiny_run}.get(kind, here / kind)
    if kind in ("empty", "full"):
        path.mkdir()
    if kind == "full":
        (path / "zarr.json").write_text(json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {}}))
    if kind == "file":
        path.touch()
    refused("figure", "surface", path, expected=r"is not a surface that raymaml wrote")


def test_a_store_of_a_later_version_is_refused(refused, newer_store):
    refused("figure", "surface", newer_store, expected=r"small.zarr has format 3, this version reads 2; update raymaml")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--levels", "0", r"--levels needs a spacing of 1e-06 or more, or several levels, got 0"),
        ("--levels", "1e-320", r"--levels needs a spacing of 1e-06 or more"),
        ("--levels", "-0.2", r"--levels needs a spacing of 1e-06 or more, or several levels, got -0.2"),
        ("--levels", "x", r"--levels needs numbers, got 'x'"),
        ("--levels", "0.5,", r"--levels needs numbers"),
        ("--levels", "nan", r"levels need finite"),
        ("--levels", "1,inf", r"levels must be finite numbers"),
        ("--step", "3", r"not recorded at 3 steps, only at 0 10"),
        ("--query", "2", r"not recorded at 2 query images, only at 1 15"),
        ("--tasks", "4", r"holds 3 tasks: --tasks must be from 1 to that, got 4"),
        ("--tasks", "0", r"--tasks must be from 1 to that, got 0"),
        ("--formats", "gif", r"saved as png, pdf or svg, not gif"),
        ("--formats", "png,gif", r"saved as png, pdf or svg, not gif"),
        ("--quantity", "error", r"--quantity.*'error' is not one of 'loss', 'accuracy'"),
    ],
)
def test_a_figure_that_cannot_be_is_refused(refused, store, option, value, expected):
    refused("figure", "surface", store, option, value, expected=expected)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("inner STORE no.zarr", r"no surface at no.zarr"),
        ("inner STORE STORE", r"would be one panel \(novel\); leave one of them out"),
        ("inner STORE --steps 3", r"none of the surfaces was recorded at 3 steps"),
        ("inner STORE --steps x", r"--steps needs whole numbers"),
        ("inner STORE --quantity error", r"--quantity needs some of loss, support_loss, accuracy"),
        ("parts STORE --labels a,b", r"--labels needs one label for each of 1, got 2: a, b"),
        ("parts STORE --step 3", r"not recorded at 3 steps, only at 0 10"),
        ("queries STORE --query 2", r"not recorded at 2 query images, only at 1 15"),
        ("queries STORE --spacing nan", r"spacing of contour lines must be 1e-06 or more, got nan"),
        ("meta STORE --thresholds x", r"--thresholds needs numbers, got 'x'"),
        ("meta STORE --thresholds 1,2,3,4,5", r"--thresholds needs up to 4 finite numbers"),
        ("meta STORE --thresholds 9007199254740992", r"--thresholds needs up to 4 finite numbers, none above 1e\+06"),
        ("meta STORE --columns 0", r"--columns.*greater than or equal to 1"),
        ("meta", r"Missing argument"),
    ],
)
def test_a_sheet_of_surfaces_that_cannot_be_is_refused(refused, store, typed, expected):
    refused("figure", *(store if word == "STORE" else word for word in typed.split()), expected=expected)


@pytest.mark.parametrize("args", [[], ["figure"], ["data"]])
def test_a_command_without_arguments_shows_help_alone(command, args):
    ran = command(*args)
    assert ran.code == 2
    assert "Usage: raymaml" in ran.out
    assert ran.err == ""


def test_the_script_shows_no_traceback(script, tmp_path):
    ran = script("surface", "--run", "nope")
    assert (ran.code, ran.out) == (2, "")
    (line,) = ran.err.splitlines()
    assert line.startswith("raymaml: no run 'nope'")
    assert not Path(tmp_path / "home").exists()
