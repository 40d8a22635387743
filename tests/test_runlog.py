import json
import math
import multiprocessing
import re
from pathlib import Path

import pytest

from raymaml.runlog import Pace, RunLog, computing, log_of


@pytest.fixture
def log(tmp_path) -> RunLog:
    return RunLog(tmp_path / "log.jsonl")


def write_many(path, word):
    for i in range(200):
        RunLog(path).write(word, word * 200, number=i)


def test_an_event_is_a_line_that_people_can_read(log):
    log.write("seed finished", "seed 5 is finished: ± 1 %", seed=5, loss=math.nan, store=Path("a/b"), rows=[math.inf])
    [line] = log.path.read_text().splitlines()
    assert re.fullmatch(
        r'\{"time": "20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", "event": "seed finished", '
        r'"text": "seed 5 is finished: .*", "seed": 5, "loss": null, "store": "a/b", "rows": \[null\]\}',
        line,
    )
    assert log.read() == [json.loads(line)]


def test_several_processes_can_write(log):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(log.path, word)) for word in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    for word in "ab":
        assert [e["number"] for e in log.read() if e["text"] == word * 200] == list(range(200))
    assert len(log.path.read_text().splitlines()) == 400


def test_lines_that_are_damaged_are_left_out(log):
    log.write("one", "1")
    with log.path.open("a") as file:
        file.write('{"time": "cut short\n[3]\n{"time": 1}\n')
    log.write("two", "2")
    assert [e["event"] for e in log.read()] == ["one", "two"]
    assert RunLog(log.path.with_name("none")).read() == []


@pytest.mark.parametrize(
    ("error", "event", "text"),
    [
        (None, "finished", "surface finished after 0:00:00"),
        (KeyboardInterrupt(), "stopped", "surface stopped by a signal after 0:00:00"),
        (ValueError("two\nlines"), "failed", "surface failed after 0:00:00: two lines"),
    ],
)
def test_a_computation_has_a_start_and_an_end(log, error, event, text):
    def work():
        with computing([log, log], "surface", blocks=3):
            if error:
                raise error

    if error:
        with pytest.raises(type(error)):
            work()
    else:
        work()
    first, last = log.read()
    assert (first["event"], first["blocks"], first["what"]) == ("started", 3, "surface")
    assert first["text"].startswith(f"surface started on {first['host']}: ")
    assert (last["event"], last["text"]) == (event, text)
    assert last["seconds"] < 1


def test_a_log_that_cannot_be_written_stops_nothing_and_is_told_once(tmp_path, caplog):
    log = RunLog(tmp_path / "none" / "log.jsonl")
    for _ in range(2):
        log.write("one", "1")
    assert [r.message for r in caplog.records] == [f"no log: {log.path} cannot be written (No such file or directory)"]


def test_whose_log_it_is(tmp_path):
    (tmp_path / "run").mkdir()
    checkpoint, store = tmp_path / "run" / "seed-5" / "best", tmp_path / "else" / "s.zarr"
    assert log_of(checkpoint, store).path == tmp_path / "else" / "s.zarr.log.jsonl"
    (tmp_path / "run" / "run.json").touch()
    assert log_of(checkpoint, store).path == tmp_path / "run" / "log.jsonl"


def test_progress_is_told_now_and_then():
    pace = Pace(every=60)
    assert not pace.due()
    pace.told -= 61
    assert pace.due()
    assert not pace.due()
