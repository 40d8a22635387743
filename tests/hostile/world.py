"""A folder of things on disk, commands that run in it under limits, and what it held before them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import resource
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import raymaml_cli.app

from raymaml.runs import RunDir, SeedDir

CASES = [0]  # how many commands were run
CPU_SECONDS = 60  # of one command: more is a hang; processor time, so that other work does not count
MEMORY = 4 << 30  # bytes that a command may ask for beyond what the test has: more is a bomb


@dataclass(frozen=True)
class Ran:
    """What a command gave."""

    code: int
    out: str
    err: str


@dataclass
class World:
    """Things on disk, all below `root`, and what they hold."""

    root: Path
    files: dict[Path, str] = field(default_factory=dict)

    @property
    def here(self) -> Path:
        """The current directory."""
        return self.root / "here"

    @property
    def seed(self) -> SeedDir:
        """The seed of the finished run."""
        return RunDir(self.root / "home" / "tiny").seed(5)

    @property
    def surface(self) -> Path:
        """A whole surface."""
        return self.here / "surface.zarr"

    def paths(self) -> list[Path]:
        """Places on disk of every kind."""
        here = self.here
        return [
            *(here / name for name in ("results.csv/below", "loop", "dangling", "binary", "empty", "folder")),
            *(here / name for name in ("new", "new/below", "results.csv", "pictures", "split.json", "set.zarr")),
            *(self.surface, self.root / "home" / "tiny", self.seed.best, self.surface / "zarr.json"),
            *map(Path, ("/proc/self/mem", "/proc/nope", "n" * 300, "\udcff", "a\nb", "~nobody", ".", "")),
        ]

    def snapshot(self) -> dict[Path, str]:
        """Every file, folder and link below the root, by what it holds."""
        return {path.relative_to(self.root): _content(path) for path in sorted(self.root.rglob("*"))}

    def run(self, args: list[str]) -> Ran:
        """Run `raymaml ...` in this process, with limits on memory and processor time."""
        CASES[0] += 1
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape", write_through=True)
        err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), _limits(args):
            code = raymaml_cli.app.run(args)
        return Ran(code, *(stream.buffer.getvalue().decode(errors="replace") for stream in (out, err)))

    def restore(self) -> None:
        """Remove what a command has made beside the files that were there; they must be as they were."""
        for path in sorted(self.root.rglob("*"), reverse=True):
            if path.relative_to(self.root) not in self.files:
                path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"link to {os.readlink(path)}"
    return "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()


@contextlib.contextmanager
def _limits(args: list[str]) -> Iterator[None]:
    def too_long(*_: object) -> None:
        raise AssertionError(f"more than {CPU_SECONDS} s of processor time: raymaml {args}")

    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    there = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    handler = signal.signal(signal.SIGVTALRM, too_long)
    resource.setrlimit(resource.RLIMIT_AS, (there + MEMORY, hard))
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))
        signal.signal(signal.SIGVTALRM, handler)
