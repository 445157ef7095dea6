"""Colours of classes."""

import colorsys

import pytest

from frozenseg.structures.palette import COLOUR_WORDS, SHADES, class_colour, shade, vocabulary_colours
from frozenseg.toyworld.categories import all_categories


def test_colours_differ_and_stay() -> None:
    colours = [class_colour(index) for index in range(60)]
    assert len(set(colours)) == 60
    assert class_colour(3) == colours[3]


def test_hundreds_differ_and_then_they_repeat() -> None:
    assert len({class_colour(index) for index in range(200)}) == 200
    [period] = [count for count in range(1, 2000) if class_colour(count) == class_colour(0)][:1]
    assert class_colour(period + 5) == class_colour(5)


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
    assert vocabulary_colours(["cat", "blackboard", "sky"]) == [class_colour(index) for index in range(3)]
    assert vocabulary_colours([]) == []


def test_classes_without_a_colour_word_keep_away_from_those_with_one() -> None:
    [red, *others] = vocabulary_colours(["red thing", *(f"class {index}" for index in range(30))])
    assert class_colour(3) not in others  # a red
    assert others[:3] == [class_colour(index) for index in range(3)]
    assert all(max(abs(one - other) for one, other in zip(red, colour, strict=True)) > 20 for colour in others)


def test_more_classes_than_shades_repeat() -> None:
    assert len(set(vocabulary_colours(["red"] * 100))) > 40
    assert len(vocabulary_colours([f"{word} {index}" for word in COLOUR_WORDS for index in range(20)])) == 400


def test_shades_of_a_colour() -> None:
    colour = (100, 0, 200)
    shades = [shade(colour, index) for index in range(len(SHADES))]
    assert shades[0] == shade(colour, len(SHADES)) == colour
    assert len(set(shades)) == len(SHADES)
    assert shades[1] == (146, 76, 216)  # 0.3 of the way to white
    assert shades[2] == (75, 0, 150)  # 0.25 of the way to black
