"""One driver per store: real processes that hold, die, and take over."""

import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raymaml import locks
from raymaml.errors import BusyError
from raymaml.process import this_process

HOLD = """
import sys, time
from pathlib import Path
from raymaml import locks
with locks.hold([Path(sys.argv[1])]):
    print("held", flush=True)
    time.sleep(60)
"""

# Waits for the file `go`, then takes the lock, and holds it until all have tried.
TAKE = """
import sys, time
from pathlib import Path
from raymaml import locks
from raymaml.errors import BusyError
path, go = map(Path, sys.argv[1:])
print("ready", flush=True)
while not go.exists():
    time.sleep(0.0005)
try:
    with locks.hold([path]) as held:
        print("won" + " by takeover" * bool(held.taken_over), flush=True)
        sys.stdin.read()
except BusyError:
    print("refused", flush=True)
"""


def start(code, *args):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "s.zarr"


@pytest.fixture
def lock(path) -> Path:
    return path.with_name(".s.zarr.lock")


@pytest.fixture
def other(path):
    """Another process that holds the path."""
    process = start(HOLD, path)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def write(lock, age=0.0, **changes):
    """A lock file as another process would leave it."""
    values = {"token": "ab", "since": time.time() - 300, **this_process().to_dict(), **changes}
    lock.write_text(json.dumps(values))
    os.utime(lock, (time.time() - age,) * 2)


ELSEWHERE = {"host": "node7", "table": "another boot pid:[1]", "pid": 12, "command": "raymaml surface"}


def test_a_lock_is_there_for_the_block_alone(path, lock, tmp_path):
    with locks.hold([path]):
        values = json.loads(lock.read_text())
        assert (values["pid"], values["host"]) == (os.getpid(), platform.node())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_it_goes_whatever_ends_the_block(path, tmp_path, error):
    with pytest.raises(error), locks.hold([path]):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_second_process_is_refused_with_the_first_ones_host_pid_and_age(path, other, tmp_path):
    expected = (
        rf"s\.zarr is being computed by process {other.pid} on {re.escape(platform.node())}, for 0:00:\d\d "
        r"\(last sign of life \d+ s ago; .*\): wait for it, or stop it there and run this again"
    )
    before = sorted(tmp_path.iterdir())
    for attempt in (lambda: locks.check([path]), lambda: locks.hold([path]).__enter__()):
        with pytest.raises(BusyError, match=expected) as caught:
            attempt()
        assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("reaped", [False, True])
def test_the_lock_of_a_killed_process_is_taken_over_at_once(path, other, reaped, tmp_path):
    os.kill(other.pid, signal.SIGKILL)
    if reaped:
        other.wait()
    else:  # a zombie: its parent has not asked after it
        while " Z " not in Path(f"/proc/{other.pid}/stat").read_text():
            time.sleep(0.01)
    locks.check([path])
    with locks.hold([path]) as held:
        [holder] = held.taken_over.values()
        assert holder.process.pid == other.pid
        locks.check([path])
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_process_still_holds(path, other):
    os.kill(other.pid, signal.SIGSTOP)
    with pytest.raises(BusyError), locks.hold([path]):
        pass


def test_a_later_process_of_the_same_number_does_not_count(path, lock):
    write(lock, started=this_process().started - 1)
    with locks.hold([path]) as held:
        assert held.taken_over


@pytest.mark.parametrize("round_", range(5))
def test_of_two_that_take_over_one_wins(path, lock, tmp_path, round_):
    write(lock, pid=2**22 + 1)
    takers = [start(TAKE, path, tmp_path / "go") for _ in range(3)]
    assert [t.stdout.readline() for t in takers] == ["ready\n"] * 3
    (tmp_path / "go").touch()
    said = [t.stdout.readline().strip() for t in takers]
    for taker in takers:
        taker.communicate("")
    assert sorted(said) == ["refused", "refused", "won by takeover"]
    assert [p.name for p in tmp_path.iterdir()] == ["go"]


def test_a_slow_taker_does_not_replace_what_it_has_not_read(path, lock, monkeypatch):
    """It has read the dead lock; then another takes that over, before it goes on."""
    write(lock, pid=2**22 + 1)
    dead = locks._read(lock)
    write(lock, token="cd")  # ours, alive
    assert not locks._take_over(lock, "text", dead, path)
    assert json.loads(lock.read_text())["token"] == "cd"
    assert [p.name for p in lock.parent.iterdir()] == [lock.name]


def test_a_taker_that_was_killed_while_it_took_over_is_taken_over(path, lock, tmp_path):
    write(lock, pid=2**22 + 1)
    write(lock.with_name(f"{lock.name}.ab"), pid=2**22 + 2, token="cd")
    with locks.hold([path]) as held:
        assert held.taken_over
    assert list(tmp_path.iterdir()) == []


def test_what_killed_takers_left_goes(path, lock, tmp_path):
    write(lock.with_name(f"{lock.name}.ef"))  # was killed when it had replaced the lock of token ef
    (tmp_path / f".{lock.name}.0123.partial").touch()
    (tmp_path / ".s.zarr.b.0123.partial").touch()  # of another store
    with locks.hold([path]):
        assert sorted(p.name for p in tmp_path.iterdir()) == [".s.zarr.b.0123.partial", lock.name]


def test_a_taker_that_is_at_it_is_named(path, lock):
    write(lock, pid=2**22 + 1)
    write(lock.with_name(f"{lock.name}.ab"), token="cd")
    with pytest.raises(BusyError, match=rf"computed by process {os.getpid()}"), locks.hold([path]):
        pass


@pytest.mark.parametrize(("age", "free"), [(5, False), (55, False), (65, True)])
def test_on_another_host_silence_counts(path, lock, age, free):
    write(lock, age=age, **ELSEWHERE)
    if free:
        locks.check([path])
        with locks.hold([path]) as held:
            assert held.taken_over
        return
    message = rf"process 12 on node7, for 0:05:0\d \(last sign of life {age}|{age + 1} s ago; raymaml surface\)"
    for attempt in (lambda: locks.check([path]), lambda: locks.hold([path]).__enter__()):
        with pytest.raises(BusyError, match=message):
            attempt()


def test_silence_is_measured_by_the_clock_of_the_folder(path, lock, monkeypatch):
    """Our clock is ten minutes ahead of the file server's: a living lock looks old to us."""
    write(lock, **ELSEWHERE)
    ahead = time.time() + 600
    monkeypatch.setattr(locks.time, "time", lambda: ahead)
    with pytest.raises(BusyError), locks.hold([path]):
        pass


@pytest.mark.parametrize("text", ["", "{", "[]", '{"token": "ab"}'])
def test_a_lock_that_cannot_be_read_counts_for_a_minute(path, lock, text):
    lock.write_text(text)
    with pytest.raises(BusyError, match=r"is locked by \.s\.zarr\.lock, which cannot be read"), locks.hold([path]):
        pass
    os.utime(lock, (time.time() - 65,) * 2)
    with locks.hold([path]):
        assert json.loads(lock.read_text())["pid"] == os.getpid()


def test_a_process_may_hold_twice(path, lock, tmp_path):
    with locks.hold([path]):
        token = json.loads(lock.read_text())["token"]
        (tmp_path / "link").symlink_to(path)
        locks.check([path])
        with locks.hold([path, tmp_path / "link"]):
            assert json.loads(lock.read_text())["token"] == token
        assert lock.exists()
        with pytest.raises(BusyError), locks.hold([path], nested=False):
            pass
    assert not lock.exists()


def test_all_or_none_is_held(tmp_path, path, other):
    with pytest.raises(BusyError), locks.hold([tmp_path / "a.zarr", path, tmp_path / "z.zarr"]):
        pass
    assert [p.name for p in tmp_path.iterdir()] == [".s.zarr.lock"]


def test_the_holder_gives_signs_of_life(path, lock, monkeypatch):
    monkeypatch.setattr(locks, "BEAT", 0.05)
    monkeypatch.setattr(locks._Heart, "running", None)
    with locks.hold([path]):
        os.utime(lock, (0, 0))
        deadline = time.monotonic() + 10
        while time.time() - lock.stat().st_mtime > 5:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    heart = locks._Heart.running
    if heart:
        heart.join(5)
    assert locks._Heart.running is None


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_who_has_lost_its_lock_is_told_and_leaves_the_others(path, lock, error):
    def work():
        with locks.hold([path]) as held:
            write(lock, **ELSEWHERE)
            locks.beat(held.locks[0])
            assert held.lost()
            if error:
                raise error

    with pytest.raises(BusyError, match="was removed, or taken over by another process"):
        work()
    assert json.loads(lock.read_text())["host"] == "node7"


def test_where_links_are_unknown_a_lock_is_made_all_the_same(path, lock, monkeypatch):
    def link(*args):
        raise PermissionError

    monkeypatch.setattr(os, "link", link)
    with locks.hold([path]):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
        process = start(TAKE, path, path.parent)
        assert process.communicate("")[0].split() == ["ready", "refused"]
    assert not lock.exists()
