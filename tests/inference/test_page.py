"""Pixels and letters on a page."""

import sys

import numpy as np
import pytest
from PIL import Image

from frozenseg.errors import ConfigError
from frozenseg.inference.page import Page, check_matplotlib


def test_without_matplotlib_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"needs matplotlib: pip install .frozenseg\[demo\]"):
        check_matplotlib()


@pytest.mark.parametrize("width", [37, 100, 383, 1001])
def test_pictures_lie_on_their_pixels(width: int) -> None:
    pytest.importorskip("matplotlib", reason="drawing needs the demo extra")
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    page = Page(width, 53)
    page.add_picture(Image.fromarray(pixels), 5, 7)
    sheet = np.asarray(page.render())
    assert sheet.shape == (53, width, 3)
    np.testing.assert_array_equal(sheet[7:27, 5:35], pixels)
    assert (sheet[:7] == 255).all()
    assert (sheet[27:] == 255).all()


def test_names_are_never_formulas() -> None:
    pytest.importorskip("matplotlib", reason="drawing needs the demo extra")
    page = Page(200, 40)
    page.add_text("$\\frac$ _bill", 0, 20, 16)
    assert np.asarray(page.render()).min() < 100
    assert page.text_width("$x$", 16) > page.text_width("x", 16)
