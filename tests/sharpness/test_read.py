import dataclasses
import math

import numpy as np
import pytest

from raymaml.analysis import mean_and_interval
from raymaml.errors import MissingError, SpecError
from raymaml.runs import RunDir
from raymaml.sharpness.read import Summary, mean_loss, over_seeds, sharpness_rows, summaries
from raymaml.sharpness.store import create_or_open


def fill(store, measure, **rows):
    for part in store.parts:
        tasks = store.tasks(part)
        store.write(part, [measure], {n: np.asarray(row)[tasks.start : tasks.stop] for n, row in rows.items()})


@pytest.fixture
def values():
    return np.random.default_rng(0).normal(0.3, 0.1, 13)


@pytest.fixture
def home(tmp_path, spec, sharp_spec, values):
    """One run with a complete standard measure and half of another."""
    run = RunDir(tmp_path / "home" / "one")
    run.claim(spec)
    store = create_or_open(run.seed(5).path / "sharpness" / "a.zarr", sharp_spec, {}, 1)
    fill(store, "standard", loss0=values + 1, sharpness_standard=values)
    fill(store, "hessian", eigenvalue=100 * values, trace=1000 * values)
    store.write(0, ["linf"], {"sharpness_linf": values[:10]})
    return run.path.parent


def test_the_interval_is_that_of_the_mean():
    mean, half = mean_and_interval(np.array([1.0, 2.0, 6.0]))
    assert (mean, half) == (3.0, pytest.approx(1.96 * math.sqrt(7) / math.sqrt(3)))  # squares 4 + 1 + 9 over n - 1
    assert math.isnan(mean_and_interval(np.array([1.0]))[1])


def test_a_diverged_task_shows_in_the_mean():
    assert all(math.isnan(v) for v in mean_and_interval(np.array([1.0, math.nan])))
    assert mean_and_interval(np.array([1.0, math.inf]))[0] == math.inf


def test_complete_measures_are_rows_and_others_are_not(home, values, spec):
    rows = sharpness_rows(home)
    assert [row.measure for row in rows] == ["standard", "eigenvalue", "trace"]
    row = rows[0]
    assert (row.mean, row.tasks) == (values.mean(), 13)
    assert row.ci95 == pytest.approx(1.96 * values.std(ddof=1) / math.sqrt(13))
    assert (row.rho, rows[1].rho) == (0.05, None)
    assert (row.data, row.method, row.backbone, row.augment, row.seed) == ("patterns", "maml", "conv4", False, 5)
    assert (row.split, row.checkpoint, row.run, row.updates) == ("novel", "best", "one", spec.updates)
    assert rows[2].mean == pytest.approx(1000 * values.mean())


def test_every_measure_has_its_own_radius(sharp_spec, tmp_path, values):
    spec = dataclasses.replace(sharp_spec, rho=0.1, adaptive_rho=0.2, linf_rho=0.3)
    store = create_or_open(tmp_path / "s.zarr", spec, {}, 1)
    for measure in ("standard", "adaptive", "linf", "average", "averaged"):
        fill(store, measure, **{f"sharpness_{measure}": values}, loss0=values)
    assert [(s.measure, s.rho) for s in summaries(store)] == [
        *(("standard", 0.1), ("adaptive", 0.2), ("linf", 0.3)),
        *(("average", 0.1), ("averaged", 0.1)),
    ]
    assert mean_loss(store) == values.mean()


def test_over_seeds():
    seeds = [Summary("standard", 0.05, mean, ci95, 100) for mean, ci95 in ((1.0, 0.1), (2.0, 0.2), (6.0, 0.6))]
    assert over_seeds(seeds) == pytest.approx((3.0, 0.3, math.sqrt(7)))
    assert math.isnan(over_seeds(seeds[:1])[2])


def test_a_store_of_another_run_is_left_out(home, sharp_spec, values):
    spec = dataclasses.replace(sharp_spec, run="0" * 64)
    fill(create_or_open(home / "one/seed-5/sharpness/b.zarr", spec, {}, 1), "standard", sharpness_standard=values)
    assert len(sharpness_rows(home)) == 3


def test_a_damaged_store_and_a_missing_home_are_named(home):
    (home / "one/seed-5/sharpness/c.zarr").mkdir()
    with pytest.raises(SpecError, match="c.zarr is not a sharpness"):
        sharpness_rows(home)
    with pytest.raises(MissingError, match="nowhere is not there; name a folder of runs"):
        sharpness_rows(home / "nowhere")
