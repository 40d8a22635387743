"""Every option of every command, found in the program itself, with values that nobody should type."""

from __future__ import annotations

import pytest
from hostile.checks import cases, check
from hostile.values import Parameter, parameters, text, values
from hypothesis import given
from hypothesis import strategies as st
from raymaml_cli.app import app

STORE, RUN = "surface.zarr", ["--run", "tiny"]
SVG = ["--formats", "svg"]
# What a command is given beside the option at hand, so that it comes as far as to use that.
USUAL = {
    ("train",): ["--preset", "demo", "--seeds", "5"],
    ("evaluate",): RUN,
    ("matrix",): ["--dry-run", "--preset", "demo"],
    ("surface",): [*RUN, "--grid", "3", "--tasks", "2"],
    ("sharpness",): [*RUN, "--tasks", "2"],
    ("correlate",): ["--from", "results.csv"],
    ("export",): ["--format", "csv"],
    ("verify",): ["--cells", "1", "--checkpoint", "../home/tiny"],
    ("reproduce",): ["--list"],
    ("data", "prepare"): ["--root", "pictures", "--name", "mine", "--size", "8"],
}
ARGUMENTS = {
    ("data", "show"): {"name": ["glyphs"]},
    ("data", "check"): {"name": ["birds"]},
    ("data", "prepare"): {"name": ["folder"]},
    ("figure", "difference"): {"one": ["set.zarr/seed-5-direction-0"], "other": ["set.zarr/seed-5-direction-0"]},
}
ALL = parameters(app)


def usual(parameter: Parameter) -> list[str]:
    """Options beside the one at hand."""
    command = parameter.command
    if command[:1] == ("figure",):
        return [*SVG, *(["--from", "results.csv"] if command[-1].isdigit() else [])]
    if command[:1] == ("table",):
        return ["--from", "results.csv"] if command[1:] else []
    given = USUAL.get(command, [])
    if command == ("doctor",):
        return ["--no-ray"]  # a cluster takes 10 s to start, and leaves sockets
    return [] if parameter.name in ("--list", "--out") and command == ("reproduce",) else given


def positional(parameter: Parameter) -> list[str]:
    """Arguments that the command needs, but for the one at hand."""
    own = ARGUMENTS.get(parameter.command, {})
    needed = [p for p in ALL if p.command == parameter.command and p.positional and p.name != parameter.name]
    return [word for p in needed for word in own.get(p.name, [STORE] if p.required else [])]


def words(parameter: Parameter, given: list[str]) -> list[str]:
    """The parameter as it is typed."""
    if parameter.positional:
        return given
    return [parameter.name, *([] if parameter.flag else given)]


@pytest.mark.parametrize("parameter", ALL, ids=str)
def test_a_hostile_value_gives_one_line_or_works(world, parameter):
    drawn = parameter.command[:1] == ("figure",)  # which takes a second

    @cases(str(parameter), normal=2, nightly=4 if drawn else 8)
    @given(data=st.data())
    def property_(data):
        typed = data.draw(values(parameter.annotation, world.paths()))
        more = data.draw(st.sampled_from(["nothing", "again", "equals", "extra"]))
        option = words(parameter, typed)
        if more == "again":
            option = [*option, *option]
        if more == "equals" and not parameter.positional:
            option = [f"{parameter.name}={' '.join(typed)}"]
        if more == "extra":
            option = [*option, data.draw(text())]
        check(world, [*parameter.command, *positional(parameter), *usual(parameter), *option])

    property_()


def test_all_commands_are_covered():
    commands = {parameter.command for parameter in ALL}
    assert {("train",), ("figure", "surface"), ("table", "2"), ("data", "prepare"), ()} <= commands
    assert len(ALL) > 280
