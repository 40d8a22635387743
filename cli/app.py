"""The program: commands, and errors as one line on stderr."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from raymaml.errors import RaymamlError
from raymaml.version import __version__

from . import (
    bench,
    correlate,
    data,
    demo,
    doctor,
    evaluate,
    export,
    figure,
    log,
    matrix,
    reproduce,
    sharpness,
    surface,
    table,
    train,
    verify,
)
from .options import say
from .variadic import VariadicCommand

USER_ERROR, INTERRUPTED = 2, 130

app = typer.Typer(
    name="raymaml",
    help="Loss landscapes of meta-learning: train, compute surfaces on Ray, draw them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command(cls=VariadicCommand)(train.train)
app.command(cls=VariadicCommand)(evaluate.evaluate)
app.command(cls=VariadicCommand)(matrix.matrix)
app.command(cls=VariadicCommand)(surface.surface)
app.command(cls=VariadicCommand)(sharpness.sharpness)
app.command(cls=VariadicCommand)(correlate.correlate)
app.command(cls=VariadicCommand)(reproduce.reproduce)
app.command(cls=VariadicCommand)(export.export)
app.command()(verify.verify)
app.command(cls=VariadicCommand)(bench.bench)
app.command()(log.log)
app.command()(doctor.doctor)
app.command()(demo.demo)
app.add_typer(figure.app, name="figure")
app.add_typer(table.app, name="table")
app.add_typer(data.app, name="data")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def raymaml(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Loss landscapes of meta-learning: train, compute surfaces on Ray, draw them."""


def main() -> None:
    """Run the program and exit: 0, 2 for a user's error, 130 when interrupted."""
    # A file's name may be bytes of another encoding, which Python keeps as surrogates: they go out as they came in.
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Run one command line; gives the exit code.

    A user's mistake becomes one line; anything else is a defect of ours and keeps its traceback.
    """
    try:
        # Typer turns Ctrl-C into the exit code 130, which it returns.
        result: Any = app(args, prog_name="raymaml", standalone_mode=False)
    except RaymamlError as error:
        say(f"raymaml: {' '.join(str(error).split())}")
        return USER_ERROR
    except OSError as error:
        if error.filename is None:
            raise
        say(f"raymaml: {error.filename} cannot be used: {error.strerror}; name another place with --out")
        return USER_ERROR
    except MemoryError as error:
        say(f"raymaml: there is not enough memory for that ({error}); ask for less")
        return USER_ERROR
    except typer.TyperException as error:
        if text := _usage_line(error):  # a command without arguments has shown its help
            say(f"raymaml: {text}")
        return int(getattr(error, "exit_code", USER_ERROR))
    if result == INTERRUPTED:
        say("raymaml: interrupted; what was computed is kept: run the same command again to continue")
    return result if isinstance(result, int) else 0


def _usage_line(error: Exception) -> str:
    text = " ".join(str(getattr(error, "format_message", lambda: error)()).split())
    context = getattr(error, "ctx", None)
    return f"{text.removesuffix('.')}. See: {context.command_path} --help" if text and context else text
