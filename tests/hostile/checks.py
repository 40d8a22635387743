"""What must hold of any command on any input."""

from __future__ import annotations

import zlib

from hostile.world import Ran, World
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from nightly import NIGHTLY

CODES = {0, 2}
MORE_CODES = {"verify": {1, 3}, "doctor": {1}}  # something is wrong; incomplete; something is in the way


def cases(name: str, normal: int, nightly: int):
    """Decorate a property: so many cases; the same ones in every normal run, others in every nightly one."""

    def decorate(check):
        check = settings(
            max_examples=nightly if NIGHTLY else normal,
            deadline=None,
            database=None,
            print_blob=True,
            phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if NIGHTLY else [])],
            suppress_health_check=list(HealthCheck),
        )(check)
        return check if NIGHTLY else seeded(zlib.crc32(name.encode()))(check)

    return decorate


def _told(args: list[str], ran: Ran) -> str:
    return f"raymaml {[arg[:100] for arg in args]}: {ran.code} {ran.out[-300:]!r} {ran.err[-600:]!r}"


def check(world: World, args: list[str]) -> Ran:
    """Run a command: it works, or gives one line and exit code 2; what was there stays as it was."""
    args = [arg.replace("\0", "") for arg in args]  # which no system call lets through to a program
    try:
        ran = world.run(args)
        assert ran.code in CODES | MORE_CODES.get(next(iter(args), ""), set()), _told(args, ran)
        assert "Traceback" not in ran.err + ran.out, _told(args, ran)
        now = world.snapshot()
        changed = sorted(str(path) for path, held in world.files.items() if now.get(path) != held)
        assert not changed, f"{changed}: {_told(args, ran)}"
        if ran.code == 2 and ran.err:  # without: a group of commands has shown its help
            lines = ran.err.split("\n")
            assert lines.pop() == "", _told(args, ran)
            assert [line.startswith("raymaml: ") for line in lines].count(True) == 1, _told(args, ran)
            assert lines[-1].startswith("raymaml: "), _told(args, ran)
            assert len(lines[-1]) < 2_000, _told(args, ran)
            assert all(line.isprintable() for line in lines), _told(args, ran)
            assert now.keys() == world.files.keys(), f"{sorted(now.keys() - world.files.keys())}: {_told(args, ran)}"
    finally:
        world.restore()
    return ran
