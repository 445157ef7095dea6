"""Layout of names and swatches."""

import numpy as np
import pytest
from PIL import Image

from frozenseg.visualization.legend import (
    MAX_COLUMNS,
    Legend,
    LegendEntry,
    first_entries,
    fit_entries,
    fitting_size,
    rows_within,
)
from frozenseg.visualization.text import text_width

RED, BLUE = (255, 0, 0), (0, 0, 255)


def positions(image: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    """Return the (row, column) of every pixel of a colour."""
    return np.argwhere((np.asarray(image) == colour).all(axis=-1))


def drawn(legend: Legend) -> Image.Image:
    image = Image.new("RGB", (legend.width, legend.height), "white")
    legend.draw(image, 0, 0)
    return image


def test_a_swatch_and_a_name_each_from_top_to_bottom() -> None:
    image = drawn(Legend([LegendEntry("cat", (RED,)), LegendEntry("dog", (BLUE,))], size=20, height=200))
    red, blue = positions(image, RED), positions(image, BLUE)
    assert red[:, 0].max() < image.height / 2 < blue[:, 0].min()
    assert np.ptp(red[:, 1]) + 1 == pytest.approx(30, abs=1)
    assert np.asarray(image)[:, red[:, 1].max() + 5 :].min() < 100  # the names


def test_a_swatch_may_have_several_colours_and_none() -> None:
    image = drawn(Legend([LegendEntry("cats", (RED, BLUE)), LegendEntry("and 3 more")], size=20, height=200))
    red, blue = positions(image, RED), positions(image, BLUE)
    assert red[:, 1].max() < blue[:, 1].min()
    assert len(red) == len(blue) == 15 * 20
    assert max(red[:, 0].max(), blue[:, 0].max()) < image.height / 2


def test_many_names_are_in_columns_and_then_make_the_legend_taller() -> None:
    few, several, many = (Legend([LegendEntry("name", (RED,))] * count, size=20, height=200) for count in (5, 9, 40))
    assert few.width < several.width < many.width < (MAX_COLUMNS + 0.2) * few.width
    assert few.height <= 200
    assert several.height <= 200 < many.height


def test_long_names_make_it_wider() -> None:
    short, long = (Legend([LegendEntry(name)], size=20, height=200).width for name in ("cat", "cat on a mat"))
    assert long > short + 80


def test_entries_fit_into_a_box() -> None:
    entries = [LegendEntry(f"a name of many letters, number {index}", (RED,)) for index in range(9)]
    fitted = fit_entries(entries, size=10, width=150, height=10 * (2 + 1.6 * 4))
    assert [entry.colours for entry in fitted] == [(RED,)] * 3 + [()]
    assert fitted[-1].name == "and 6 more"
    assert all(entry.name.endswith("…") and text_width(entry.name, 10) < 150 for entry in fitted[:-1])
    assert Legend(fitted, 10, 84).width <= 151
    assert fit_entries(entries[:2], size=10, width=900, height=80) == entries[:2]


def test_letters_become_smaller_before_entries_have_no_room() -> None:
    assert fitting_size(3, size=40, smallest=14, height=400) == 40
    assert fitting_size(60, size=40, smallest=14, height=1000) == 29  # 20 rows of 1.6, and margins of 2
    assert fitting_size(1203, size=40, smallest=14, height=1000) == 14
    assert fitting_size(1203, size=10, smallest=14, height=1000) == 10
    assert rows_within(1000, 29) == 20
    assert rows_within(0, 29) == 1
    assert [entry.name for entry in first_entries([LegendEntry("a"), LegendEntry("b"), LegendEntry("c")], 2)] == [
        "a",
        "and 2 more",
    ]
