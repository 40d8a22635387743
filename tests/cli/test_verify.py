"""`raymaml verify` of stores that the plain loop computed, whole and damaged; no Ray."""

import json
import re
import shutil

import numpy as np
import pytest
import zarr

from raymaml import checkpoints, data, machine, models
from raymaml.errors import SpecError
from raymaml.landscape import adaptive_record, sets
from raymaml.landscape import store as surfaces
from raymaml.landscape.evaluate import evaluator_of
from raymaml.landscape.plan import Plan
from raymaml.landscape.request import surface_spec
from raymaml.runs import RunDir
from raymaml.sharpness import store as sharpness
from raymaml.sharpness.evaluate import sharpness_evaluator
from raymaml.sharpness.request import sharpness_spec
from raymaml.specs import GridSpec

pytestmark = pytest.mark.usefixtures("no_ray")

CHUNK = "c/0/0/0/1/0"  # of loss: the middle row


def provenance(checkpoint, **more):
    return {**machine.provenance(), "threads": 1, "checkpoint_path": str(checkpoint), **more}


def of_evaluator(centre, evaluator):
    execution = evaluator.execution.record()
    return provenance(centre, direction_digest=evaluator.direction_digest, execution=execution)


def compute(path, centre, spec, change=lambda values: values):
    evaluator = evaluator_of(spec, checkpoints.load(centre).params, data.load("glyphs"))
    store = surfaces.create_or_open(path, spec, of_evaluator(centre, evaluator))
    for block in store.missing():
        store.write(block, change(evaluator.evaluate(block)))
    return path


def spec_of(centre, **options):
    given = {"grid": GridSpec(3, 3), "tasks": 2, "query": [1, 2], "steps": [0, 1]} | options
    return surface_spec(checkpoints.load(centre), **given)


@pytest.fixture(scope="module")
def centre(tiny_run):
    return RunDir(tiny_run).seed(5).best


@pytest.fixture(scope="module")
def computed(centre, tmp_path_factory):
    """A whole surface of 18 cells in float32; not to be changed."""
    return compute(tmp_path_factory.mktemp("surfaces") / "s.zarr", centre, spec_of(centre))


@pytest.fixture
def surface(computed, tmp_path):
    return shutil.copytree(computed, tmp_path / "s.zarr")


def flip(file):
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(bytes(raw))


def test_a_store_of_the_plain_loop_is_right_to_the_bit(command, surface, tmp_path):
    ran = command("verify", surface, "--json", tmp_path / "v.json")
    assert ran.code == 0, ran.out + ran.err
    assert "FAILED" not in ran.out
    assert "ok     numbers in float32: 18 of 18 cells equal to the bit\n" in ran.out
    assert "verified 18 of 18 cells: 18 equal to the bit; float64 differs by at most " in ran.out
    (report,) = json.loads((tmp_path / "v.json").read_text())
    assert (report["right"], report["complete"], report["stored"]["equal"]) == (True, True, 18)
    assert 0 < report["float64"]["absolute"] < 0.1  # float32 is not float64


@pytest.mark.parametrize("array", ["loss", "accuracy", "support_loss"])
def test_one_changed_number_is_found(command, surface, array):
    values = zarr.open_array(surface / array)
    values[1, ..., 0, 2] = values[1, ..., 0, 2] * np.float32(1.001) + np.float32(0.001 if array == "accuracy" else 0)
    ran = command("verify", surface)
    assert ran.code == 1
    assert "FAILED numbers in float32: 17 of 18 cells equal to the bit; the largest difference is" in ran.out
    assert f"{array} of task 1 at (-1, 1)" in ran.out
    assert command("verify", surface, "--tolerance", "0.01").code == 0
    assert command("verify", surface, "--tolerance", "0.0005").code == 1


def test_the_choice_of_cells_follows_the_seed_and_holds_the_centre(surface):
    from raymaml.verbs.subjects import Surface

    subject = Surface(surfaces.open_store(surface))
    picks = [subject.picks(4, seed) for seed in range(6)]
    assert picks == [Surface(surfaces.open_store(surface)).picks(4, seed) for seed in range(6)]
    assert all(len(set(cells)) == 4 and any(cell[1:] == (1, 1) for cell in cells) for cells in picks)
    assert len({tuple(cells) for cells in picks}) > 1
    assert len(subject.picks(100, 0)) == 18


def test_a_flipped_byte_is_named_by_verify_and_by_figures(command, surface):
    for chunk in ("done/c/0/1/0", f"loss/{CHUNK}"):  # figures read the values first
        flip(surface / chunk)
        ran = command("verify", surface)
        assert ran.code == 1
        assert re.search(f"^FAILED chunks: damaged: .*{chunk}.*; move the store away", ran.out, flags=re.MULTILINE)
        drawn = command("figure", "surface", surface, "--formats", "svg")
        assert (drawn.code, drawn.out) == (2, "")
        assert drawn.err.startswith(f"raymaml: {surface} is damaged: chunk {chunk} cannot be read")
        assert drawn.err.count("\n") == 1


def test_a_damaged_block_can_be_computed_again(command, surface, centre):
    flip(surface / "loss" / CHUNK)
    shutil.rmtree(surface / "done" / "c" / "0" / "1")
    compute(surface, centre, spec_of(centre))
    assert command("verify", surface, "--cells", "3").code == 0


def test_a_chunk_that_is_gone_is_not_taken_for_a_diverged_one(command, surface):
    (surface / "accuracy" / CHUNK).unlink()
    ran = command("verify", surface, "--cells", "1")
    assert ran.code == 1
    assert f"FAILED marks: marked as done but not on disk: accuracy/{CHUNK}" in ran.out


def test_coordinates_of_another_grid_are_found(command, surface):
    zarr.open_array(surface / "alpha")[0] = -2.0
    ran = command("verify", surface, "--cells", "1")
    assert ran.code == 1
    assert "FAILED coordinates: not those of the specification: alpha" in ran.out


def test_what_an_adaptive_store_says_is_checked(command, centre, tmp_path, monkeypatch):
    monkeypatch.setattr(surfaces, "plan_of", lambda *shape, shared: Plan(shape, (1, 1, 1)))
    spec = spec_of(centre, grid=GridSpec(17, 3), tasks=1, query=1, steps=1)
    evaluator = evaluator_of(spec, checkpoints.load(centre).params, data.load("glyphs"))
    store = surfaces.create_or_open(tmp_path / "a.zarr", spec, of_evaluator(centre, evaluator))
    while blocks := adaptive_record.missing(store, 5.0):
        for block in blocks:
            store.write(block, evaluator.evaluate(block))
    adaptive_record.state(store, 5.0)
    record = adaptive_record.read(store.path)
    assert record.points < 51
    ran = command("verify", store.path, "--cells", "1")
    assert ran.code == 3, ran.out
    assert f"{record.points} of 51 cells; computed with --adaptive 5; run the same command without it" in ran.out
    assert f"adaptive: {record.text()}" in ran.out
    file = store.path / "adaptive" / "zarr.json"
    whole = file.read_text()
    file.write_text(whole.replace('"points": ', '"points": 1'))
    assert command("verify", store.path, "--cells", "1").code == 1
    file.write_text(whole.replace('"tolerance": 5.0', '"tolerance": 1e-9'))
    ran = command("verify", store.path, "--cells", "1")
    assert ran.code == 1
    assert "FAILED adaptive: cells are missing that a tolerance of 1e-09 needs" in ran.out
    file.write_text("{")
    assert "FAILED format" in command("verify", store.path, "--cells", "1").out


def test_an_incomplete_store_has_its_own_exit_code(command, surface):
    shutil.rmtree(surface / "done" / "c" / "0" / "1")
    ran = command("verify", surface, "--cells", "2")
    assert ran.code == 3
    assert (
        "--     completeness: incomplete: 12 of 18 cells; run the same raymaml surface command to finish\n" in ran.out
    )
    assert "verified 2 of 18 cells: 2 equal to the bit" in ran.out
    shutil.rmtree(surface / "done" / "c")
    empty = command("verify", surface)
    assert (empty.code, empty.out.splitlines()[-1]) == (3, "nothing was computed again")


def attribute(path, change):
    file = path / "zarr.json"
    metadata = json.loads(file.read_text())
    change(metadata["attributes"])
    file.write_text(json.dumps(metadata))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda a: a["spec"].update(checkpoint_digest="0" * 64), "checkpoint: .* has changed since the store was made"),
        (lambda a: a["spec"].update(data_digest="0" * 64), "data: data set glyphs has other images here"),
        (lambda a: a["provenance"].update(direction_digest="0"), "directions: this installation draws others"),
        (lambda a: a.update(plan={}), "format: .* or it is damaged"),
    ],
    ids=["checkpoint", "data", "directions", "format"],
)
def test_another_origin_is_found(command, surface, change, line):
    attribute(surface, change)
    ran = command("verify", surface, "--cells", "1")
    assert ran.code == 1
    assert re.search(f"^FAILED {line}", ran.out, flags=re.MULTILINE), ran.out


def test_a_checkpoint_that_moved_is_found_beside_the_store_or_where_the_user_says(command, surface, run_at_home):
    attribute(surface, lambda a: a["provenance"].update(checkpoint_path="/gone/best"))
    lost = command("verify", surface)
    assert lost.code == 2
    assert lost.err == (
        "raymaml: no best checkpoint of seed 5 in /gone/best or beside the store; "
        "name its folder with --checkpoint DIR\n"
    )
    for named in (run_at_home, run_at_home / "seed-5", run_at_home / "seed-5" / "best"):
        assert command("verify", surface, "--cells", "1", "--checkpoint", named).code == 0
    beside = run_at_home / "seed-5" / "surfaces" / "s.zarr"
    shutil.copytree(surface, beside)
    ran = command("verify", beside, "--cells", "1")
    assert ran.code == 0
    assert f"checkpoint: {run_at_home}/seed-5/best has the recorded digest" in ran.out
    flip(next((run_at_home / "seed-5" / "best").glob("*.safetensors")))
    assert "FAILED checkpoint: " in command("verify", beside).out


def test_a_store_of_another_processor_is_judged_by_the_median(command, surface):
    attribute(surface, lambda a: a["provenance"].update(processor="abacus"))
    values = zarr.open_array(surface / "loss")
    whole = values[...]
    values[0, 0, 0, 0, 0] = whole[0, 0, 0, 0, 0] * np.float32(1.5)
    ran = command("verify", surface)
    assert ran.code == 0  # one value in 108 says nothing there
    assert "computed on another processor or with other versions, hence judged by a median of 0.001" in ran.out
    values[...] = whole * np.float32(1.01)
    assert command("verify", surface).code == 1


def test_float32_far_from_float64_is_found(command, surface, centre):
    """As if the arithmetic had fewer bits than the specification says: every loss off by 2 %."""
    for name in ("loss", "support_loss"):
        values = zarr.open_array(surface / name)
        values[...] = values[...] * np.float32(1.02)
    ran = command("verify", surface, "--tolerance", "1")
    assert ran.code == 1
    assert "FAILED numbers in float64: " in ran.out


def test_diverged_cells_are_equal(command, centre, tmp_path):
    """Far out every float32 overflows: NaN there is what was computed, and a number in its place is wrong."""
    path = compute(tmp_path / "far.zarr", centre, spec_of(centre, grid=GridSpec(3, 1, -1e30, 1e30), steps=[1]))
    assert not np.isfinite(surfaces.open_store(path).read("loss")).all()
    ran = command("verify", path)
    assert ran.code == 0, ran.out
    assert "6 of 6 cells equal to the bit" in ran.out
    values = zarr.open_array(path / "loss")
    values[0, 0, 0, 0, 0] = 1.0
    assert command("verify", path).code == 1


def test_each_surface_of_a_set_is_verified(command, centre, tmp_path):
    path = tmp_path / "set.zarr"
    for direction in (0, 1):
        spec = spec_of(centre, direction_seed=direction, precision="float64", steps=[1])
        sets.claim(path, spec)
        compute(sets.member_path(path, spec), centre, spec)
    ran = command("verify", path, "--cells", "2")
    assert ran.code == 0, ran.out
    assert ran.out.count("verified 2 of 18 cells: 2 equal to the bit; float64 differs by at most 0.0e+00") == 2
    values = zarr.open_array(path / "seed-5-direction-1" / "loss")
    values[...] = values[...] * (1 + 1e-6)
    assert command("verify", path, "--cells", "2").code == 1


def test_an_evaluation_is_verified(command, centre, tmp_path):
    path = compute(tmp_path / "e.zarr", centre, spec_of(centre, grid=GridSpec(1, 1), tasks=5))
    ran = command("verify", path, "--cells", "3")
    assert ran.code == 0, ran.out
    assert "verified 3 of 5 cells: 3 equal to the bit" in ran.out


@pytest.fixture(scope="module")
def measured(centre, tmp_path_factory):
    """Every measure of two tasks; not to be changed."""
    loaded = checkpoints.load(centre)
    spec = sharpness_spec(loaded, tasks=2, query=1, steps=1, directions=1, probes=1)
    size = sum(p.numel() for p in models.build(spec.model).parameters())
    path = tmp_path_factory.mktemp("sharpness") / "m.zarr"
    store = sharpness.create_or_open(path, spec, provenance(centre), size)
    evaluator = sharpness_evaluator(spec, loaded.params, data.load("glyphs"))
    names = ["standard", "adaptive", "linf", "average", "hessian", "gradient"]
    store.write(0, names, evaluator.part(range(2), names))
    store.write(0, ["averaged"], evaluator.averaged(range(2), store.mean_gradient, store.read("loss0")))
    return path


def test_sharpness_is_verified_measure_by_measure(command, measured, tmp_path):
    ran = command("verify", measured)
    assert ran.code == 0, ran.out
    assert "ok     numbers in float32: 2 of 2 tasks equal to the bit\n" in ran.out
    assert "--     gradients: not recomputed: averaged is checked from the stored gradient_sum" in ran.out
    for array in ("loss0", "loss_standard", "sharpness_linf", "loss_averaged", "eigenvalue", "gradient_norm"):
        path = shutil.copytree(measured, tmp_path / f"{array}.zarr")
        values = zarr.open_array(path / array)
        values[1] = values[1] * 1.001
        assert command("verify", path).code == 1, array


def test_damaged_and_incomplete_sharpness(command, measured, tmp_path):
    part = shutil.copytree(measured, tmp_path / "part.zarr")
    (part / "done_averaged" / "c" / "0").unlink()
    ran = command("verify", part)
    assert ran.code == 3
    assert "incomplete: 0 of 2 tasks; run the same raymaml sharpness command to finish" in ran.out
    flip(part / "gradient_sum" / "c" / "0" / "0")
    assert "FAILED chunks: damaged: gradient_sum/c/0/0;" in command("verify", part).out
    flip(part / "loss0" / "c" / "0")
    for read in (lambda store: store.read("loss0"), lambda store: store.mean_gradient()):
        with pytest.raises(SpecError, match="part.zarr is damaged: chunk .* cannot be read"):
            read(sharpness.open_store(part))
    lost = shutil.copytree(measured, tmp_path / "lost.zarr")
    (lost / "trace" / "c" / "0").unlink()
    assert "FAILED marks: marked as done but not on disk: trace/c/0;" in command("verify", lost).out


def test_what_cannot_be_verified_is_one_line(command, here):
    assert "no store at" in command("verify", "none.zarr").err
    zarr.create_group(here / "other.zarr", attributes={"kind": "weather"})
    ran = command("verify", here / "other.zarr")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "other.zarr is neither a surface, a set of surfaces nor sharpness that raymaml wrote" in ran.err


def test_stores_without_checksums_are_read(command, computed, centre, tmp_path, monkeypatch):
    from zarr.codecs import ZstdCodec

    monkeypatch.setattr("raymaml.zarr_groups.compressors", lambda: (ZstdCodec(),))
    path = compute(tmp_path / "old.zarr", centre, spec_of(centre))
    assert "crc32c" not in (path / "loss" / "zarr.json").read_text()
    assert "crc32c" in (computed / "loss" / "zarr.json").read_text()
    assert np.array_equal(surfaces.open_store(path).read("loss"), surfaces.open_store(computed).read("loss"))
    assert command("verify", path, "--cells", "2").code == 0
    (path / "loss" / CHUNK).write_bytes(b"torn")
    assert f"FAILED chunks: damaged: loss/{CHUNK};" in command("verify", path).out
