"""Options that several commands share, and the parsers of their values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from raymaml.errors import SpecError
from raymaml.specs import Split, Which

Address = Annotated[
    str | None,
    typer.Option(
        help="Ray cluster: local (start one here), auto (the one on this machine) or host:port. "
        "Default: RAY_ADDRESS if it is set, else local.",
        show_default=False,
    ),
]
Run = Annotated[str | None, typer.Option(help="Run: a name or a folder. Default: the newest finished one.")]
FinishedSeeds = Annotated[
    list[str] | None, typer.Option(help="Seeds, as 5 6 7 or 5,6,7. Default: all finished ones.", show_default=False)
]
Splits = Annotated[
    list[str] | None, typer.Option(help="Of base, val, novel; several at once. Default: novel.", show_default=False)
]
Actors = Annotated[int | None, typer.Option(min=1, help="Default: as many as the cluster holds.")]
DataSets = Annotated[
    list[str] | None, typer.Option(help="Data sets to show. Default: all there are.", show_default=False)
]
DataSet = Annotated[str, typer.Option(help="Data set to show.")]
SPLITS: tuple[Split, ...] = ("base", "val", "novel")
CHECKPOINTS: tuple[Which, ...] = ("best", "last")
Seed = Annotated[int | None, typer.Option(help="Seed of the run. Default: 5, or the lowest.", show_default=False)]
Threads = Annotated[
    int | None,
    typer.Option(min=1, help="Threads per worker; changes the last bits of results, hence recorded. Default: 1."),
]
Published = Annotated[bool, typer.Option("--published", help="Take the records of the thesis's own runs.")]
ResultFiles = Annotated[
    list[Path] | None,
    typer.Option("--from", help="CSV files of results to take instead of the runs here.", show_default=False),
]
Formats = Annotated[str, typer.Option(help="Of png, pdf, svg, with commas.")]

Number = TypeVar("Number", int, float)
Choice = TypeVar("Choice", bound=str)
LONGEST_LINE = 1_500  # characters: longer than any path, and shorter than a file that was taken for a name
LARGEST_GRID = 10_000  # points per axis: more would fill the memory before anything is computed


def numbers(texts: Sequence[str], option: str) -> list[float]:
    """Numbers from the values of a list option, which may themselves be lists with commas."""
    return _converted(texts, float, f"{option} needs numbers")


def whole_numbers(texts: Sequence[str], option: str) -> list[int]:
    """Whole numbers from the values of a list option."""
    return _converted(texts, int, f"{option} needs whole numbers such as 5 6 7")


def choices(texts: Sequence[str], option: str, known: tuple[Choice, ...]) -> list[Choice]:
    """Values of a list option, each one of `known` and none twice."""
    parts = [part for text in texts for part in text.split(",")]
    if not set(parts) <= set(known) or len(parts) != len(set(parts)):
        raise SpecError(f"{option} needs some of {', '.join(known)}, each once, got {' '.join(parts)!r}")
    return [name for name in known if name in parts]


def _converted(texts: Sequence[str], convert: Callable[[str], Number], needs: str) -> list[Number]:
    parts = [part for text in texts for part in text.split(",")]
    try:
        return [convert(part) for part in parts]
    except ValueError:
        raise SpecError(f"{needs}, got {' '.join(parts)!r}") from None


def grid_size(text: str) -> tuple[int, int]:
    """`51` is 51 x 51; `51x31` is 51 alphas and 31 betas."""
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) > 2 or not all(side.isascii() and side.isdigit() and 0 < int(side) <= LARGEST_GRID for side in sides):
        raise SpecError(f"--grid needs N or NxM with whole numbers from 1 to {LARGEST_GRID}, such as 51, got {text!r}")
    return int(sides[0]), int(sides[-1])


def say(text: str) -> None:
    """A line about what happens, for people: stderr, so that stdout holds results alone."""
    typer.echo(one_line(text), err=True)


def one_line(text: str) -> str:
    """The text as one line that a terminal shows and does not obey: names in it may be anyone's."""
    if len(text) > LONGEST_LINE:
        text = f"{text[: LONGEST_LINE // 2]} ... {text[-LONGEST_LINE // 4 :]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def say_stores(paths: Sequence[Path]) -> None:
    """Name the stores that results go to."""
    for path in paths:
        say(f"store {path}")


def say_stop(what: str) -> None:
    """Answer the first Ctrl-C; `what` is what is still finished."""
    say(f"stopping: finishing the {what} in flight; press Ctrl-C again to stop at once")


def say_written(paths: Sequence[Path]) -> None:
    """Name files that were written beside a result that stands on stdout."""
    for path in paths:
        say(f"wrote {path}")


def say_lines(lines: Sequence[str]) -> None:
    """Numbers for people, on stdout."""
    for line in lines:
        typer.echo(line)


def say_paths(paths: Sequence[Path]) -> None:
    """The files that were written, a line each on stdout."""
    for path in paths:
        typer.echo(str(path))
