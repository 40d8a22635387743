import os

import pytest
from figures.samples import AXIS, TITLE, bowl

from raymaml.errors import SpecError
from raymaml.figures.contours import contour
from raymaml.figures.saving import save
from raymaml.figures.style import DOUBLE
from raymaml.figures.views3d import surface_3d


@pytest.mark.parametrize("draw", [contour, surface_3d])
def test_saving_twice_gives_the_same_bytes_and_leaves_nothing_else(tmp_path, draw):
    figure = draw(bowl(), alphas=AXIS, betas=AXIS, title=TITLE)
    first = save(figure, tmp_path / "new" / "lr0.1")
    again = save(draw(bowl(), alphas=AXIS, betas=AXIS, title=TITLE), tmp_path / "again" / "lr0.1")
    assert [path.name for path in first] == ["lr0.1.png", "lr0.1.pdf", "lr0.1.svg"]
    for one, other in zip(first, again, strict=True):
        before = one.read_bytes()
        assert before == other.read_bytes()
        save(figure, tmp_path / "new" / "lr0.1", formats=[one.suffix[1:]])
        assert before == one.read_bytes()
    assert sorted(os.listdir(tmp_path / "new")) == ["lr0.1.pdf", "lr0.1.png", "lr0.1.svg"]


def test_png_has_200_dpi(tmp_path):
    (path,) = save(contour(bowl(), alphas=AXIS, betas=AXIS, title="t"), tmp_path / "a", formats=["png"])
    header = path.read_bytes()[16:20]  # the width, in IHDR
    assert int.from_bytes(header, "big") == 200 * DOUBLE


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    figure = contour(bowl(), alphas=AXIS, betas=AXIS, title="t")
    (path,) = save(figure, tmp_path / "a", formats=["png"])
    before = path.read_bytes()

    def half(part, **_):
        part.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(figure, "savefig", half)
    with pytest.raises(OSError, match="disk full"):
        save(figure, tmp_path / "a", formats=["png"])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.png"]


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    figure = contour(bowl(), alphas=AXIS, betas=AXIS, title="t")
    with pytest.raises(SpecError, match="png, pdf or svg, not jpg"):
        save(figure, tmp_path / "a", formats=["png", "jpg"])
    assert not os.listdir(tmp_path)
