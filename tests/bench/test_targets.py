import pytest

from raymaml.bench.targets import lines, value_of

FIGURES = {
    "surface": {"conv4_84": {"speedup": 3.6, "gemm_share": 0.84}},
    "engine": {"overhead": 0.051, "two_actors": None},
    "driver": {"blocks_per_s": 1300.4, "blocks_per_s_needed": 565.76},
}


def test_each_figure_stands_beside_its_target():
    found = [(line.value, line.target, line.verdict) for line in lines(FIGURES)]
    assert found == [
        ("3.60 x", "at least 3.50 x", "met"),
        ("84.0 %", "at least 85.0 %", "missed"),
        ("5.1 %", "at most 5.0 %", "missed"),
        ("1,300/s", "at least 566/s", "met"),
    ]


@pytest.mark.parametrize(("overhead", "verdict"), [(0.05, "met"), (-0.01, "met"), (0.06, "missed")])
def test_an_overhead_is_to_be_small(overhead, verdict):
    assert [line.verdict for line in lines({"engine": {"overhead": overhead}})] == [verdict]


def test_what_was_not_measured_has_no_value():
    assert value_of(FIGURES, "train.speedup") is None
    assert value_of(FIGURES, "engine.two_actors") is None
    assert value_of(FIGURES, "surface.conv4_84.speedup") == 3.6
