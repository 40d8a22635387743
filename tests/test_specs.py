import dataclasses
import json

import pytest

from raymaml.errors import SpecError
from raymaml.specs import (
    GridSpec,
    MamlSpec,
    ModelSpec,
    Score,
    SurfaceSpec,
    TaskSpec,
    TrainSpec,
    TransferSpec,
    differences,
)


def test_json_round_trip(spec):
    again = TrainSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert again.digest == spec.digest


def test_any_change_changes_the_digest(spec):
    for change in ({"updates": 7}, {"learner": MamlSpec(inner_lr=0.2)}, {"data_digest": "x"}, {"threads": 2}):
        assert dataclasses.replace(spec, **change).digest != spec.digest


def test_unknown_and_missing_names_are_refused(spec):
    values = spec.to_dict()
    with pytest.raises(SpecError, match="TrainSpec needs exactly the names"):
        TrainSpec.from_dict({**values, "extra": 1})
    del values["updates"]
    with pytest.raises(SpecError, match="TrainSpec needs exactly the names"):
        TrainSpec.from_dict(values)
    with pytest.raises(SpecError, match="got list"):
        TrainSpec.from_dict([])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TaskSpec(way=1), "way must be at least 2, got 1"),
        (lambda: TaskSpec(shot="1"), "shot must be of type int, got '1'"),
        (lambda: TaskSpec(shot=True), "shot must be of type int, got True"),
        (lambda: MamlSpec(inner_lr=float("nan")), "inner_lr must be a finite number, got nan"),
        (lambda: MamlSpec(inner_lr=-0.1), "inner_lr must be at least 0, got -0.1"),
        (lambda: MamlSpec(order=3), "order must be one of 1, 2, got 3"),
        (lambda: ModelSpec(backbone="vgg"), "backbone must be one of conv4, conv6, resnet10, resnet18, got 'vgg'"),
        (lambda: GridSpec(5, 5, 1.0, 1.0), "range must go from low to high, got 1 to 1"),
    ],
)
def test_bad_values_are_refused(make, message):
    with pytest.raises(SpecError, match=message):
        make()


def test_differences_name_the_changed_values(spec):
    other = dataclasses.replace(spec, updates=7, learner=dataclasses.replace(spec.learner, inner_lr=0.2))
    assert differences(spec, other) == "learner.inner_lr is 0.1, asked for 0.2; updates is 6, asked for 7"


@pytest.mark.parametrize("count", [1, 3, 5, 21, 51, 71, 101])
def test_odd_symmetric_axes_hold_exactly_zero(count):
    # Adding up rounded steps misses 0 by an ulp at 71 points.
    values = GridSpec(low=-0.7, high=0.7).coordinates(count)
    assert values[count // 2] == 0.0
    assert len(values) == count


def test_axes_have_the_asked_ends():
    assert GridSpec(low=0.0, high=2.0).coordinates(5) == [0.0, 0.5, 1.0, 1.5, 2.0]


@pytest.mark.parametrize(
    ("grid", "holds"),
    [
        (GridSpec(51, 51), True),
        (GridSpec(50, 51), False),
        (GridSpec(3, 3, 0.0, 1.0), True),
        (GridSpec(3, 3, 0.5, 1.0), False),
        (GridSpec(3, 4, -1.0, 2.0), False),
        (GridSpec(4, 3, -1.0, 2.0), False),
    ],
)
def test_whether_the_centre_is_on_the_grid(grid, holds):
    assert grid.holds_centre is holds


@pytest.fixture
def surface(spec):
    return SurfaceSpec(
        run=spec.digest, seed=5, checkpoint="best", checkpoint_digest="x", data=spec.data,
        data_digest=spec.data_digest, model=spec.model, learner=spec.learner, split="novel", task=TaskSpec(5, 1, 4),
        queries=(1, 4), tasks=3, first_task=2, task_seed=0, fresh_tasks=False, steps=(0, 1, 5), grid=GridSpec(3, 2),
        direction_seed=0, orthogonal=False,
    )  # fmt: skip


def test_axes_of_a_surface_survive_json(surface):
    again = SurfaceSpec.from_dict(json.loads(json.dumps(surface.to_dict())))
    assert again == surface
    assert (again.steps, again.queries, again.digest) == ((0, 1, 5), (1, 4), surface.digest)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": ()}, r"steps must be one or more whole numbers, got \(\)"),
        ({"steps": 5}, "steps must be one or more whole numbers, got 5"),
        ({"steps": (True,)}, "steps must be one or more whole numbers"),
        ({"steps": (1, 0)}, "steps must ascend, each number once, got 1 0"),
        ({"steps": (1, 1)}, "steps must ascend, each number once, got 1 1"),
        ({"steps": (-1, 1)}, "steps must be at least 0, got -1"),
        ({"queries": (0, 4)}, "queries must be at least 1, got 0"),
        ({"queries": (1, 3)}, r"task.query must be the last of queries \(3\), got 4"),
        ({"first_task": -1}, "first_task must be at least 0, got -1"),
        ({"part": "body"}, "part must be one of all, head, feature, got 'body'"),
        ({"around": "theta"}, "around must be one of initial, adapted, got 'theta'"),
        ({"learner": TransferSpec(), "part": "head"}, "perturbing the initial head changes nothing"),
    ],
    ids=str,
)
def test_bad_surfaces_are_refused(surface, change, message):
    with pytest.raises(SpecError, match=message):
        dataclasses.replace(surface, **change)


def test_differences_of_axes_are_for_people(surface):
    assert differences(surface, dataclasses.replace(surface, steps=(5,))) == "steps is 0 1 5, asked for 5"


def test_tasks_are_numbered_from_the_first(surface):
    assert list(surface.task_numbers) == [2, 3, 4]
    assert list(dataclasses.replace(surface, fresh_tasks=True).task_numbers) == [0, 1, 2]


def test_a_score_may_have_no_loss():
    assert Score.from_dict(Score(0.2, 0.0, None, 3).to_dict()).loss is None
