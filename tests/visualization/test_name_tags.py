"""Name tags: inside of regions with room, otherwise beside them, and over each other as little as possible."""

import numpy as np
import pytest
from PIL import Image

from frozenseg.visualization import name_tags
from frozenseg.visualization.name_tags import Circle, NameTag, draw_name_tags
from frozenseg.visualization.text import text_width

SIZE = 14


def inked(tags: list[NameTag], width: int = 300, height: int = 200) -> np.ndarray:
    drawing = Image.new("RGB", (width, height), (128, 128, 128))
    draw_name_tags(drawing, tags, SIZE)
    return np.asarray(np.abs(np.asarray(drawing).astype(int) - 128).max(axis=2) > 40)


def box_of(ink: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def test_a_name_with_room_is_in_the_middle_of_its_region() -> None:
    left, top, right, bottom = box_of(inked([NameTag(("cat 0.91", "cat"), Circle(150, 100, 60))]))
    assert (left + right) / 2 == pytest.approx(150, abs=2)
    assert (top + bottom) / 2 == pytest.approx(100, abs=4)
    assert right - left == pytest.approx(text_width("cat 0.91", SIZE), abs=4)


def test_a_shorter_form_is_used_before_a_place_outside() -> None:
    left, _, right, _ = box_of(inked([NameTag(("cat 0.91", "cat"), Circle(150, 100, 20))]))
    assert right - left == pytest.approx(text_width("cat", SIZE), abs=4)


@pytest.mark.parametrize("centre", [(150, 100), (0, 0), (299, 199), (150, 1)])
def test_a_tiny_region_has_its_whole_name_beside_it(centre: tuple[int, int]) -> None:
    ink = inked([NameTag(("traffic light",), Circle(*centre, 1))])
    left, top, right, bottom = box_of(ink)
    assert right - left >= text_width("traffic light", SIZE) - 4
    assert not ink[max(0, centre[1] - 1) : centre[1] + 2, max(0, centre[0] - 1) : centre[0] + 2].all()
    assert max(left - centre[0], centre[0] - right, top - centre[1], centre[1] - bottom) < 30


def test_tags_of_neighbours_do_not_cover_each_other() -> None:
    circles = [Circle(150 + dx, 100 + dy, 1) for dx in (-6, 0, 6) for dy in (-6, 0, 6)]
    apart = sum(inked([NameTag(("cat",), Circle(30 + 30 * n, 100, 1))]).sum() for n in range(9))
    assert inked([NameTag(("cat",), circle) for circle in circles]).sum() > 0.95 * apart


def test_regions_without_pixels_have_no_name_and_long_names_are_cut() -> None:
    assert not inked([NameTag(("cat",), Circle(0, 0, 0))]).any()
    left, _, right, _ = box_of(inked([NameTag(("a very long name " * 9,), Circle(150, 100, 2))]))
    assert right - left < name_tags.MAX_SHARE * 300 + 6


def test_a_drawing_has_a_limit_of_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_tags, "MAX_BESIDE", 1)
    tags = [NameTag(("cat",), Circle(40, 100, 1)), NameTag(("dog",), Circle(250, 100, 2))]
    left, _, _, _ = box_of(inked(tags))
    assert left > 150
