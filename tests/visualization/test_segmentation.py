"""Drawings of masks: what is tinted, what is named, what is left alone."""

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.structures.instances import Instances
from frozenseg.structures.palette import Colour, shade, vocabulary_colours
from frozenseg.visualization.overlay import OPACITY, borders
from frozenseg.visualization.segmentation import DrawingStyle, draw_instances, draw_panoptic, draw_semantic
from frozenseg.vocabulary import Vocabulary

VOCABULARY = Vocabulary.parse("cat; grass", stuff=["grass"])
COLOURS = vocabulary_colours(VOCABULARY.names)
SIDE = 320  # not enlarged


@pytest.fixture
def black() -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE))


def pixel(drawing: Image.Image, x: int, y: int) -> np.ndarray:
    return np.asarray(drawing)[y, x].astype(float)


def over_black(colour: Colour) -> np.ndarray:
    return OPACITY * np.array(colour)


def is_tinted_by(pixel: np.ndarray, colour: Colour) -> bool:
    return bool(np.abs(pixel - over_black(colour)).max() <= 2)


def test_panoptic_tints_segments_and_leaves_the_rest(black: Image.Image) -> None:
    ids = torch.zeros(SIDE, SIDE, dtype=torch.int32)
    ids[:, :100], ids[:, 100:200] = 1, 2
    segments = [{"id": 1, "category_id": 0, "isthing": True}, {"id": 2, "category_id": 1, "isthing": False}]
    drawing = draw_panoptic(black, (ids, segments), VOCABULARY)
    assert is_tinted_by(pixel(drawing, 50, 100), COLOURS[0])
    assert is_tinted_by(pixel(drawing, 150, 100), COLOURS[1])
    assert not pixel(drawing, 300, 100).any()
    assert pixel(drawing, 99, 100).min() > 200  # a light line between the two
    assert drawing.width > SIDE


def test_segments_of_one_class_have_shades_of_its_colour(black: Image.Image) -> None:
    ids = torch.ones(SIDE, SIDE, dtype=torch.int32)
    ids[:, 160:] = 2
    drawing = draw_panoptic(black, (ids, [{"id": 1, "category_id": 0}, {"id": 2, "category_id": 0}]), VOCABULARY)
    assert is_tinted_by(pixel(drawing, 50, 100), COLOURS[0])
    assert is_tinted_by(pixel(drawing, 250, 100), shade(COLOURS[0], 1))
    legend = np.asarray(drawing)[:, SIDE:].reshape(-1, 3).tolist()
    for index in (0, 1):  # both are in the swatch
        assert np.rint(over_black(shade(COLOURS[0], index))).astype(int).tolist() in legend


def test_a_data_set_may_give_the_colours(black: Image.Image) -> None:
    ids = torch.ones(SIDE, SIDE, dtype=torch.int32)
    drawing = draw_panoptic(black, (ids, [{"id": 1, "category_id": 1}]), VOCABULARY, [(10, 20, 30), (200, 100, 0)])
    assert is_tinted_by(pixel(drawing, 20, 20), (200, 100, 0))


def test_only_confident_instances_are_drawn_and_the_best_is_on_top(black: Image.Image) -> None:
    masks = torch.zeros(3, SIDE, SIDE, dtype=torch.bool)
    masks[:2, :, :100] = True
    masks[2, :, 200:] = True
    instances = Instances(
        (SIDE, SIDE), pred_masks=masks, scores=torch.tensor([0.9, 0.5, 0.1]), pred_classes=torch.tensor([1, 0, 0])
    )
    drawing = draw_instances(black, instances, VOCABULARY)
    assert is_tinted_by(pixel(drawing, 50, 100), COLOURS[1])
    assert not pixel(drawing, 300, 100).any()


def test_semantic_takes_scores_or_labels(black: Image.Image) -> None:
    scores = torch.zeros(2, SIDE, SIDE)
    scores[1, :, 160:] = 1
    from_scores = draw_semantic(black, scores, VOCABULARY)
    assert from_scores.tobytes() == draw_semantic(black, scores.argmax(dim=0), VOCABULARY).tobytes()
    assert is_tinted_by(pixel(from_scores, 300, 100), COLOURS[1])


def test_segments_with_room_have_their_name_on_them(black: Image.Image) -> None:
    ids = torch.zeros(SIDE, SIDE, dtype=torch.int32)
    ids[:, :200], ids[:10, 250:] = 1, 2
    segments = [{"id": 1, "category_id": 0}, {"id": 2, "category_id": 0}]
    drawing = np.asarray(draw_panoptic(black, (ids, segments), VOCABULARY)).astype(int)
    inked = np.abs(drawing - over_black(COLOURS[0])).max(axis=-1) > 20
    assert inked[140:180, 80:120].any()  # the name, in the middle of the large segment
    assert not inked[20:120, 5:195].any()
    inked = np.abs(drawing - over_black(shade(COLOURS[0], 1))).max(axis=-1) > 20
    assert not inked[1:8, 255:315].any()  # the small one has none


def test_an_image_without_segments_has_a_legend_that_says_so(black: Image.Image) -> None:
    drawing = np.asarray(draw_panoptic(black, (torch.zeros(SIDE, SIDE, dtype=torch.int32), []), VOCABULARY))
    assert not drawing[:, :SIDE].any()
    assert drawing[:, SIDE:].min() < 100  # text in the legend


def test_every_class_is_in_the_legend_in_the_colour_that_it_has_in_the_drawing(black: Image.Image) -> None:
    count = 60
    vocabulary = Vocabulary.parse(";".join(f"class {index}" for index in range(count)))
    labels = (torch.arange(SIDE) * count // SIDE).expand(SIDE, SIDE)
    drawing = np.asarray(draw_semantic(black, labels, vocabulary))
    in_legend, in_image = (
        {tuple(colour) for colour in np.unique(part.reshape(-1, 3), axis=0).tolist()}
        for part in (drawing[:, SIDE:], drawing[:, :SIDE])
    )
    swatches = {tuple(np.rint(over_black(colour)).astype(int)) for colour in vocabulary_colours(vocabulary.names)}
    assert len(swatches) == count
    assert swatches <= in_legend
    assert swatches <= in_image


def test_swatches_are_the_colours_over_the_image() -> None:
    grey = Image.new("RGB", (SIDE, SIDE), (200, 200, 200))
    drawing = np.asarray(draw_semantic(grey, torch.zeros(SIDE, SIDE, dtype=torch.int64), VOCABULARY))
    tint = drawing[20, 20].tolist()
    assert tint != list(COLOURS[0])
    assert tint in drawing[:, SIDE:].reshape(-1, 3).tolist()


def test_colours_do_not_contradict_the_names(black: Image.Image) -> None:
    drawing = draw_semantic(black, torch.zeros(SIDE, SIDE, dtype=torch.int64), Vocabulary.parse("red heart"))
    red, green, blue = pixel(drawing, 20, 20)
    assert red > 2 * max(green, blue)


def test_large_images_have_large_letters() -> None:
    labels = torch.zeros(SIDE, 1600, dtype=torch.int64)
    small = draw_semantic(Image.new("RGB", (SIDE, SIDE)), torch.zeros(SIDE, SIDE, dtype=torch.int64), VOCABULARY)
    large = draw_semantic(Image.new("RGB", (1600, SIDE)), labels, VOCABULARY)
    assert large.width - 1600 > 2 * (small.width - SIDE)


def test_small_images_are_enlarged() -> None:
    drawing = draw_semantic(Image.new("RGB", (64, 32)), torch.zeros(32, 64, dtype=torch.int64), VOCABULARY)
    assert drawing.height >= SIDE


def test_borders_have_the_requested_width() -> None:
    labels = np.zeros((8, 20), dtype=np.int64)
    labels[:, 10:] = 1
    for width in (1, 2, 3):
        assert borders(labels, width)[4].sum() == width


def test_small_objects_are_above_large_ones(black: Image.Image) -> None:
    masks = torch.zeros(2, SIDE, SIDE, dtype=torch.bool)
    masks[0] = True
    masks[1, 100:140, 100:140] = True
    instances = Instances(
        (SIDE, SIDE), pred_masks=masks, scores=torch.tensor([0.9, 0.5]), pred_classes=torch.tensor([1, 0])
    )
    drawing = draw_instances(black, instances, VOCABULARY)
    assert is_tinted_by(pixel(drawing, 105, 105), COLOURS[0])
    assert is_tinted_by(pixel(drawing, 20, 20), COLOURS[1])


def test_a_style_sets_opacity_size_and_legend(black: Image.Image) -> None:
    labels = torch.zeros(SIDE, SIDE, dtype=torch.int64)
    bare = draw_semantic(black, labels, VOCABULARY, DrawingStyle(opacity=1, legend=False, max_size=100))
    assert bare.size == (100, 100)
    assert tuple(pixel(bare, 5, 5)) == COLOURS[0]
    small = draw_semantic(Image.new("RGB", (40, 40)), labels[:40, :40], VOCABULARY, DrawingStyle(max_size=90))
    assert small.height == 80
