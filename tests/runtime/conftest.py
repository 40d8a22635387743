import dataclasses
import os
import signal
from pathlib import Path

import pytest

from raymaml import training
from raymaml.presets import train_spec
from raymaml.runs import RunDir


@pytest.fixture(scope="session")
def glyph_spec(glyphs):
    """Two updates on data that Ray workers can load by name."""
    return train_spec(
        glyphs,
        "demo",
        updates=2,
        query=1,
        validate_every=1,
        val_tasks=2,
        test_tasks=2,
        inner_steps=1,
        precision="float64",
    )


@pytest.fixture(scope="session")
def trained(glyph_spec, glyphs, tmp_path_factory):
    """A finished run with seeds 5 and 6, trained by the plain loop."""
    run = RunDir(tmp_path_factory.mktemp("trained") / "run")
    run.claim(glyph_spec)
    for seed in (5, 6):
        training.train(glyph_spec, glyphs, seed=seed, directory=run.seed(seed))
    return run


def processes(title: str) -> list[int]:
    """Process numbers of the Ray workers of this session whose title starts so; others may run on the machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().decode(errors="replace").startswith(title) and _is_ours(path.parent):
                found.append(int(path.parent.name))
        except OSError:  # it ended meanwhile
            continue
    return found


def _is_ours(process: Path) -> bool:
    """Whether this process is an ancestor of that one: the session's cluster is started here."""
    while process.name not in ("0", "1", str(os.getpid())):
        parent = process.joinpath("stat").read_text().rpartition(")")[2].split()[1]
        process = process.with_name(parent)
    return process.name == str(os.getpid())


@pytest.fixture
def kill():
    """Kill -9 one Ray worker by the start of its title; False if there is none."""

    def kill_one(title: str) -> bool:
        for pid in processes(title)[:1]:
            os.kill(pid, signal.SIGKILL)
            return True
        return False

    return kill_one


@pytest.fixture
def longer(glyph_spec):
    """Enough updates that a worker can be killed on the way."""
    return dataclasses.replace(glyph_spec, updates=30, validate_every=2)
