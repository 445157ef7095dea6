"""Colours of classes."""

import colorsys

import pytest

from frozenseg.structures.palette import COLOUR_WORDS, SHADES, shade, vocabulary_colours
from frozenseg.toyworld.categories import all_categories


def palette(count: int) -> list[tuple[int, int, int]]:
    """Return the colours of ``count`` classes without a colour word in their names."""
    return vocabulary_colours([f"class {index}" for index in range(count)])


def test_colours_differ_and_do_not_depend_on_the_number_of_classes() -> None:
    colours = palette(60)
    assert len(set(colours)) == 60
    assert palette(4) == colours[:4]


def test_hundreds_differ_and_then_they_repeat() -> None:
    colours = palette(2000)
    assert len(set(colours[:200])) == 200
    period = colours.index(colours[0], 1)
    assert colours[period + 5] == colours[5]


def hue(colour: tuple[int, int, int]) -> float:
    """Return the hue of a colour, degrees."""
    return 360 * colorsys.rgb_to_hsv(*(value / 255 for value in colour))[0]


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("red heart", -20, 20), ("Orange", 15, 45), ("striped yellow star", 45, 70), ("green cross", 85, 165),
     ("blue crescent", 195, 240), ("purple circle", 255, 300), ("teal", 170, 200), ("pink pig", -40, 10)],
)  # fmt: skip
def test_a_colour_word_gives_the_colour(name: str, low: float, high: float) -> None:
    for colour in vocabulary_colours([f"{name} {index}" for index in range(12)]):
        assert low <= (hue(colour) - low) % 360 + low <= high, (name, colour)


def test_greys_have_no_hue_and_their_lightness() -> None:
    black, grey, white = vocabulary_colours(["black cat", "grey cat", "white cat"])
    assert all(max(colour) == min(colour) for colour in (black, grey, white))
    assert black[0] < 80 < grey[0] < 200 < white[0]


def test_colours_of_a_vocabulary_are_distinct() -> None:
    names = [category.name for category in all_categories()]
    colours = vocabulary_colours(names)
    assert len(set(colours)) == len(names)
    assert colours == vocabulary_colours(names)


def test_without_colour_words_classes_have_the_colours_of_their_indices() -> None:
    assert vocabulary_colours(["cat", "blackboard", "sky"]) == palette(3)
    assert vocabulary_colours([]) == []


def test_classes_without_a_colour_word_keep_away_from_those_with_one() -> None:
    [red, *others] = vocabulary_colours(["red thing", *(f"class {index}" for index in range(30))])
    assert palette(4)[3] not in others  # a red
    assert others[:3] == palette(3)
    assert all(max(abs(one - other) for one, other in zip(red, colour, strict=True)) > 20 for colour in others)


def test_more_classes_than_shades_repeat() -> None:
    assert len(set(vocabulary_colours(["red"] * 100))) > 40
    assert len(vocabulary_colours([f"{word} {index}" for word in COLOUR_WORDS for index in range(20)])) == 400


def test_shades_of_a_colour() -> None:
    colour = (100, 0, 200)
    shades = [shade(colour, index) for index in range(4 * len(SHADES))]
    assert shades[0] == shade(colour, 5 * len(SHADES)) == colour
    assert len(set(shades)) == len(shades)
    assert shades[1] == (146, 76, 216)  # 0.3 of the way to white
    assert shades[2] == (75, 0, 150)  # 0.25 of the way to black
