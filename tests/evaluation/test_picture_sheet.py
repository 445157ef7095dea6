"""A sheet of drawings: what stands where."""

import numpy as np
from PIL import Image

from frozenseg.evaluation.gallery import GalleryImage, Layer
from frozenseg.evaluation.picture_sheet import CELL, GAP, LEGEND, LINE, OPACITY, picture_sheet
from frozenseg.evaluation.render import draw
from frozenseg.structures.label_runs import Runs

COLOURS, NAMES = [(200, 0, 0), (0, 200, 0)], ["red thing", "green thing"]
GREY = 100


def sheet(count=1):
    left, right = np.zeros((8, 16), dtype=int), np.zeros((8, 16), dtype=int)
    left[:, :8], right[:, 8:] = 1, 1
    layers = Layer(Runs.of(left), {1: 0}), Layer(Runs.of(right), {1: 1})
    shown = GalleryImage("seven", "7.jpg", 0.5, "segments", *layers)
    drawn = draw(shown, COLOURS, lambda _: Image.new("RGB", (16, 8), (GREY,) * 3))
    return picture_sheet([drawn] * count, NAMES, COLOURS)


def at(image, column, x, y):
    """Return the colour at a place of the first row's drawing, given as shares of its size."""
    place = (GAP + column * (CELL + GAP) + round(x * CELL), LINE + GAP + LINE + round(y * CELL / 2))
    return image.getpixel(place)


def near(colour, wanted):
    return max(abs(one - other) for one, other in zip(colour, wanted, strict=True)) <= 4


def test_image_annotation_prediction_and_names():
    image = sheet()
    assert image.size == (4 * GAP + 3 * CELL + LEGEND, LINE + GAP + LINE + CELL // 2 + GAP)
    share = OPACITY / 255
    mixed = [tuple((1 - share) * GREY + share * value for value in colour) for colour in COLOURS]
    assert near(at(image, 0, 0.25, 0.5), (GREY,) * 3)
    assert near(at(image, 1, 0.25, 0.5), mixed[0])  # annotated on the left
    assert near(at(image, 1, 0.75, 0.5), (GREY,) * 3)
    assert near(at(image, 2, 0.25, 0.5), (GREY,) * 3)
    assert near(at(image, 2, 0.75, 0.5), mixed[1])  # predicted on the right
    colours = {colour for _, colour in image.crop((4 * GAP + 3 * CELL, 0, *image.size)).getcolors(1 << 16)}
    assert {*COLOURS, (255, 255, 255)} <= colours


def test_a_row_for_each_image():
    assert sheet(3).height - sheet(2).height == LINE + CELL // 2 + GAP
    assert sheet(0).height == LINE + GAP
