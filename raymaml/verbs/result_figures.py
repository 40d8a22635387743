"""Draw the thesis's figures of results; needs neither torch, ray nor zarr."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raymaml import runs
from raymaml.errors import SpecError
from raymaml.figures.overfit import overfit
from raymaml.figures.saving import save
from raymaml.figures.scatter import scatter
from raymaml.figures.sharpness_lines import sharpness_lines
from raymaml.figures.sharpness_scatter import sharpness_scatter
from raymaml.results import RHO, Curve, Result, low_to_high, no_sharpness, nothing_there, over_seeds

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DATA = {19: "miniimagenet", 20: "cub"}  # of the thesis's figures
SHARPNESS = {13: sharpness_lines, 14: sharpness_scatter}
NUMBERS = (3, *SHARPNESS, *DATA)


def figure_results(
    number: int,
    results: Sequence[Result],
    curves: Sequence[Curve] = (),
    out: Path | None = None,
    formats: Sequence[str] = ("png", "pdf", "svg"),
) -> list[Path]:
    """Draw figure `number` of the thesis into `figure<number>.png`, `.pdf` and `.svg`.

    Args:
        number: 3, loss against accuracy on novel tasks; 13, sharpness against backbone; 14, loss, sharpness and
            accuracy; 19 or 20, accuracy over training and of the best against the last checkpoint.
        results: for 3, the best checkpoints on novel tasks are used; for 13 and 14, those of MAML on base and novel
            tasks; for 19 and 20, they must be of one data set.
        curves: over training, of the same data set.
        out: folder of the figures; by default `figures` in `runs.home()`.
        formats: of `png`, `pdf`, `svg`.

    Returns:
        The files that were written.

    Raises:
        SpecError: another number or format, or results that contradict each other.
        MissingError: there is nothing to draw.
    """
    if number not in NUMBERS:
        raise SpecError(f"the figure must be one of {', '.join(map(str, NUMBERS))}, got {number}")
    over_seeds(results)  # a seed that is there twice would be two points
    if number in SHARPNESS:
        figure = _sharpness(number, results)
    else:
        figure = _loss_and_accuracy(results) if number == 3 else _overfitting(number, results, curves)
    folder = out.expanduser() if out else runs.home() / "figures"
    return save(figure, folder / f"figure{number}", formats)


def _loss_and_accuracy(results: Sequence[Result]) -> Figure:
    used = [result for result in results if (result.split, result.checkpoint) == ("novel", "best")]
    if not used:
        raise nothing_there("results of best checkpoints on novel tasks")
    title = (
        f"Loss against accuracy on {_names(result.data for result in used)}: novel split, best checkpoint\n"
        f"a point is one seed ({_seeds(used)}): mean over {_tasks(used)} 5-way 1-shot tasks"
    )
    return scatter(used, title=title)


def _sharpness(number: int, results: Sequence[Result]) -> Figure:
    used = [r for r in results if (r.method, r.checkpoint) == ("maml", "best") and r.split != "val"]
    there = [result for result in used if result.sharpness is not None]
    if not there:
        raise no_sharpness("best checkpoints of MAML runs on base or novel tasks")
    tasks = [result.sharpness_tasks for result in there if result.sharpness_tasks]
    title = (
        f"Sharpness (rho = {RHO}) of MAML's meta-loss on {_names(r.data for r in there)}: 5-way 1-shot, best checkpoint"
    )
    amount = f"mean over {low_to_high(tasks) if tasks else 'an unknown number of'} tasks"
    if number == 13:
        title += (
            f"\nmark: mean over seeds {_seeds(there)} of each seed's {amount}; bar: mean of the seeds' 95 % intervals"
        )
    else:
        title += (
            f"\na point is one seed ({_seeds(there)}): sharpness is a {amount}, loss and accuracy over {_tasks(there)}"
        )
    return SHARPNESS[number](used, title=title)


def _overfitting(number: int, results: Sequence[Result], curves: Sequence[Curve]) -> Figure:
    data = {result.data for result in results} or {DATA[number]}
    if len(data) > 1:
        raise SpecError(f"figure {number} shows one data set, not {_names(data)}: name one with --data")
    both = [result for result in results if result.method == "maml" and result.split != "val"]
    checkpoints = {result.checkpoint for result in both}
    if not curves and len(checkpoints) < 2:
        raise nothing_there("curves of MAML over training, nor results of both its best and its last checkpoint")
    title = f"MAML on {_names(data)}, 5-way 1-shot, seeds {_seeds([*both, *curves])}"
    if len(checkpoints) == 2:
        title += f"\ncheckpoints: mean over {_tasks(both)} tasks of the base and of the novel split"
    if curves:
        title += "\ncurves: val from the validations; base from the tasks of training, unless it was evaluated"
    return overfit(curves, both, title=title)


def _names(data: Iterable[str]) -> str:
    return " and ".join(sorted(set(data)))


def _seeds(items: Iterable[Result | Curve]) -> str:
    return ", ".join(map(str, sorted({item.seed for item in items})))


def _tasks(results: Sequence[Result]) -> str:
    known = [result.tasks for result in results if result.tasks]
    return low_to_high(known) if known else "an unknown number of"
