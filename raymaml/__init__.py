"""raymaml: distributed loss landscapes for meta-learning.

The names below load what they need when they are first used: `import raymaml` alone imports neither torch
nor ray nor matplotlib.

    train, evaluate, surface, figure_surface, show, demo      the commands, as functions
    prepare_data                                    likewise: `raymaml data prepare`
    measure_sharpness, sharpness_rows               sharpness: measured, and read from the stores of a home
    figure_inner, figure_parts, figure_queries, figure_meta, figure_training   several surfaces beside each other
    surfaces, figure_spread, figure_difference      several seeds and directions; uncertainty; paired differences
    export                                          a surface in the files of other programs
    verify                                          a store checked, some of its numbers computed again
    run_bench                                       the speed of this machine: the published way, ours, Ray
    doctor, log                                     the environment checked; what was computed for a run, and when
    table, correlate, figure_results                tables and figures of results
    Result, Curve, read_results, published_runs     results: of your own, of a CSV file, of the thesis
    load_data, load_run, load_checkpoint            what is on disk
    TaskSampler, surface_spec, training_loss_spec, evaluator_of   tasks, and the evaluation of a block, without Ray
    adaptive_record                                 what the store of an adaptive surface says of its error
    open_surface, open_surfaces, open_sharpness     a Zarr store of a surface, of a set of them, of a sharpness
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from raymaml.errors import RaymamlError
from raymaml.version import __version__

if TYPE_CHECKING:
    from raymaml.checkpoints import load as load_checkpoint
    from raymaml.data import load as load_data
    from raymaml.landscape.adaptive_record import read as adaptive_record
    from raymaml.landscape.evaluate import evaluator_of
    from raymaml.landscape.plan import Block
    from raymaml.landscape.request import surface_spec, training_loss_spec
    from raymaml.landscape.sets import open_set as open_surfaces
    from raymaml.landscape.store import open_store as open_surface
    from raymaml.published import runs as published_runs
    from raymaml.results import Curve, Result
    from raymaml.results import read_csv as read_results
    from raymaml.runs import find as load_run
    from raymaml.sharpness.evaluate import sharpness_evaluator
    from raymaml.sharpness.read import sharpness_rows
    from raymaml.sharpness.request import sharpness_spec
    from raymaml.sharpness.store import open_store as open_sharpness
    from raymaml.specs import GridSpec, TaskSpec
    from raymaml.tasks import TaskSampler
    from raymaml.verbs.bench import run_bench
    from raymaml.verbs.correlate import correlate
    from raymaml.verbs.demo import demo
    from raymaml.verbs.difference_figure import figure_difference
    from raymaml.verbs.doctor import doctor
    from raymaml.verbs.evaluate import evaluate
    from raymaml.verbs.export import export
    from raymaml.verbs.figure import figure_surface
    from raymaml.verbs.log import log
    from raymaml.verbs.meta_figure import figure_meta
    from raymaml.verbs.panel_figures import figure_inner, figure_parts, figure_queries
    from raymaml.verbs.prepare import prepare as prepare_data
    from raymaml.verbs.result_figures import figure_results
    from raymaml.verbs.sharpness import measure_sharpness
    from raymaml.verbs.show import show
    from raymaml.verbs.spread_figure import figure_spread
    from raymaml.verbs.surface import surface, surfaces
    from raymaml.verbs.table import table
    from raymaml.verbs.train import train
    from raymaml.verbs.training_figure import figure_training
    from raymaml.verbs.verify import verify

_WHERE = {
    "Block": "raymaml.landscape.plan:Block",
    "Curve": "raymaml.results:Curve",
    "GridSpec": "raymaml.specs:GridSpec",
    "Result": "raymaml.results:Result",
    "TaskSampler": "raymaml.tasks:TaskSampler",
    "TaskSpec": "raymaml.specs:TaskSpec",
    "adaptive_record": "raymaml.landscape.adaptive_record:read",
    "correlate": "raymaml.verbs.correlate:correlate",
    "demo": "raymaml.verbs.demo:demo",
    "doctor": "raymaml.verbs.doctor:doctor",
    "evaluate": "raymaml.verbs.evaluate:evaluate",
    "evaluator_of": "raymaml.landscape.evaluate:evaluator_of",
    "export": "raymaml.verbs.export:export",
    "figure_difference": "raymaml.verbs.difference_figure:figure_difference",
    "figure_inner": "raymaml.verbs.panel_figures:figure_inner",
    "figure_meta": "raymaml.verbs.meta_figure:figure_meta",
    "figure_parts": "raymaml.verbs.panel_figures:figure_parts",
    "figure_queries": "raymaml.verbs.panel_figures:figure_queries",
    "figure_results": "raymaml.verbs.result_figures:figure_results",
    "figure_spread": "raymaml.verbs.spread_figure:figure_spread",
    "figure_surface": "raymaml.verbs.figure:figure_surface",
    "figure_training": "raymaml.verbs.training_figure:figure_training",
    "load_checkpoint": "raymaml.checkpoints:load",
    "load_data": "raymaml.data:load",
    "load_run": "raymaml.runs:find",
    "log": "raymaml.verbs.log:log",
    "measure_sharpness": "raymaml.verbs.sharpness:measure_sharpness",
    "open_sharpness": "raymaml.sharpness.store:open_store",
    "open_surface": "raymaml.landscape.store:open_store",
    "open_surfaces": "raymaml.landscape.sets:open_set",
    "prepare_data": "raymaml.verbs.prepare:prepare",
    "published_runs": "raymaml.published:runs",
    "read_results": "raymaml.results:read_csv",
    "run_bench": "raymaml.verbs.bench:run_bench",
    "sharpness_evaluator": "raymaml.sharpness.evaluate:sharpness_evaluator",
    "sharpness_rows": "raymaml.sharpness.read:sharpness_rows",
    "sharpness_spec": "raymaml.sharpness.request:sharpness_spec",
    "show": "raymaml.verbs.show:show",
    "surface": "raymaml.verbs.surface:surface",
    "surface_spec": "raymaml.landscape.request:surface_spec",
    "surfaces": "raymaml.verbs.surface:surfaces",
    "table": "raymaml.verbs.table:table",
    "train": "raymaml.verbs.train:train",
    "training_loss_spec": "raymaml.landscape.request:training_loss_spec",
    "verify": "raymaml.verbs.verify:verify",
}

__all__ = [
    "Block",
    "Curve",
    "GridSpec",
    "RaymamlError",
    "Result",
    "TaskSampler",
    "TaskSpec",
    "__version__",
    "adaptive_record",
    "correlate",
    "demo",
    "doctor",
    "evaluate",
    "evaluator_of",
    "export",
    "figure_difference",
    "figure_inner",
    "figure_meta",
    "figure_parts",
    "figure_queries",
    "figure_results",
    "figure_spread",
    "figure_surface",
    "figure_training",
    "load_checkpoint",
    "load_data",
    "load_run",
    "log",
    "measure_sharpness",
    "open_sharpness",
    "open_surface",
    "open_surfaces",
    "prepare_data",
    "published_runs",
    "read_results",
    "run_bench",
    "sharpness_evaluator",
    "sharpness_rows",
    "sharpness_spec",
    "show",
    "surface",
    "surface_spec",
    "surfaces",
    "table",
    "train",
    "training_loss_spec",
    "verify",
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
