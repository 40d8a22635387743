"""raymaml: distributed loss landscapes for meta-learning.

The names below load what they need when they are first used: `import raymaml` alone imports neither torch
nor ray nor matplotlib.

    train, surface, figure_surface, show, demo      the commands, as functions
    prepare_data                                    likewise: `raymaml data prepare`
    load_data, load_run, load_checkpoint            what is on disk
    TaskSampler, surface_spec, evaluator_of         tasks, and the evaluation of a block, without Ray
    open_surface                                    a Zarr store of a surface
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from raymaml.errors import RaymamlError
from raymaml.version import __version__

if TYPE_CHECKING:
    from raymaml.checkpoints import load as load_checkpoint
    from raymaml.data import load as load_data
    from raymaml.landscape.evaluate import evaluator_of
    from raymaml.landscape.plan import Block
    from raymaml.landscape.request import surface_spec
    from raymaml.landscape.store import open_store as open_surface
    from raymaml.runs import find as load_run
    from raymaml.specs import GridSpec, TaskSpec
    from raymaml.tasks import TaskSampler
    from raymaml.verbs.demo import demo
    from raymaml.verbs.figure import figure_surface
    from raymaml.verbs.prepare import prepare as prepare_data
    from raymaml.verbs.show import show
    from raymaml.verbs.surface import surface
    from raymaml.verbs.train import train

_WHERE = {
    "Block": "raymaml.landscape.plan:Block",
    "GridSpec": "raymaml.specs:GridSpec",
    "TaskSampler": "raymaml.tasks:TaskSampler",
    "TaskSpec": "raymaml.specs:TaskSpec",
    "demo": "raymaml.verbs.demo:demo",
    "evaluator_of": "raymaml.landscape.evaluate:evaluator_of",
    "figure_surface": "raymaml.verbs.figure:figure_surface",
    "load_checkpoint": "raymaml.checkpoints:load",
    "load_data": "raymaml.data:load",
    "load_run": "raymaml.runs:find",
    "open_surface": "raymaml.landscape.store:open_store",
    "prepare_data": "raymaml.verbs.prepare:prepare",
    "show": "raymaml.verbs.show:show",
    "surface": "raymaml.verbs.surface:surface",
    "surface_spec": "raymaml.landscape.request:surface_spec",
    "train": "raymaml.verbs.train:train",
}

__all__ = [
    "Block",
    "GridSpec",
    "RaymamlError",
    "TaskSampler",
    "TaskSpec",
    "__version__",
    "demo",
    "evaluator_of",
    "figure_surface",
    "load_checkpoint",
    "load_data",
    "load_run",
    "open_surface",
    "prepare_data",
    "show",
    "surface",
    "surface_spec",
    "train",
]


def __getattr__(name: str) -> Any:
    """Load a public name at first use (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'raymaml' has no attribute {name!r}")
    module, _, attribute = _WHERE[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    """The public names."""
    return __all__
