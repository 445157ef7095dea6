"""Drawings: what is tinted, what is named, what is left alone."""

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.inference.draw import contact_sheet, draw_instances, draw_panoptic, draw_semantic
from frozenseg.inference.palette import class_colour
from frozenseg.structures.instances import Instances
from frozenseg.vocabulary import Vocabulary

pytest.importorskip("matplotlib", reason="drawing needs the demo extra")
WORDS = Vocabulary.parse("cat; grass", stuff=["grass"])
SIDE = 320  # not enlarged


@pytest.fixture
def black() -> Image.Image:
    return Image.new("RGB", (SIDE, SIDE))


def pixel(picture: Image.Image, x: int, y: int) -> np.ndarray:
    return np.asarray(picture)[y, x].astype(float)


def is_tinted_by(colour: np.ndarray, label: int) -> bool:
    expected = 0.55 * np.array(class_colour(label))
    return bool(np.abs(colour - expected).max() <= 2)


def test_panoptic_tints_segments_and_leaves_the_rest(black: Image.Image) -> None:
    ids = torch.zeros(SIDE, SIDE, dtype=torch.int32)
    ids[:, :100], ids[:, 100:200] = 1, 2
    segments = [{"id": 1, "category_id": 0, "isthing": True}, {"id": 2, "category_id": 1, "isthing": False}]
    drawing = draw_panoptic(black, (ids, segments), WORDS)
    assert is_tinted_by(pixel(drawing, 50, 100), 0)
    assert is_tinted_by(pixel(drawing, 150, 100), 1)
    assert not pixel(drawing, 300, 100).any()
    assert pixel(drawing, 99, 100).min() > 200  # a light line between the two
    assert drawing.width > SIDE


def test_only_confident_instances_are_drawn_and_the_best_lies_on_top(black: Image.Image) -> None:
    masks = torch.zeros(3, SIDE, SIDE, dtype=torch.bool)
    masks[:2, :, :100] = True
    masks[2, :, 200:] = True
    instances = Instances(
        (SIDE, SIDE), pred_masks=masks, scores=torch.tensor([0.9, 0.5, 0.1]), pred_classes=torch.tensor([1, 0, 0])
    )
    drawing = draw_instances(black, instances, WORDS)
    assert is_tinted_by(pixel(drawing, 50, 100), 1)
    assert not pixel(drawing, 300, 100).any()


def test_semantic_takes_scores_or_labels(black: Image.Image) -> None:
    scores = torch.zeros(2, SIDE, SIDE)
    scores[1, :, 160:] = 1
    from_scores = draw_semantic(black, scores, WORDS)
    assert from_scores.tobytes() == draw_semantic(black, scores.argmax(dim=0), WORDS).tobytes()
    assert is_tinted_by(pixel(from_scores, 300, 100), 1)


def test_nothing_found_is_said(black: Image.Image) -> None:
    drawing = draw_panoptic(black, (torch.zeros(SIDE, SIDE, dtype=torch.int32), []), WORDS)
    assert drawing.width > SIDE


def test_small_pictures_are_enlarged() -> None:
    drawing = draw_semantic(Image.new("RGB", (64, 32)), torch.zeros(32, 64, dtype=torch.int64), WORDS)
    assert drawing.height >= SIDE


def test_colours_differ_and_stay() -> None:
    colours = [class_colour(index) for index in range(60)]
    assert len(set(colours)) == 60
    assert class_colour(3) == colours[3]


def test_a_sheet_holds_rows_of_different_length(black: Image.Image) -> None:
    sheet = contact_sheet([[("image", black), ("prediction", black)], [("image", black)]])
    assert sheet.mode == "RGB"
    assert sheet.width > sheet.height / 2
