"""A sheet of comparisons: the layout."""

import numpy as np
from PIL import Image

from frozenseg.evaluation.comparison import compare_images
from frozenseg.evaluation.comparison_sheet import comparison_sheet
from frozenseg.evaluation.gallery import GalleryImage, Layer
from frozenseg.structures.label_runs import Runs
from frozenseg.visualization.image_grid import COLUMN_WIDTH, GAP, LEGEND_WIDTH, TEXT_LINE
from frozenseg.visualization.overlay import OPACITY

COLOURS, NAMES = [(200, 0, 0), (0, 200, 0)], ["red thing", "green thing"]
GREY = 100
MIXED = [tuple((1 - OPACITY) * GREY + OPACITY * value for value in colour) for colour in COLOURS]


def sheet(count=1):
    left, right = np.zeros((8, 16), dtype=int), np.zeros((8, 16), dtype=int)
    left[:, :8], right[:, 8:] = 1, 1
    layers = Layer(Runs.of(left), {1: 0}), Layer(Runs.of(right), {1: 1})
    shown = GalleryImage("seven", "7.jpg", 0.5, "segments", *layers)
    comparison = compare_images(shown, lambda *_: Image.new("RGB", (16, 8), (GREY,) * 3), COLUMN_WIDTH)
    return comparison_sheet([comparison] * count, NAMES, COLOURS)


def at(image, column, x, y):
    """Return the colour at a position of the first row's drawing, as shares of its size."""
    left, top = GAP + column * (COLUMN_WIDTH + GAP), GAP + 2 * TEXT_LINE
    return image.getpixel((left + round(x * COLUMN_WIDTH), top + round(y * COLUMN_WIDTH / 2)))


def near(colour, expected):
    return max(abs(one - other) for one, other in zip(colour, expected, strict=True)) <= 4


def test_image_annotation_prediction_and_names():
    image = sheet()
    assert image.size == (5 * GAP + 3 * COLUMN_WIDTH + LEGEND_WIDTH, 2 * GAP + 2 * TEXT_LINE + COLUMN_WIDTH // 2)
    assert near(at(image, 0, 0.25, 0.5), (GREY,) * 3)
    assert near(at(image, 1, 0.25, 0.5), MIXED[0])  # annotated on the left
    assert near(at(image, 1, 0.75, 0.5), (GREY,) * 3)
    assert near(at(image, 2, 0.25, 0.5), (GREY,) * 3)
    assert near(at(image, 2, 0.75, 0.5), MIXED[1])  # predicted on the right
    legend = image.crop((4 * GAP + 3 * COLUMN_WIDTH, GAP + TEXT_LINE, *image.size))
    colours = [colour for _, colour in legend.getcolors(1 << 16)]
    assert (255, 255, 255) in colours
    assert all(any(near(colour, swatch) for colour in colours) for swatch in MIXED)


def test_a_row_for_each_image():
    assert sheet(3).height - sheet(2).height == GAP + TEXT_LINE + COLUMN_WIDTH // 2
    assert sheet(0).height == GAP + TEXT_LINE
