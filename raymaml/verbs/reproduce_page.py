"""Draw everything of a reproduction, check the thesis's findings on it, and write the page that shows all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from raymaml import files, machine
from raymaml.analysis import Floats
from raymaml.correlation import Variable
from raymaml.thesis import findings, page
from raymaml.thesis.findings import Finding
from raymaml.thesis.items import Item
from raymaml.thesis.page import Entry
from raymaml.verbs.reproduce import Reproduction
from raymaml.verbs.reproduce_draw import Drawing, Made, adaptations, draw, drawings

PAGE, FINDINGS = "index.html", "findings.md"


def write_page(of: Reproduction, *, on_item: Callable[[Made], None] = lambda made: None) -> Path:
    """Draw the items that are computed, and write `index.html` and `findings.md`.

    Args:
        of: what was computed.
        on_item: called after each item.

    Returns:
        The page.

    Raises:
        RaymamlError: a store or a run is damaged.
    """
    entries = []
    there = drawings(of)
    for drawing in there:
        made, item = draw(drawing), drawing.item
        on_item(made)
        entries.append(Entry(item.name, item.caption, made.files, made.text, made.why, command(of, item)))
    found = list(findings_of(of, {drawing.item.name: drawing for drawing in there}))
    title = f"{'Beyond ' * all(item.beyond for item in of.items)}Understanding MAML Through Its Loss Landscape"
    lines = [*_facts(of), *_time(of)]
    text = page.page(f"{title}: {of.scale.name} scale", lines, found, entries, of.out)
    files.write_text(
        of.out / FINDINGS, "\n\n".join(["# Findings of the thesis, checked here", *lines, findings.as_text(found)])
    )
    files.write_text(of.out / PAGE, text)
    return of.out / PAGE


def command(of: Reproduction, item: Item) -> str:
    """The command line that makes one item."""
    return f"raymaml reproduce {item.name} --scale {of.scale.name} --data {' '.join(of.data)}"


def _facts(of: Reproduction) -> list[str]:
    made = machine.provenance()
    scale = of.scale
    return [
        f"Data: {', '.join(of.data)}. Backbones: {', '.join(scale.backbones)}. "
        f"Seeds: {', '.join(map(str, scale.seeds))}; landscapes of single models are of seed {scale.seeds[0]}.",
        f"Meta-loss: {scale.meta_tasks} tasks on {scale.meta_grid} x {scale.meta_grid} points; one task: "
        f"{scale.inner_grid} x {scale.inner_grid}; sharpness: {scale.sharpness_tasks} tasks; accuracy: "
        f"{scale.evaluation_tasks} tasks of each split and checkpoint.",
        f"raymaml {made['raymaml']}, torch {made['torch']}, Ray {made['ray']}, Python {made['python']}; "
        f"{made['processor']}.",
    ]


def _time(of: Reproduction) -> list[str]:
    """How long the calls took that ended by themselves; a killed one left no line."""
    if not of.calls.is_file():
        return []
    try:
        seconds = [float(json.loads(line)["seconds"]) for line in of.calls.read_text(encoding="utf-8").splitlines()]
    except (OSError, LookupError, TypeError, ValueError, RecursionError):
        return [f"How long it took is not known: {of.calls.name} is damaged."]
    return [f"Computed in {len(seconds)} call{'s' * (len(seconds) != 1)} of {sum(seconds) / 60:.1f} minutes in all."]


def findings_of(of: Reproduction, there: Mapping[str, Drawing]) -> Iterator[Finding]:
    """Those findings of the thesis that the chosen items, under their names, can decide."""
    if "adaptation" in there:
        found = adaptations(there["adaptation"])
        yield findings.initial_loss(found)
        yield from _known(findings.adaptation_by_depth(found))
    parts = {name: there[name] for name in ("figure-6", "figure-17") if name in there}
    if parts:
        yield findings.feature_reuse(
            {key: surfaces for drawing in parts.values() for key, surfaces in _parts(drawing).items()}
        )
    if "figure-10" in there:
        [(_, store)] = there["figure-10"].stores
        yield findings.convexity_by_queries(store.read("loss")[:, -1], store.spec.queries)
    if "figure-8" in there:
        surfaces = {
            f"{order.backbone} aug, {order.options['split']}": store.surface("loss")
            for order, store in there["figure-8"].stores
        }
        yield findings.convexity_by_tasks(surfaces, of.scale.few_tasks)
    if drawing := there.get("table-2"):
        results, _ = drawing.results()
        yield from _known(findings.augmentation_helps(results))
        yield from _known(findings.maml_against_transfer(results))
    if drawing := there.get("table-3"):
        results, _ = drawing.results()
        yield from _known(findings.augmentation_flattens(results))
        for augment, table in ((None, "table 3"), (True, "table 4")):
            for split in ("base", "novel"):
                yield from findings.accuracy_follows(results, Variable(split, "sharpness"), table, augment=augment)
            yield from findings.accuracy_follows(results, Variable("novel", "loss"), table, augment=augment)


def _known(finding: Finding | None) -> list[Finding]:
    return [] if finding is None else [finding]


def _parts(drawing: Drawing) -> dict[tuple[str, int], dict[str, Floats]]:
    found: dict[tuple[str, int], dict[str, Floats]] = {}
    for order, store in drawing.stores:
        for step in store.spec.steps:
            what = f"{order.backbone} aug, novel task {order.options['first_task']}"
            found.setdefault((what, step), {})[order.options["part"]] = store.surface("loss", step=step)[0]
    return found
