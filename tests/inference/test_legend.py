"""Layout of the names."""

import numpy as np
import pytest

from frozenseg.inference.legend import MOST_COLUMNS, Legend
from frozenseg.inference.page import Page

pytest.importorskip("matplotlib", reason="drawing needs the demo extra")
RED, BLUE = (255, 0, 0), (0, 0, 255)


def where(page: Page, colour: tuple[int, int, int]) -> np.ndarray:
    """Return the (row, column) of every pixel of a colour."""
    return np.argwhere((np.asarray(page.render()) == colour).all(axis=-1))


def test_a_patch_a_name_each_from_top_to_bottom() -> None:
    legend = Legend([("cat", RED), ("dog", BLUE)], size=20, room=200)
    page = Page(legend.width, 200)
    legend.put(page, 0, 100)
    red, blue = where(page, RED), where(page, BLUE)
    assert red[:, 0].max() < 100 < blue[:, 0].min()
    assert np.ptp(red[:, 1]) + 1 == pytest.approx(30, abs=1)
    assert np.asarray(page.render())[:, red[:, 1].max() + 5 :].min() < 100  # the names


def test_many_names_stand_in_columns_then_make_the_page_taller() -> None:
    few, more, most = (Legend([("name", RED)] * count, size=20, room=200) for count in (5, 9, 40))
    assert few.width < more.width < most.width < (MOST_COLUMNS + 0.2) * few.width
    assert few.height <= 200
    assert more.height <= 200 < most.height


def test_long_names_make_it_wider() -> None:
    short, long = (Legend([(name, RED)], size=20, room=200).width for name in ("cat", "cat on a mat"))
    assert long > short + 80
