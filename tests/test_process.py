import os
import subprocess
import sys
from dataclasses import replace

import pytest

from raymaml import process
from raymaml.process import Process, command_line, duration, this_process


def test_this_process_runs_and_survives_a_round_trip():
    mine = this_process()
    assert mine.pid == os.getpid()
    assert mine.ended is False
    assert Process.from_dict(mine.to_dict()) == mine


def test_a_process_that_ended_is_known():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    theirs = replace(this_process(), pid=child.pid, started=process._start_of(child.pid))
    assert theirs.ended is False
    child.kill()
    child.wait()
    assert theirs.ended is True


def test_other_machines_cannot_be_judged(monkeypatch):
    assert replace(this_process(), table="another boot pid:[1]").ended is None
    monkeypatch.setattr(process, "_table", lambda: "")
    assert this_process().ended is None


def test_what_proc_hides_cannot_be_judged(monkeypatch):
    mine = this_process()

    def kill(pid, number):
        raise PermissionError

    monkeypatch.setattr(process, "_start_of", lambda pid: None)
    assert mine.ended is True  # a zombie of ours
    monkeypatch.setattr(os, "kill", kill)
    assert mine.ended is None


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["/usr/bin/raymaml", "surface", "--grid", "5x3"], "raymaml surface --grid 5x3"),
        (["raymaml", "train", "--out", "my runs"], "raymaml train --out 'my runs'"),
        (["raymaml", "--address", "http://me:pass@host:1"], "raymaml --address 'http://***@host:1'"),
        (["raymaml", "--auth-token", "abc", "--seed", "5"], "raymaml --auth-token *** --seed 5"),
        (["raymaml", "--api-key=abc", "PASSWORD=abc"], "raymaml '--api-key=***' 'PASSWORD=***'"),
        ([], ""),
    ],
)
def test_a_command_shows_no_credential(words, shown):
    assert command_line(words) == shown


def test_durations_are_for_people():
    assert [duration(s) for s in (-3, 0.4, 61, 100_000)] == ["0:00:00", "0:00:00", "0:01:01", "27:46:40"]
