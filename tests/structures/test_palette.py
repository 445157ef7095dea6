"""Colours of classes."""

from frozenseg.structures.palette import class_colour


def test_colours_differ_and_stay() -> None:
    colours = [class_colour(index) for index in range(60)]
    assert len(set(colours)) == 60
    assert class_colour(3) == colours[3]


def test_hundreds_differ_and_then_they_repeat() -> None:
    assert len({class_colour(index) for index in range(200)}) == 200
    [period] = [count for count in range(1, 2000) if class_colour(count) == class_colour(0)][:1]
    assert class_colour(period + 5) == class_colour(5)
