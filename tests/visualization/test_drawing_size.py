"""Sizes of drawings: what is enlarged, what is reduced, and what stays."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from frozenseg.structures.instances import Instances
from frozenseg.visualization.drawing_size import (
    MAX_ENLARGED,
    MAX_PIXELS,
    MAX_SIDE,
    detail_size,
    drawing_size,
    enlargement,
    size_in_column,
)
from frozenseg.visualization.segmentation import MAX_LEGEND_HEIGHT, draw_instances, draw_panoptic, draw_semantic
from frozenseg.vocabulary import Vocabulary

MANY = Vocabulary.from_strings([f"class {index}" for index in range(1203)])


@pytest.mark.parametrize(
    ("size", "drawn"),
    [
        ((640, 480), (640, 480)),
        ((6000, 4000), (6000, 4000)),
        ((60, 90), (360, 540)),  # a whole number of times
        ((1, 1), (320, 320)),
        ((10, 400), (50, 2000)),  # not 320×12800
        ((10, 401), (40, 1604)),
        ((3000, 1), (3000, 1)),
        ((1, 4000), (1, 4000)),
        ((20000, 30), (20000, 30)),
        ((40000, 30), (20000, 15)),
        ((12000, 9000), (5656, 4242)),
        ((10**6, 1), (20000, 1)),
    ],
)
def test_sizes(size: tuple[int, int], drawn: tuple[int, int]) -> None:
    assert drawing_size(size) == drawn
    assert drawing_size(size[::-1]) == drawn[::-1]


@given(st.integers(1, 50_000), st.integers(1, 50_000))
def test_no_drawing_is_much_larger_than_its_image(width: int, height: int) -> None:
    for drawn in (drawing_size((width, height)), size_in_column((width, height), 320)):
        assert min(drawn) >= 1
        assert max(drawn) <= max(width, height, MAX_ENLARGED)
    assert max(drawing_size((width, height))) <= MAX_SIDE
    assert drawing_size((width, height))[0] * drawing_size((width, height))[1] <= max(MAX_PIXELS, MAX_ENLARGED**2)
    assert 1 <= detail_size((width, height)) <= max(width, height)


def test_columns_and_whole_factors() -> None:
    assert size_in_column((640, 480), 320) == (320, 240)
    assert size_in_column((32, 24), 320) == (320, 240)
    assert size_in_column((1, 4000), 320) == (1, 4000)
    assert size_in_column((10, 400), 320) == (50, 2000)
    assert enlargement((100, 50), 100, 320) == 4
    assert enlargement((1, 4000), 1, 320) == 1


@pytest.mark.parametrize("size", [(3000, 1), (1, 4000), (1, 1), (4000, 6)])
def test_thin_images_are_drawn_at_their_size(size: tuple[int, int]) -> None:
    width, height = size
    image, labels = Image.new("RGB", size), torch.zeros(height, width, dtype=torch.int64)
    vocabulary = Vocabulary.parse("cat; dog")
    instances = Instances(
        (height, width),
        pred_masks=labels[None] == 0,
        scores=torch.ones(1),
        pred_classes=torch.zeros(1, dtype=torch.int64),
    )
    drawings = [
        draw_semantic(image, labels, vocabulary),
        draw_panoptic(image, (labels + 1, [{"id": 1, "category_id": 0}]), vocabulary),
        draw_instances(image, instances, vocabulary),
    ]
    drawn = drawing_size(size)
    for drawing in drawings:
        assert drawn[0] < drawing.width < drawn[0] + 200
        assert max(drawn[1], 20) <= drawing.height <= max(drawn[1], 100)


def test_a_huge_image_is_reduced_with_its_labels() -> None:
    labels = torch.zeros(30, 40000, dtype=torch.int64)
    labels[:, 20000:] = 1
    drawing = draw_semantic(Image.new("RGB", (40000, 30)), labels, Vocabulary.parse("cat; dog"))
    left, right = (drawing.getpixel((x, drawing.height // 2)) for x in (9900, 10100))
    assert 20000 < drawing.width < 20200
    assert left != right


def test_a_legend_of_many_classes_has_a_limit() -> None:
    labels = (torch.arange(400) * 1203 // 400).expand(300, 400)
    every = torch.arange(1203 * 300).view(300, 1203) % 1203
    some = draw_semantic(Image.new("RGB", (400, 300)), labels, MANY)
    most = draw_semantic(Image.new("RGB", (1203, 300)), every, MANY)
    assert some.height <= MAX_LEGEND_HEIGHT
    assert most.height <= MAX_LEGEND_HEIGHT
