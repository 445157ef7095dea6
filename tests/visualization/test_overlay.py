"""Label maps over an image of a few pixels."""

import numpy as np
from PIL import Image

from frozenseg.visualization.overlay import (
    LINE_OPACITY,
    OPACITY,
    borders,
    legend_colours,
    nearest_pixels,
    overlay_labels,
)

GREY, RED, BLUE = (100, 100, 100), (200, 0, 0), (0, 0, 200)


def image(height: int, width: int) -> Image.Image:
    return Image.new("RGB", (width, height), GREY)


def over_grey(colour: tuple[int, int, int]) -> list[int]:
    return [round(value) for value in np.array(GREY) + OPACITY * (np.array(colour) - np.array(GREY))]


def test_labels_are_blended_with_the_image_and_the_rest_shows_it() -> None:
    drawn = np.asarray(overlay_labels(image(1, 3), np.array([[1, 0, -1]]), [RED, BLUE], line_width=0))
    assert drawn.tolist() == [[over_grey(BLUE), over_grey(RED), list(GREY)]]


def test_pixels_without_a_label_can_have_a_colour() -> None:
    drawn = np.asarray(overlay_labels(image(1, 2), np.array([[0, -1]]), [RED], line_width=0, unlabelled=(0, 0, 0)))
    assert drawn.tolist() == [[over_grey(RED), [0, 0, 0]]]


def test_white_lines_part_labels() -> None:
    drawn = np.asarray(overlay_labels(image(1, 4), np.array([[0, 0, 1, 1]]), [RED, BLUE]))
    line = [value + LINE_OPACITY * (255 - value) for value in over_grey(RED)]
    assert np.abs(drawn[0, 1] - np.array(line)).max() <= 1  # the last pixel before the other label
    assert drawn[0, [0, 2, 3]].tolist() == [over_grey(RED), over_grey(BLUE), over_grey(BLUE)]


def test_no_colours_leave_the_image() -> None:
    assert overlay_labels(image(2, 2), np.full((2, 2), -1), []).tobytes() == image(2, 2).tobytes()


def test_borders_are_to_the_left_and_above() -> None:
    labels = np.array([[0, 0, 1], [0, 0, 1], [2, 2, 1]])
    assert borders(labels).tolist() == [[False, True, False], [True, True, False], [False, True, False]]


def test_nearest_pixels_shrink_and_enlarge() -> None:
    labels = np.array([[1, 2, 3, 4], [5, 6, 7, 8]])
    assert nearest_pixels(labels, (1, 2)).tolist() == [[6, 8]]
    assert nearest_pixels(labels[:1, :2], (2, 4)).tolist() == [[1, 1, 2, 2]] * 2


def test_a_label_has_the_mean_of_its_pixels_in_the_legend() -> None:
    pixels = np.zeros((2, 2, 3), dtype=np.uint8)
    pixels[0] = 200
    labels, others = np.array([[0, 0], [-1, -1]]), np.array([[1, -1], [1, -1]])

    def over(grey: int, colour: tuple[int, int, int]) -> tuple[int, ...]:
        return tuple(round(grey + OPACITY * (value - grey)) for value in colour)

    red, blue, absent = legend_colours(Image.fromarray(pixels), [labels, others], [RED, BLUE, RED])
    assert red == over(200, RED)
    assert blue == over(100, BLUE)
    assert absent == over(100, RED)  # over the whole image
    assert legend_colours(image(2, 2), [np.full((2, 2), -1)], []) == []
