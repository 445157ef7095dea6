"""Drawings: what is tinted, what is named, what is left alone."""

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.inference import draw
from frozenseg.inference.draw import contact_sheet, draw_instances, draw_panoptic, draw_semantic
from frozenseg.structures.instances import Instances
from frozenseg.structures.palette import class_colour
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


def test_names_stand_where_there_is_room(black: Image.Image) -> None:
    ids = torch.zeros(SIDE, SIDE, dtype=torch.int32)
    ids[:, :200], ids[:10, 250:] = 1, 2
    segments = [{"id": 1, "category_id": 0}, {"id": 2, "category_id": 0}]
    drawing = np.asarray(draw_panoptic(black, (ids, segments), WORDS)).astype(int)
    tint = 0.55 * np.array(class_colour(0))
    inked = np.abs(drawing - tint).max(axis=-1) > 20
    assert inked[140:180, 80:120].any()  # the name, in the midst of the large segment
    assert not inked[20:120, 5:195].any()
    assert not inked[1:8, 255:315].any()  # the small one has none


def test_nothing_found_is_said(black: Image.Image) -> None:
    drawing = np.asarray(draw_panoptic(black, (torch.zeros(SIDE, SIDE, dtype=torch.int32), []), WORDS))
    assert not drawing[:, :SIDE].any()
    assert drawing[:, SIDE:].min() < 100  # words in the legend


def test_every_class_is_in_the_legend(black: Image.Image) -> None:
    count = 60
    words = Vocabulary.parse(";".join(f"class {index}" for index in range(count)))
    labels = (torch.arange(SIDE) * count // SIDE).expand(SIDE, SIDE)
    legend = np.asarray(draw_semantic(black, labels, words))[:, SIDE:]
    shown = np.unique(legend.reshape(-1, 3), axis=0).tolist()
    assert all(list(class_colour(index)) in shown for index in range(count))


def test_large_pictures_have_large_letters() -> None:
    labels = torch.zeros(SIDE, 1600, dtype=torch.int64)
    small = draw_semantic(Image.new("RGB", (SIDE, SIDE)), torch.zeros(SIDE, SIDE, dtype=torch.int64), WORDS)
    large = draw_semantic(Image.new("RGB", (1600, SIDE)), labels, WORDS)
    assert large.width - 1600 > 2 * (small.width - SIDE)


def test_borders_have_the_width_that_is_asked_for() -> None:
    owner = torch.zeros(8, 20, dtype=torch.int64)
    owner[:, 10:] = 1
    for width in (1, 2, 3):
        assert draw._borders(owner, width)[4].sum() == width


def test_the_callers_matplotlib_is_left_alone(black: Image.Image) -> None:
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("svg")
    draw_semantic(black, torch.zeros(SIDE, SIDE, dtype=torch.int64), WORDS)
    assert mpl.get_backend().lower() == "svg"
    assert pyplot.get_fignums() == []


def test_small_pictures_are_enlarged() -> None:
    drawing = draw_semantic(Image.new("RGB", (64, 32)), torch.zeros(32, 64, dtype=torch.int64), WORDS)
    assert drawing.height >= SIDE


def test_a_sheet_holds_rows_of_different_length(black: Image.Image) -> None:
    grey = Image.new("RGB", (2 * SIDE, SIDE), (120, 120, 120))
    sheet = np.asarray(contact_sheet([[("image", black), ("prediction", grey)], [("image", black)]]))
    first, second = draw.GAP, 2 * draw.GAP + SIDE
    top = 2 * draw.TITLE
    assert not sheet[top : top + SIDE, first : first + SIDE].any()
    assert (sheet[top : top + SIDE, second : second + 2 * SIDE] == 120).all()
    assert sheet[:top, first:].min() < 100  # a title
    below = top + SIDE + draw.GAP
    assert sheet[below : below + 2 * draw.TITLE, first : first + 60].min() < 100  # and in the second row
    assert (sheet[below:, second:] == 255).all()


def test_a_wide_sheet_is_made_smaller(black: Image.Image) -> None:
    assert contact_sheet([[(str(index), black) for index in range(9)]]).width <= draw.WIDEST_SHEET
