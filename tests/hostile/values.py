"""Values that nobody should type, by the type of the option, and the options of every command, from the program."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from hypothesis import strategies as st

COMPLETION = {"install_completion", "show_completion"}  # Typer's own; the first writes to the user's shell
# The first of each list is tried in every run: it should be refused, which takes less time than a figure.
WHOLE = [10**18, -1, 0, 1, 2, 3, 2**31, 2**63, -(2**63), 10**4299, 10**4400]
REAL = ["nan", "0", "-0.0", "-inf", "inf", "1e308", "5e-324", "-1", "1e999", "0x10", "1_0", "٣", "1,2"]
TEXTS = [
    "\x1b[31mred\x1b[0m",
    "",
    " ",
    "-",
    "--",
    ",",
    "a,,b",
    "-1",
    "nan",
    "None",
    "{}",
    "%s%n",
    "$x_$",
    "${HOME}",
    "~",
    "~nobody/x",
    "..",
    "../..",
    "a/../../b",
    "a\nb",
    "a\tb",
    "\x00",
    "\x7f",
    "\u202eevil",
    "\u2028",
    "ü☃𝔘",
    "\udcff",
    "'",
    '"',
    "x" * 300,
    "y" * 70_000,
    "glyphs",
    "glyphs-224",
]


@dataclass(frozen=True)
class Parameter:
    """An option or an argument of a command."""

    command: tuple[str, ...]
    name: str  # the flag, or the name of the argument
    annotation: Any
    flag: bool  # takes no value
    positional: bool
    required: bool

    def __str__(self) -> str:
        return f"{'-'.join(self.command)} {self.name}"


def parameters(app: typer.Typer) -> list[Parameter]:
    """Every option and argument of every command, each option by all of its names."""
    return list(_walk(typer.main.get_command(app), ()))


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[Parameter]:
    for option in command.params:
        if option.name in COMPLETION:
            continue
        positional = option.param_type_name == "argument"
        names = [option.name] if positional else [*option.opts, *option.secondary_opts]
        flag = bool(getattr(option, "is_flag", False))
        for name in names:
            annotation = option.type_descriptor.annotation
            yield Parameter(path, name, annotation, flag, positional, option.required and positional)
    for name, below in getattr(command, "commands", {}).items():
        yield from _walk(below, (*path, name))


def values(annotation: Any, paths: list[Path]) -> st.SearchStrategy[list[str]]:
    """The words that may follow an option of that type; `paths` are things on disk."""
    if typing.get_origin(annotation) is tuple:
        one = values(typing.get_args(annotation)[0], paths)
        return st.lists(one.map(" ".join), min_size=0, max_size=3)
    if typing.get_origin(annotation) is list:
        return st.lists(values(typing.get_args(annotation)[0], paths).map("".join), min_size=0, max_size=4)
    return st.one_of(_own(annotation, paths), text()).map(lambda word: [word])


def _own(annotation: Any, paths: list[Path]) -> st.SearchStrategy[str]:
    if typing.get_origin(annotation) is typing.Literal:
        known = typing.get_args(annotation)
        return st.sampled_from([known[0].upper(), *known, f"{known[0]} ", ",".join(known)])
    if annotation is int:
        return st.one_of(st.sampled_from([*map(_digits, WHOLE), *REAL]), st.integers().map(str))
    if annotation is float:
        return st.one_of(st.sampled_from(REAL), st.floats().map(str))
    if annotation is Path:
        return st.sampled_from([str(path) for path in paths])
    numbers = st.lists(st.integers(-3, 10**20).map(str), min_size=1, max_size=3)
    return st.one_of(st.sampled_from(TEXTS), numbers.map(",".join), st.sampled_from([str(p) for p in paths]))


def _digits(number: int) -> str:
    return str(number) if abs(number) < 10**4000 else f"1{'0' * 4400}"  # Python converts 4,300 digits at most


def text() -> st.SearchStrategy[str]:
    """Any text: ours, or of any characters."""
    return st.one_of(st.sampled_from(TEXTS), st.text(max_size=20))
