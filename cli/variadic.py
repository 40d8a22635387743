"""Options that take several values after one flag: `--seeds 5 6 7`, also `5,6,7` and a repeated flag.

Typer can only repeat the flag. This command class writes the repetition in before Typer parses, so that
validation, help and shell completion stay Typer's own. A command with positional arguments may have such lists of
choices only: what is none of them ends the list, where any other word could not be told from a further value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from typer.core import TyperCommand

from raymaml.errors import SpecError


class VariadicCommand(TyperCommand):
    """A command whose list options are greedy."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse after giving each further value its own flag."""
        lists = {
            flag: option
            for option in self.params
            if getattr(option, "multiple", False) and not getattr(option, "is_flag", False)
            for flag in option.opts
        }
        choices = {flag: found for flag, option in lists.items() if (found := _choices(option))}
        return super().parse_args(ctx, list(spread(args, set(lists), choices, strict=not ctx.resilient_parsing)))


def spread(
    args: list[str], flags: set[str], choices: Mapping[str, Collection[str]] | None = None, *, strict: bool = True
) -> Iterator[str]:
    """Turn `--seeds 5 6,7` into `--seeds 5 --seeds 6 --seeds 7` for the given flags.

    A value list ends at the next option, at `--`, or at the end of the line; that of a flag with choices also before
    a word that is none of them, unless it is the first.

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
        elif flag and not waiting and not _among((choices or {}).get(flag), token):
            flag = None
            yield token
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


def _choices(option: Any) -> set[str]:
    """Of a list of an Enum; empty for any other option."""
    return {str(choice) for choice in option.type_descriptor.choices or ()}


def _among(known: Collection[str] | None, text: str) -> bool:
    return known is None or set(text.split(",")) <= set(known)


def _is_number(token: str) -> bool:
    try:
        float(token)
    except ValueError:
        return False
    return True
