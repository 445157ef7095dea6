"""Drawings of a few pixels: every kind of error in its colour."""

import io

import numpy as np
from PIL import Image

from frozenseg.evaluation.gallery import GalleryImage, Layer
from frozenseg.evaluation.render import ERRORS, MISSED, RIGHT, WRONG_CLASS, WRONG_SHAPE, draw
from frozenseg.structures.label_runs import Runs

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)
CLEAR, WHITE = (0, 0, 0, 0), (255, 255, 255, 255)


def drawn(true, truth, said, predicted, kind="segments", width=480):
    layers = Layer(Runs.of(np.array(true)), truth), Layer(Runs.of(np.array(said)), predicted)
    picture = Image.new("RGB", (len(true[0]), len(true)), (90, 90, 90))
    return draw(GalleryImage("a", "a.jpg", 0.5, kind, *layers), [RED, GREEN, BLUE], lambda _: picture, width)


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        return [[tuple(pixel) for pixel in row] for row in np.asarray(image.convert("RGBA")).tolist()]


def kinds(content):
    names = {(*colour, 255): kind for kind, (_, colour) in ERRORS.items()} | {CLEAR: None}
    return [[names[pixel] for pixel in row] for row in pixels(content)]


def test_every_kind_of_error():
    # void | class 0: found | class 1, called 2 | class 2: nothing predicted | class 0: too small a part of it found
    true = [[0, 1, 1, 1, 2, 3, 4, 4, 4, 4]]
    said = [[5, 5, 5, 0, 6, 0, 0, 0, 7, 0]]
    result = drawn(true, {1: 0, 2: 1, 3: 2, 4: 0}, said, {5: 0, 6: 2, 7: 0})
    assert kinds(result.errors) == [
        [None, RIGHT, RIGHT, MISSED, WRONG_CLASS, MISSED, MISSED, MISSED, WRONG_SHAPE, MISSED]
    ]
    assert result.legend == [0, 2, 1]  # 11 pixels, 2 of which one is predicted, 1


def test_labels_have_no_shape():
    result = drawn([[1, 1, 1, 1]], {1: 0}, [[0, 2, 2, 2]], {0: 0, 2: 2}, kind="labels")
    assert kinds(result.errors) == [[RIGHT, WRONG_CLASS, WRONG_CLASS, WRONG_CLASS]]


def test_classes_have_their_colours_and_segments_white_edges():
    result = drawn([[0, 1, 1, 2, 2]], {1: 0, 2: 1}, [[9] * 5], {9: 2})
    assert pixels(result.truth) == [[CLEAR, WHITE, (*RED, 255), WHITE, (*GREEN, 255)]]
    assert pixels(result.predicted) == [[(*BLUE, 255)] * 5]


def test_wide_pictures_are_made_smaller_and_small_ones_stay():
    wide = drawn([[1] * 40] * 20, {1: 0}, [[1] * 40] * 20, {1: 0}, width=10)
    small = drawn([[1] * 4] * 2, {1: 0}, [[1] * 4] * 2, {1: 0}, width=10)
    for result, size in ((wide, (10, 5)), (small, (4, 2))):
        for content in (result.image, result.truth, result.predicted, result.errors):
            with Image.open(io.BytesIO(content)) as image:
                assert image.size == size


def test_an_image_of_which_nothing_is_known():
    result = drawn([[0, 0]], {}, [[0, 0]], {})
    assert kinds(result.errors) == [[None, None]]
    assert result.legend == []


def test_more_classes_than_a_palette_holds():
    ids = np.arange(300)[None].repeat(2, axis=0)
    layer = Layer(Runs.of(ids), {place: place for place in range(300)})
    picture = Image.new("RGB", (300, 2))
    colours = [(place % 256, place // 256, 50) for place in range(300)]
    wide = draw(GalleryImage("a", "a.jpg", 0.5, "labels", layer, layer), colours, lambda _: picture)
    assert len(wide.legend) == 300
    edges = pixels(wide.truth)[1]
    assert edges[0] == (0, 0, 50, 255)
    assert edges[1:] == [WHITE] * 299
