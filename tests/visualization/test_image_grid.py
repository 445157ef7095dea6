"""Sheets of images: the layout."""

import numpy as np
from PIL import Image

from frozenseg.visualization.image_grid import (
    COLUMN_WIDTH,
    GAP,
    LEGEND_WIDTH,
    MAX_WIDTH,
    MIN_LINES,
    SIZE,
    TEXT_LINE,
    GridRow,
    image_grid,
    wrap,
)  # fmt: skip
from frozenseg.visualization.legend import LegendEntry
from frozenseg.visualization.text import text_width

BLACK, GREY = Image.new("RGB", (320, 320)), Image.new("RGB", (640, 320), (120, 120, 120))
RED = (255, 0, 0)


def test_rows_may_have_different_lengths() -> None:
    sheet = np.asarray(image_grid([GridRow("one", [BLACK, GREY]), GridRow("two", [BLACK])], ["image", "prediction"]))
    top, second = GAP + 2 * TEXT_LINE, 2 * GAP + 320
    assert not sheet[top : top + 320, GAP : GAP + 320].any()
    assert (sheet[top : top + 320, second : second + 640] == 120).all()
    for column in (GAP, second):
        assert sheet[: GAP + TEXT_LINE, column:].min() < 100  # headers
    assert sheet[GAP + TEXT_LINE : top, GAP:].min() < 100  # a title
    below = top + 320 + GAP
    assert sheet[below : below + TEXT_LINE, GAP : GAP + 60].min() < 100  # and that of the second row
    assert (sheet[below:, second:] == 255).all()


def test_images_of_a_wide_sheet_are_made_smaller() -> None:
    assert image_grid([GridRow("", [BLACK] * 9)]).width <= MAX_WIDTH


def test_legends_are_to_the_right_and_what_has_no_room_is_counted() -> None:
    small = Image.new("RGB", (320, 10))
    sheet = image_grid([GridRow("", [small], [LegendEntry("red", (RED,))] * 20)])
    assert sheet.size == (2 * GAP + 320 + LEGEND_WIDTH + GAP, 2 * GAP + TEXT_LINE + MIN_LINES * TEXT_LINE)
    reds = np.argwhere((np.asarray(sheet) == RED).all(axis=-1))
    assert reds[:, 1].min() == 2 * GAP + 320
    assert 0 < len(reds) < MIN_LINES * (1.5 * SIZE) * SIZE  # a line is kept for the count


def test_a_message_is_wrapped() -> None:
    sheet = image_grid([GridRow("name", message="a word " * 30)])
    assert sheet.width == 2 * GAP + COLUMN_WIDTH
    assert sheet.height > 2 * GAP + 4 * TEXT_LINE
    lines = wrap("a word " * 30 + "x" * 200, SIZE, 200)
    assert " ".join(lines[:-1]).split() == ["a", "word"] * 30
    assert all(text_width(line, SIZE) <= 200 for line in lines)


def test_a_sheet_without_rows() -> None:
    assert image_grid([], ["image"]).height == GAP + TEXT_LINE
