from pathlib import Path

import pytest

from raymaml import training
from raymaml.data import catalogue
from raymaml.presets import train_spec
from raymaml.runs import RunDir


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """The folder of prepared sets, in a data cache of the test's own."""
    monkeypatch.setenv("RAYMAML_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "prepared"


@pytest.fixture
def prepare(cache):
    """`raymaml data prepare`, in this process."""

    def run(kind, root, *, replace=False, fill=None, tell=None, **options):
        request = catalogue.request_of(kind, root, **options)
        return catalogue.prepare(request, replace=replace, fill=fill, tell=tell)

    return run


@pytest.fixture
def train(tmp_path):
    """Two updates and a test, as small as they can be."""

    def run(images, **changes):
        spec = train_spec(
            *(images, "thesis"),
            updates=2,
            query=2,
            inner_steps=1,
            validate_every=2,
            val_tasks=2,
            test_tasks=2,
            **changes,
        )
        training.check(spec, images)
        return training.train(spec, images, seed=5, directory=RunDir(tmp_path / "run").seed(5))

    return run
