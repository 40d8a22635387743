"""One HTML page of everything: findings, figures and tables, with links to their files; no scripts, works offline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from raymaml.thesis.findings import Finding

STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.25; } h2 { margin-top: 3rem; border-top: 1px solid #ccc; padding-top: 1rem; }
img { max-width: 100%; height: auto; display: block; margin: 1rem 0; }
pre { overflow-x: auto; background: #f5f5f5; padding: .75rem; font-size: 13px; line-height: 1.35; }
.verdict { font-weight: 700; } .rule, .why, .files { color: #555; font-size: 14px; }
nav a { margin-right: .75rem; white-space: nowrap; }
"""


@dataclass(frozen=True)
class Entry:
    """A figure or a table on the page."""

    name: str
    caption: str
    files: Sequence[Path]
    text: str = ""
    why: str = ""  # it is not there
    command: str = ""  # that makes it


def page(title: str, facts: Sequence[str], findings: Sequence[Finding], entries: Sequence[Entry], root: Path) -> str:
    """The page as HTML.

    Args:
        title: of the page.
        facts: lines on what was run.
        findings: with their verdicts.
        entries: in order.
        root: the folder in which the page lies; links are relative to it.
    """
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(title)}</h1>",
        *(f"<p>{escape(fact)}</p>" for fact in facts),
        "<nav>",
        *([_link("#findings", "findings")] if findings else []),
        *(_link(f"#{entry.name}", entry.name) for entry in entries),
        "</nav>",
        *(['<h2 id="findings">Findings of the thesis, checked here</h2>'] if findings else []),
        *(_finding(finding) for finding in findings),
        *(_entry(entry, root) for entry in entries),
        "</body></html>\n",
    ]
    return "\n".join(parts)


def _link(target: str, text: str) -> str:
    return f'<a href="{escape(target, quote=True)}">{escape(text)}</a>'


def _finding(finding: Finding) -> str:
    return "\n".join(
        [
            f"<h3>{escape(finding.claim)}</h3>",
            f'<p><span class="verdict">{escape(finding.verdict)}</span> '
            f'<span class="rule">Rule: {escape(finding.rule)}.</span></p>',
            "<ul>",
            *(f"<li>{escape(line)}</li>" for line in finding.numbers),
            "</ul>",
        ]
    )


def _entry(entry: Entry, root: Path) -> str:
    parts = [f'<h2 id="{escape(entry.name, quote=True)}">{escape(entry.name)}: {escape(entry.caption)}</h2>']
    if entry.why:
        parts.append(f'<p class="why">Not made: {escape(entry.why)}</p>')
    for path in entry.files:
        if path.suffix == ".png":
            where = escape(path.relative_to(root).as_posix(), quote=True)
            parts.append(
                f'<img src="{where}" alt="{escape(f"{entry.caption}: {path.stem}", quote=True)}" loading="lazy">'
            )
    if entry.text:
        parts.append(f"<pre>{escape(entry.text)}</pre>")
    links = [_link(path.relative_to(root).as_posix(), path.name) for path in entry.files]
    if links:
        parts.append(f'<p class="files">{" · ".join(links)}</p>')
    parts.append(f'<p class="files">Made by: <code>{escape(entry.command)}</code></p>')
    return "\n".join(parts)
