import os
import subprocess
import sys
import threading

import matplotlib as mpl
from figures.samples import TITLE

from raymaml.figures.style import SINGLE, styled, text_width, wrap


def test_the_style_is_undone_even_with_threads():
    before = mpl.rcParams["font.size"], mpl.rcParams["legend.fontsize"]

    def work():
        for _ in range(3):
            with styled():
                assert mpl.rcParams["legend.fontsize"] == 7.0

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (mpl.rcParams["font.size"], mpl.rcParams["legend.fontsize"]) == before


def test_wrap_keeps_every_character_and_the_width():
    wrapped = wrap(TITLE, SINGLE, 8.5)
    assert wrapped.split() == TITLE.split()
    assert all(text_width(line, 8.5) <= SINGLE for line in wrapped.split("\n"))


def test_importing_figures_imports_neither_torch_nor_ray_nor_pyplot():
    code = (
        "import sys, raymaml.figures.contours, raymaml.figures.views3d; "
        "import raymaml.figures.saving, raymaml.figures.sheets; "
        "print([m for m in ('torch', 'ray', 'zarr', 'typer', 'matplotlib.pyplot') if m in sys.modules])"
    )
    path = os.pathsep.join(p for p in sys.path if p)
    env = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env)
    assert done.stdout.strip() == "[]"


def test_a_dollar_is_no_mathematics():
    assert text_width(r"$\frac{$ 5", 8.5) > text_width(r"\frac{ 5", 8.5)
