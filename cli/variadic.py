"""Options that take several values after one flag: `--seeds 5 6 7`, also `5,6,7` and a repeated flag.

Typer can only repeat the flag. This command class writes the repetition in before Typer parses, so that
validation, help and shell completion stay Typer's own. It may have no positional arguments: they could not
be told from further values.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.core import TyperCommand

from raymaml.errors import SpecError


class VariadicCommand(TyperCommand):
    """A command whose list options are greedy."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse after giving each further value its own flag."""
        flags = {
            flag
            for option in self.params
            if getattr(option, "multiple", False) and not getattr(option, "is_flag", False)
            for flag in option.opts
        }
        return super().parse_args(ctx, list(spread(args, flags, strict=not ctx.resilient_parsing)))


def spread(args: list[str], flags: set[str], *, strict: bool = True) -> Iterator[str]:
    """Turn `--seeds 5 6,7` into `--seeds 5 --seeds 6 --seeds 7` for the given flags.

    A value list ends at the next option, at `--`, or at the end of the line.

    Raises:
        SpecError: a list ends before its first value; not unless `strict`, since shell completion asks about
            unfinished lines.
    """
    flag: str | None = None  # the open list, if any
    waiting = False  # whether it still needs its first value
    for position, token in enumerate(args):
        option = token.startswith("-") and not _is_number(token)
        if option and waiting and strict:
            raise SpecError(f"{flag} needs at least one value, such as {flag} 5 6 7")
        if token == "--":
            yield from args[position:]
            return
        name, equals, value = token.partition("=")
        if option:
            flag = name if name in flags else None
            waiting = flag is not None and not equals
            yield from _values(name, value) if flag and equals else [] if flag else [token]
        elif flag:
            waiting = False
            yield from _values(flag, token)
        else:
            yield token
    if flag and waiting:
        yield flag  # no value came: Typer says so


def _values(flag: str, text: str) -> Iterator[str]:
    for value in text.split(","):
        yield flag
        yield value


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True
