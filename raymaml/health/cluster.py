"""Whether Ray starts here, or a cluster answers: asked of another process, since ray.init can hang for minutes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from raymaml.health.check import Check

SECONDS = 90.0  # a cluster of our own starts in 7 to 16 s, on a busy machine in 40
PROBE = "raymaml.runtime.probe"


def reached(address: str, found: Mapping[str, Any]) -> Check:
    """What the probe found of a cluster: `error`, or its `address`, `nodes`, `cpus` and `gpus`."""
    if "error" in found:
        advice = "see the other lines; a cluster of this machine is --address local"
        return Check("cluster", "problem", f"--address {address}: {found['error']}", advice)
    text = f"--address {address}: {found['nodes']} nodes, {found['cpus']:g} CPUs, {found['gpus']} GPUs"
    if found["cpus"] < 1 and found["gpus"] < 1:
        return Check("cluster", "problem", text, "the cluster has no room for an actor: start nodes with CPUs or GPUs")
    return Check("cluster", "ok", text)


def nodes(versions: Mapping[str, str], folder: Path, answers: Sequence[Mapping[str, Any]]) -> Iterator[Check]:
    """Each node's versions against ours, and whether it sees the folder of the runs; a line if all are right."""
    right = True
    for node in answers:
        name = f"node {node['node']}"
        other = [
            f"{k} {node['versions'].get(k)} (here {v})" for k, v in versions.items() if node["versions"].get(k) != v
        ]
        if other:
            right = False
            yield Check(name, "problem", f"has {', '.join(other)}", "install the same versions on every node")
        if not node["sees"]:
            right = False
            advice = "set RAYMAML_HOME or --out to a folder that all nodes share"
            yield Check(name, "problem", f"does not see {folder}", advice)
    if right and answers:
        yield Check("nodes", "ok", f"{len(answers)} with the same versions, and {folder}")


def check_cluster(address: str, folder: Path, seconds: float = SECONDS) -> Iterator[Check]:
    """Connect to a cluster, or start one, ask every node, and leave."""
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    found = ask([sys.executable, "-m", PROBE, address, str(there)], seconds)
    yield reached(address, found)
    if "error" not in found:
        yield from nodes(found["versions"], there, found["answers"])


def ask(command: Sequence[str], seconds: float) -> dict[str, Any]:
    """The last line of a program's output, as JSON; `error` if it gives none in time. All that it started ends."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            return {"error": f"no answer in {seconds:g} s"}
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    try:
        found: dict[str, Any] = json.loads(out.splitlines()[-1])
    except (ValueError, IndexError):
        return {"error": (err.strip().splitlines() or ["ended without an answer"])[-1]}
    return found
