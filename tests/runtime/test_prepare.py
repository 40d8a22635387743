"""Preparing on Ray gives the bytes of the plain loop, whatever dies on the way."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from raymaml.data import catalogue, prepared, store
from raymaml.errors import ClusterError, DataError
from raymaml.runtime.prepare import on_ray
from raymaml.verbs import prepare as verb

pytestmark = pytest.mark.ray


@pytest.fixture
def birds(tmp_path, monkeypatch) -> Path:
    """Seven classes of 18 pictures, in chunks of 10, and a cache of the test's own."""
    monkeypatch.setenv("RAYMAML_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "MOST", 10)
    monkeypatch.setattr(store, "FEWEST", 2)
    rng = np.random.default_rng(0)
    for c in range(7):
        (tmp_path / "birds" / f"bird{c}").mkdir(parents=True)
        for i in range(18):
            pixels = rng.integers(0, 256, (20 + c, 30 + i, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "birds" / f"bird{c}" / f"{i:02}.png")
    return tmp_path / "birds"


@pytest.fixture
def request_(birds):
    return catalogue.request_of("folder", birds, name="birds", size=16)


def stored(tmp_path):
    """All bytes of the store, by path."""
    folder = tmp_path / "cache" / "prepared" / "birds.zarr"
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def plain(request_, tmp_path):
    """The bytes of the store that the plain loop makes; it is replaced by the test's."""
    catalogue.prepare(request_)
    return stored(tmp_path)


@pytest.mark.parametrize("actors", [1, 2])
def test_any_number_of_actors_gives_the_bytes_of_the_plain_loop(cluster, plain, request_, tmp_path, actors):
    told = []
    catalogue.prepare(request_, replace=True, fill=on_ray(request_, actors=actors), tell=told.append)
    assert stored(tmp_path) == plain
    assert len(told) == 13
    assert (told[-1].images, told[-1].images_total) == (126, 126)


def test_killed_actors_are_replaced_and_lose_nothing(cluster, plain, request_, tmp_path, kill):
    killed = []

    def kill_an_actor(progress):
        if len(killed) < 2:
            killed.append(kill("ray::ChunkActor"))

    catalogue.prepare(request_, replace=True, fill=on_ray(request_, actors=2), tell=kill_an_actor)
    assert killed == [True, True]
    assert stored(tmp_path) == plain


def test_a_stopped_preparation_continues_on_either_side(cluster, plain, request_, tmp_path):
    def stop(progress):
        if progress.decoded == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        catalogue.prepare(request_, replace=True, fill=on_ray(request_, actors=1), tell=stop)
    told = []
    catalogue.prepare(request_, replace=True, tell=told.append)  # in this process
    assert told[-1].decoded == 126 - 40
    assert stored(tmp_path) == plain


def test_a_truncated_picture_is_named_and_leaves_nothing(cluster, birds, request_, tmp_path):
    path = birds / "bird3" / "05.png"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"^bird3/05.png in .* is no whole picture") as caught:
        catalogue.prepare(request_, fill=on_ray(request_, actors=2))
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache" / "prepared").iterdir()) == []


def test_a_node_that_has_other_files_is_refused(cluster, birds, request_):
    def fill(store_, raw, done):
        Image.new("RGB", (9, 9)).save(birds / "bird6" / "05.png")
        on_ray(request_, actors=1)(store_, raw, done)

    with pytest.raises(Exception, match="has other files in .*birds"):
        catalogue.prepare(request_, fill=fill)


def test_more_actors_than_the_cluster_holds_are_refused(cluster, request_, tmp_path):
    with pytest.raises(ClusterError, match="2 CPUs: --actors must be from 1 to 2, got 3"):
        catalogue.prepare(request_, fill=on_ray(request_, actors=3))
    assert list((tmp_path / "cache" / "prepared").iterdir()) == []


@pytest.mark.parametrize(("threshold", "actors", "on"), [(126, None, True), (127, None, False), (127, 1, True)])
def test_few_pictures_need_no_ray(cluster, birds, monkeypatch, threshold, actors, on):
    monkeypatch.setattr(verb, "RAY_FROM", threshold)
    used = []
    monkeypatch.setattr("raymaml.runtime.prepare.on_ray", lambda r, **o: used.append(o) or prepared.fill_here)
    verb.prepare("folder", birds, name="birds", size=16, actors=actors)
    assert used == [{"address": None, "actors": actors, "on_stop": used[0]["on_stop"]}] if on else used == []
