"""The index page: what it shows, and that it needs nothing but the folder it lies in."""

import re

from raymaml.thesis.findings import Finding
from raymaml.thesis.page import Entry, page


def test_a_page_shows_findings_figures_and_tables_with_links_that_hold(tmp_path):
    figure, table = tmp_path / "figures" / "a b.png", tmp_path / "tables" / "t.csv"
    for path in (figure, table):
        path.parent.mkdir()
        path.write_bytes(b"")
    finding = Finding("claim <1>", "rule & more", "holds", ("r = -0.5",))
    text = page(
        "Title <x>",
        ["fact"],
        [finding],
        [
            Entry("figure-4", "a caption", [figure, table], "a < b", "", "raymaml reproduce figure-4"),
            Entry("t", "c", [], why="no data"),
        ],
        tmp_path,
    )
    assert "Title &lt;x&gt;" in text
    assert "claim &lt;1&gt;" in text
    assert "rule &amp; more" in text
    assert "a &lt; b" in text
    assert "Not made: no data" in text
    targets = re.findall(r'(?:href|src)="([^"]*)"', text)
    assert {t for t in targets if not t.startswith("#")} == {"figures/a b.png", "tables/t.csv"}
    assert all((tmp_path / t).exists() for t in targets if not t.startswith("#"))
    assert all(f'id="{t[1:]}"' in text for t in targets if t.startswith("#"))
    assert text.count("<img") == 1
    assert "<script" not in text
