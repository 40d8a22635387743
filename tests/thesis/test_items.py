"""The catalogue is the thesis's: nothing is missing, and all that is named can be ordered."""

import pytest

from raymaml.errors import SpecError
from raymaml.thesis.items import ITEMS, chosen
from raymaml.thesis.scales import SCALES
from raymaml.verbs.reproduce_draw import DRAWERS

NAMES = [item.name for item in ITEMS]


def test_every_figure_and_table_of_numbers_is_there_once():
    figures, tables = (
        [f"{kind}-{n}" for n in numbers] for kind, numbers in (("figure", range(1, 21)), ("table", range(2, 9)))
    )
    assert sorted(name for name in NAMES if "-" in name) == sorted([*figures, *tables])
    assert len(set(NAMES)) == len(NAMES)
    assert {item.kind for item in ITEMS} == set(DRAWERS)


def test_one_data_set_leaves_out_what_is_of_the_second():
    assert [item.name for item in chosen([], 2)] == NAMES
    left = set(NAMES) - {item.name for item in chosen([], 1)}
    assert left == {"figure-2", "figure-5", "figure-7", "figure-12", "figure-15", "figure-18", "figure-20", "table-8"}


def test_names_are_taken_in_the_order_of_the_thesis():
    assert [item.name for item in chosen(["figure-10", "table-2"], 1)] == ["table-2", "figure-10"]


def test_what_cannot_be_made_is_refused():
    with pytest.raises(SpecError, match="no item figure-21; there are figure-1,"):
        chosen(["figure-21"], 1)
    with pytest.raises(SpecError, match="figure-5 shows a second data set; name two with --data"):
        chosen(["figure-5"], 1)


@pytest.mark.parametrize("scale", SCALES.values(), ids=lambda scale: scale.name)
def test_all_landscapes_hold_the_unperturbed_weights(scale):
    for item in ITEMS:
        for order in item.surfaces(scale):
            assert order.options["grid"].holds_centre
            assert order.backbone in scale.backbones
            assert order.seed in scale.seeds
    assert scale.images % scale.image_batch == 0


def test_the_parts_of_a_figure_differ_in_their_part_alone():
    [item] = chosen(["figure-6"], 1)
    one = [dict(order.options) for order in item.surfaces(SCALES["smoke"])]
    assert [options.pop("part") for options in one] == ["all", "head", "feature"]
    assert one[0] == one[1] == one[2]
