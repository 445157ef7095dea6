"""Comparisons of a few pixels, and their files: every kind of error in its colour."""

import io

import numpy as np
import pytest
from PIL import Image

from frozenseg.evaluation.comparison import CORRECT, ERRORS, MISSED, UNSCORED, WRONG_CLASS, WRONG_SHAPE, compare_images
from frozenseg.evaluation.gallery import GalleryImage, Layer
from frozenseg.evaluation.render import render_comparison
from frozenseg.structures.label_runs import Runs

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)
CLEAR, WHITE = (0, 0, 0, 0), (255, 255, 255, 255)


def compared(truth, truth_classes, predicted, predicted_classes, kind="segments", width=480):
    layers = Layer(Runs.of(np.array(truth)), truth_classes), Layer(Runs.of(np.array(predicted)), predicted_classes)
    image = Image.new("RGB", (len(truth[0]), len(truth)), (90, 90, 90))
    return compare_images(GalleryImage("a", "a.jpg", 0.5, kind, *layers), lambda *_: image, width)


def rendered(*arguments, **keywords):
    return render_comparison(compared(*arguments, **keywords), [RED, GREEN, BLUE])


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        return [[tuple(pixel) for pixel in row] for row in np.asarray(image.convert("RGBA")).tolist()]


def kinds(content):
    names = {(*colour, 255): kind for kind, (_, colour) in ERRORS.items()} | {CLEAR: None}
    return [[names[pixel] for pixel in row] for row in pixels(content)]


def test_every_kind_of_error():
    # void | class 0: found | class 1, called 2 | class 2: nothing predicted | class 0: too small a part of it found
    truth = [[0, 1, 1, 1, 2, 3, 4, 4, 4, 4]]
    predicted = [[5, 5, 5, 0, 6, 0, 0, 0, 7, 0]]
    comparison = compared(truth, {1: 0, 2: 1, 3: 2, 4: 0}, predicted, {5: 0, 6: 2, 7: 0})
    result = render_comparison(comparison, [RED, GREEN, BLUE])
    expected = [CORRECT, CORRECT, MISSED, WRONG_CLASS, MISSED, MISSED, MISSED, WRONG_SHAPE, MISSED]
    assert comparison.errors.tolist() == [[UNSCORED, *expected]]
    assert kinds(result.errors) == [[None, *expected]]
    assert result.classes == comparison.classes == [0, 2, 1]  # 11 pixels, 2 of which one is predicted, 1


def test_class_maps_say_which_class_each_pixel_has():
    comparison = compared([[0, 1, 2]], {1: 0, 2: 2}, [[9, 9, 8]], {9: 1})
    assert comparison.ground_truth.class_map().tolist() == [[-1, 0, 2]]
    assert comparison.prediction.class_map().tolist() == [[1, 1, -1]]


def test_labels_have_no_shape():
    result = rendered([[1, 1, 1, 1]], {1: 0}, [[0, 2, 2, 2]], {0: 0, 2: 2}, kind="labels")
    assert kinds(result.errors) == [[CORRECT, WRONG_CLASS, WRONG_CLASS, WRONG_CLASS]]


def test_classes_have_their_colours_and_segments_white_edges():
    result = rendered([[0, 0, 1, 1, 2, 2]], {1: 0, 2: 1}, [[9] * 6], {9: 2})
    assert pixels(result.ground_truth) == [[CLEAR, WHITE, (*RED, 255), WHITE, (*GREEN, 255), (*GREEN, 255)]]
    assert pixels(result.prediction) == [[(*BLUE, 255)] * 6]


def test_wide_images_are_made_smaller_and_small_ones_stay():
    wide = rendered([[1] * 40] * 20, {1: 0}, [[1] * 40] * 20, {1: 0}, width=10)
    small = rendered([[1] * 4] * 2, {1: 0}, [[1] * 4] * 2, {1: 0}, width=10)
    for result, size in ((wide, (10, 5)), (small, (4, 2))):
        for content in (result.image, result.ground_truth, result.prediction, result.errors):
            with Image.open(io.BytesIO(content)) as image:
                assert image.size == size


def test_an_image_without_annotation_and_prediction():
    result = rendered([[0, 0]], {}, [[0, 0]], {})
    assert kinds(result.errors) == [[None, None]]
    assert result.classes == []


@pytest.mark.parametrize(("count", "mode"), [(150, "P"), (300, "RGBA")])
def test_as_many_classes_as_a_palette_holds_and_more(count, mode):
    ids = np.arange(count).repeat(2)[None]  # (1, 2 · count), each class two pixels wide
    layer = Layer(Runs.of(ids), {index: index for index in range(count)})
    image = Image.new("RGB", (2 * count, 1))
    colours = [(index % 256, index // 256, 50) for index in range(count)]
    comparison = compare_images(GalleryImage("a", "a.jpg", 0.5, "labels", layer, layer), lambda *_: image, 2 * count)
    result = render_comparison(comparison, colours)
    assert len(result.classes) == count
    with Image.open(io.BytesIO(result.ground_truth)) as drawing:
        assert drawing.mode == mode
    [row] = pixels(result.ground_truth)
    assert row[::2] == [(*colour, 255) for colour in colours]
    assert row[1:-1:2] == [WHITE] * (count - 1)
