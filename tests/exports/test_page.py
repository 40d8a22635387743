"""The page is whole in one file, and shows what it was given."""

import base64
import json
import re

import numpy as np
import pytest

from raymaml.exports import page

ALPHAS, BETAS = np.array([-1.0, 0.0, 2.0]), np.array([-0.5, 0.5])
VALUES = np.array([[1.0, 2.0], [3.0, np.inf], [5.0, 6.0]])


@pytest.fixture
def write(tmp_path):
    """Write a page; gives its text, and the data and layout that the page hands to plotly."""

    def write(*surfaces, **options):
        options = {"quantity": "query loss", "name": "run <1>", **options}
        page.write(tmp_path / "p.html", surfaces, alphas=ALPHAS, betas=BETAS, **options)
        text = (tmp_path / "p.html").read_text(encoding="utf-8")
        call = text[text.rindex("Plotly.newPlot(") :]
        decoder, parts, at = json.JSONDecoder(), [], call.index("[")
        for opening in "[{":
            at = call.index(opening, at)
            part, at = decoder.raw_decode(call, at)
            parts.append(part)
        return text, *parts

    return write


def array(packed):
    values = np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"])
    return values.reshape([int(n) for n in packed["shape"].split(",")]) if "shape" in packed else values


def test_it_opens_offline(write):
    text, *_ = write(page.Shown("a", "Title", VALUES))
    tags = re.findall(
        r"<(?:script|link|img|iframe)\b[^>]*>", re.sub(r"(<script[^>]*>).*?</script>", r"\1", text, flags=re.S)
    )
    assert tags
    assert not [tag for tag in tags if re.search(r"\b(?:src|href)\s*=", tag)]
    assert len(text) > 1_000_000  # plotly's script is inside
    assert "<title>run &lt;1&gt;</title>" in text


def test_each_height_stands_at_its_alpha_and_beta(write):
    _, [trace], layout = write(page.Shown("a", "Title", VALUES))
    assert array(trace["x"]).tolist() == [-1, 0, 2]
    assert array(trace["y"]).tolist() == [-0.5, 0.5]
    z = array(trace["z"])  # plotly: z[y, x]
    assert z.shape == (2, 3)
    assert (z[0, 2], z[1, 0]) == (5, 2)
    assert np.isnan(z[1, 1])
    assert trace["visible"] is True
    scene = layout["scene"]
    assert [scene[axis]["title"]["text"][:10] for axis in ("xaxis", "yaxis", "zaxis")] == [
        "α (first d", "β (second ", "query loss",
    ]  # fmt: skip
    for word in ("α", "β", "query loss"):
        assert word in trace["hovertemplate"]


def test_a_title_is_text_and_no_html(write):
    _, _, layout = write(page.Shown("a", "one <b>\ntwo & $x$", VALUES))
    assert layout["title"]["text"] == "one &lt;b&gt;<br>two &amp; $x$"


def test_the_slider_shows_one_surface_at_a_time_with_its_title(write):
    _, traces, layout = write(page.Shown("a", "A", VALUES), page.Shown("b", "B", VALUES + 1))
    assert [trace["visible"] for trace in traces] == [False, True]
    assert layout["title"]["text"] == "B"
    [slider] = layout["sliders"]
    assert slider["active"] == 1
    assert [step["label"] for step in slider["steps"]] == ["a", "b"]
    assert [step["args"] for step in slider["steps"]] == [
        [{"visible": [True, False]}, {"title.text": "A"}],
        [{"visible": [False, True]}, {"title.text": "B"}],
    ]


def test_one_surface_needs_no_slider(write):
    assert not write(page.Shown("a", "A", VALUES))[2].get("sliders")


@pytest.mark.parametrize(("log", "start"), [(False, "linear"), (True, "log")])
def test_buttons_switch_the_scale_of_the_height(write, log, start):
    _, [trace], layout = write(page.Shown("a", "A", VALUES), log=log)
    assert layout["scene"]["zaxis"]["type"] == start
    [menu] = layout["updatemenus"]
    assert menu["buttons"][menu["active"]]["args"] == [{"scene.zaxis.type": start}]
    assert {button["args"][0]["scene.zaxis.type"] for button in menu["buttons"]} == {"linear", "log"}
    assert array(trace["surfacecolor"])[0, 2] == pytest.approx(np.log10(5) if log else 5)


def test_an_accuracy_has_no_logarithmic_scale(write):
    _, _, layout = write(page.Shown("a", "A", VALUES), log=None)
    assert not layout.get("updatemenus")
    assert layout["scene"]["zaxis"]["type"] == "linear"


def test_the_same_surface_gives_the_same_bytes(write):
    assert write(page.Shown("a", "A", VALUES))[0] == write(page.Shown("a", "A", VALUES))[0]
