"""Ways in which a file on disk can be wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

HUGE = 10**18
JSON_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    HUGE,
    -HUGE,
    float("nan"),
    float("inf"),
    1e308,
    "",
    "x",
    "../../../etc/passwd",
    "/etc/passwd",
    "a\nb\x1b[2J",
    "\ud800",
    [],
    {},
    [0],
    [HUGE],
    [[1, 2], [3]],
    {"kind": "maml"},
]
TEXTS = ["", "{", "[]", "{}", "null", "NaN", "1e999", '"x"', "[" * 100_000, '{"a":' * 50_000, "9" * 5_000, "\x00", "﻿{}"]


@st.composite
def harmed(draw: Any, raw: bytes, kind: str) -> bytes:
    """Other bytes than `raw`, those of a file of that kind: json, lines (of JSON), csv, or any other."""
    ways: dict[str, Callable[..., bytes]] = {"bytes": _bytes, "text": _text}
    if kind in ("json", "lines"):
        ways |= {"value": _json_value, "names": _json_names, "more": _json_value}
    if kind == "csv":
        ways["cell"] = _cell
    found = ways[draw(st.sampled_from(sorted(ways)))](draw, raw, kind)
    return found if found != raw else raw + b"\xff"


def _bytes(draw: Any, raw: bytes, _: str) -> bytes:
    how = draw(st.sampled_from(["cut", "flip", "swap", "insert", "noise", "twice", "zero"]))
    at = draw(st.integers(0, max(len(raw) - 1, 0)))
    length = draw(st.integers(1, 64))
    if how == "cut":
        return raw[:at]
    if how == "flip":
        return raw[:at] + bytes(byte ^ draw(st.integers(1, 255)) for byte in raw[at : at + 1]) + raw[at + 1 :]
    if how == "swap":
        return raw[at:] + raw[:at]
    if how == "insert":
        return raw[:at] + draw(st.binary(min_size=1, max_size=64)) + raw[at:]
    if how == "noise":
        return draw(st.binary(max_size=256))
    return raw + raw if how == "twice" else raw[:at] + bytes(length) + raw[at + length :]


def _text(draw: Any, raw: bytes, _: str) -> bytes:
    return draw(st.sampled_from(TEXTS)).encode()


def _json_value(draw: Any, raw: bytes, kind: str) -> bytes:
    """One value, at any depth, replaced by another."""

    def harm(values: Any) -> Any:
        place = draw(st.sampled_from(_places(values)))
        return _replaced(values, place, draw(st.sampled_from(JSON_VALUES)))

    return _rewritten(draw, raw, kind, harm)


def _json_names(draw: Any, raw: bytes, kind: str) -> bytes:
    """One name dropped, changed, or given twice."""

    def harm(values: Any) -> Any:
        objects = [place for place in _places(values) if isinstance(_at(values, place), dict) and _at(values, place)]
        if not objects:
            return {}
        place = draw(st.sampled_from(objects))
        found = dict(_at(values, place))
        name = draw(st.sampled_from(sorted(found)))
        value = found.pop(name)
        if draw(st.booleans()):
            found[draw(st.sampled_from(["", "x", "__class__", f"{name} ", "\x00"]))] = value
        return _replaced(values, place, found)

    changed = _rewritten(draw, raw, kind, harm)
    return changed.replace(b"{", b'{"format": 7, ', 1) if draw(st.booleans()) else changed


def _rewritten(draw: Any, raw: bytes, kind: str, harm: Callable[[Any], Any]) -> bytes:
    if kind == "json":
        return json.dumps(harm(json.loads(raw))).encode()
    lines = raw.decode().splitlines()
    at = draw(st.integers(0, len(lines) - 1))
    lines[at] = json.dumps(harm(json.loads(lines[at])))
    return "\n".join(lines).encode()


def _places(values: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in a JSON document, the whole first."""
    names = values if isinstance(values, dict) else range(len(values)) if isinstance(values, list) else ()
    return [above, *(place for name in names for place in _places(values[name], (*above, name)))]


def _at(values: Any, place: tuple[Any, ...]) -> Any:
    for name in place:
        values = values[name]
    return values


def _replaced(values: Any, place: tuple[Any, ...], new: Any) -> Any:
    if not place:
        return new
    changed = dict(values) if isinstance(values, dict) else list(values)
    changed[place[0]] = _replaced(values[place[0]], place[1:], new)
    return changed


def _cell(draw: Any, raw: bytes, _: str) -> bytes:
    """One value of a table replaced, or a line given twice."""
    lines = raw.decode().splitlines()
    row = draw(st.integers(0, len(lines) - 1))
    cells = lines[row].split(",")
    words = ["", "nan", "-inf", "-1", "1e999", "9" * 5_000, '"', "x" * 200_000, "\x00", "ü", "'=cmd()", "a,b", "٣"]
    cells[draw(st.integers(0, len(cells) - 1))] = draw(st.sampled_from(words))
    lines[row] = ",".join(cells)
    return "\n".join(lines + draw(st.sampled_from([[], [lines[-1]]]))).encode()


def replaced(path: Path, draw: Any) -> str:
    """Put something that is no file in the place of one; says what."""
    how = draw(st.sampled_from(["nothing", "folder", "link to itself", "link to nothing", "link to a device"]))
    path.unlink()
    if how == "folder":
        path.mkdir()
    targets = {"link to itself": path.name, "link to nothing": "nothing", "link to a device": "/dev/null"}
    if how in targets:
        path.symlink_to(targets[how])
    return how
