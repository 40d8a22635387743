"""`python -m raymaml.runtime.probe ADDRESS FOLDER`: connect to a cluster, ask its nodes, print a line of JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from raymaml.errors import RaymamlError
from raymaml.runtime.session import cluster, session

SECONDS = 30.0  # for the nodes to answer: a worker must start on each


def _look(folder: str) -> dict[str, Any]:
    """Runs on a node, which may lack anything of ours."""
    import os
    import platform
    from importlib import metadata

    versions = {"python": platform.python_version()}
    for name in ("raymaml", "ray", "torch", "zarr"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "none"
    return {"node": platform.node(), "versions": versions, "sees": os.path.isdir(folder)}


def probe(address: str, folder: str) -> dict[str, Any]:
    """What there is at an address: the cluster, our versions, and what each node answers."""
    with session(address):
        ask = ray.remote(num_cpus=0, max_retries=0)(_look)
        asked = [
            ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(folder)
            for node in ray.nodes()  # type: ignore[no-untyped-call]
            if node["Alive"]
        ]
        return {**cluster(), "versions": _look(folder)["versions"], "answers": ray.get(asked, timeout=SECONDS)}


def main() -> None:
    """Print what there is, or the error."""
    try:
        found = probe(*sys.argv[1:])
    except (RaymamlError, ray.exceptions.RayError) as error:
        found = {"error": " ".join(str(error).split())}
    print(json.dumps(found))


if __name__ == "__main__":  # its functions then travel by value, to nodes that may lack raymaml
    main()
