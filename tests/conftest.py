"""Shared by all tests: small data, one specification, and one Ray cluster for the whole session."""

import os
import tempfile

# Before ray is imported anywhere. A cluster of our own on loopback needs no token; Ray Train's default health
# check (2 s) would be most of the time of a small run.
os.environ.setdefault("RAY_AUTH_MODE", "disabled")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
os.environ.setdefault("RAY_TMPDIR", tempfile.mkdtemp(prefix="rm", dir="/tmp"))  # short: socket paths hold 107 bytes

import numpy as np
import pytest
import torch

from raymaml.data.imageset import ImageSet
from raymaml.presets import train_spec
from raymaml.specs import TrainSpec


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYMAML_HOME", str(tmp_path / "home"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def images() -> ImageSet:
    """24 classes x 20 noisy 16-pixel images around one random pattern per class."""
    rng = np.random.default_rng(0)
    patterns = rng.uniform(0, 255, (24, 1, 1, 16, 16))
    pixels = np.clip(patterns + rng.normal(0, 40, (24, 20, 1, 16, 16)), 0, 255).astype(np.uint8)
    return ImageSet(
        name="patterns",
        images=pixels.reshape(480, 1, 16, 16),
        labels=np.repeat(np.arange(24), 20),
        class_names=tuple(f"pattern {i}" for i in range(24)),
        splits={"base": tuple(range(12)), "val": tuple(range(12, 18)), "novel": tuple(range(18, 24))},
        mean=(0.4,),
        std=(0.3,),
    )


@pytest.fixture(scope="session")
def spec(images) -> TrainSpec:
    """Six updates in float64 with every kind of step in them."""
    return train_spec(
        images, "demo", updates=6, query=2, validate_every=2, val_tasks=3, test_tasks=3, precision="float64"
    )


@pytest.fixture(scope="session")
def glyphs() -> ImageSet:
    """The embedded data set, which Ray workers can load by name."""
    from raymaml import data

    return data.load("glyphs")


@pytest.fixture(scope="session")
def cluster():
    """The session's Ray cluster: two CPUs, no dashboard. Starting one takes 7 to 16 s."""
    import ray

    from raymaml.runtime.session import LOCAL

    # log_to_driver off: worker output would be caught by whichever test runs at the time.
    ray.init(address="local", num_cpus=2, log_to_driver=False, **LOCAL)
    yield
    ray.shutdown()
