import dataclasses
import json

import pytest

from raymaml.errors import SpecError
from raymaml.specs import GridSpec, MamlSpec, ModelSpec, Score, TaskSpec, TrainSpec, differences


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


def test_a_score_may_have_no_loss():
    assert Score.from_dict(Score(0.2, 0.0, None, 3).to_dict()).loss is None
