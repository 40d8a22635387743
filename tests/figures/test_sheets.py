import numpy as np
import pytest

from raymaml.errors import SpecError
from raymaml.figures.sheets import split_sheet, task_sheet


def flat_images(*shape, channels=1, size=28):
    """Images whose pixels all hold the image's own number, so that places can be read back."""
    count = int(np.prod(shape))
    numbers = np.arange(1, count + 1, dtype=np.uint8)
    images = np.broadcast_to(numbers[:, None, None, None], (count, channels, size, size))
    return images.reshape(*shape, channels, size, size).copy()


def picture(axes):
    return np.asarray(axes.images[0].get_array())


def tile(picture, row, column, size=28, gap=1):
    return picture[row * (size + gap) :, column * (size + gap) :][:size, :size]


def test_split_sheet_is_in_reading_order():
    figure = split_sheet(flat_images(7), title="t", columns=3)
    (axes,) = figure.axes
    drawn = picture(axes)
    assert drawn.shape == (3 * 29, 3 * 29, 3)
    assert (tile(drawn, 0, 2) == 3).all()
    assert (tile(drawn, 1, 0) == 4).all()
    assert (tile(drawn, 2, 0) == 7).all()
    assert (tile(drawn, 2, 1) == 255).all()  # nothing there
    assert figure.get_suptitle() == "t"


def test_colours_stay_in_their_channels():
    images = np.zeros((1, 3, 28, 28), np.uint8)
    images[0, 2] = 200
    drawn = picture(split_sheet(images, title="").axes[0])
    np.testing.assert_array_equal(drawn[0, 0], [0, 0, 200])


def test_the_sheet_is_as_wide_as_a_page_and_square_in_its_cells():
    figure = split_sheet(flat_images(60), title="t")
    box = figure.axes[0].get_window_extent()
    rows, columns = 3, 20
    assert box.width / columns == pytest.approx(box.height / rows, rel=1e-6)
    assert box.x1 <= figure.bbox.x1


def test_task_sheet_rows_are_classes_support_left_queries_right():
    support = flat_images(5, 2)
    query = flat_images(5, 15) + 100
    figure = task_sheet(support, query, title="t", class_names=["α", "β", "Ж", "あ", "$x$ & co"])
    left, right = figure.axes
    assert (tile(picture(left), 3, 1) == support[3, 1, 0, 0, 0]).all()
    assert (tile(picture(right), 2, 14) == query[2, 14, 0, 0, 0]).all()
    assert left.get_position().x1 < right.get_position().x0
    texts = [text.get_text() for text in left.texts]
    assert texts[:4] == ["support", "α", "β", "Ж"]
    assert texts[4] in ("あ", "U+3042")  # the code point where no font has it
    assert right.texts[0].get_text() == "queries (15 per class)"


@pytest.mark.parametrize(("shots", "queries"), [(1, 15), (5, 5), (1, 1), (1, 40)])
def test_no_text_of_a_task_sheet_overlaps_or_is_cut(shots, queries):
    names = ["a", "a name that is far too long for the left margin of a sheet", "$", "Ω", ""]
    figure = task_sheet(
        flat_images(5, shots, channels=3), flat_images(5, queries, channels=3), title="t", class_names=names
    )
    figure.draw_without_rendering()
    left, right = figure.axes
    boxes = [text.get_window_extent() for axes in (left, right) for text in axes.texts if text.get_text()]
    boxes.append(figure._suptitle.get_window_extent())
    for i, one in enumerate(boxes):
        assert one.x0 >= 0
        assert one.x1 <= figure.bbox.x1
        assert not any(one.overlaps(other) for other in boxes[i + 1 :])
        assert not one.overlaps(right.bbox)


def test_rows_are_numbered_without_names():
    figure = task_sheet(flat_images(2, 1), flat_images(2, 3), title="t")
    assert [text.get_text() for text in figure.axes[0].texts] == ["support", "class 1", "class 2"]


@pytest.mark.parametrize(
    "images", [flat_images(3) / 1.0, flat_images(3, 1), flat_images(3, channels=2), flat_images(0)]
)
def test_split_sheet_refuses_other_images(images):
    with pytest.raises(SpecError, match="uint8"):
        split_sheet(images, title="t")


def test_sheets_refuse_what_does_not_fit():
    with pytest.raises(SpecError, match="at least 1 column"):
        split_sheet(flat_images(3), title="t", columns=0)
    with pytest.raises(SpecError, match="same classes"):
        task_sheet(flat_images(2, 1), flat_images(3, 1), title="t")
    with pytest.raises(SpecError, match="same classes"):
        task_sheet(flat_images(2, 1), flat_images(2, 1, size=32), title="t")
    with pytest.raises(SpecError, match="that many names"):
        task_sheet(flat_images(2, 1), flat_images(2, 1), title="t", class_names=["one"])
