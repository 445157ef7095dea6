"""Geometry: golden numbers of the published recipe, hand-computed small images, and properties."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

from frozenseg.data.transforms import geometry
from frozenseg.data.transforms.geometry import CropBox
from frozenseg.data.transforms.recipes import Jitter, LargeScaleJitter, ShortestEdge
from frozenseg.structures.image_tensor import image_tensor

SIZES = st.tuples(st.integers(1, 3000), st.integers(1, 3000))


def make_image(values: list[list[int]]) -> Image.Image:
    return Image.fromarray(np.repeat(np.array(values, dtype=np.uint8)[..., None], 3, axis=2))


def values_of(image: Image.Image) -> list[list[int]]:
    return np.asarray(image)[..., 0].tolist()


@pytest.mark.parametrize(
    ("seed", "expected"),
    [
        (1, Jitter(True, (902, 1504), CropBox(0, 0, 902, 1024), 1024)),  # flip, scale 1.469
        (0, Jitter(False, (896, 1494), CropBox(0, 283, 896, 1024), 1024)),  # no flip, scale 1.459
    ],
)
def test_large_scale_jitter_golden(seed, expected):
    """Numbers of the released recipe for an image 300 high and 500 wide."""
    assert LargeScaleJitter(1024).draw(np.random.RandomState(seed), (300, 500)) == expected


def test_jitter_takes_modern_generators():
    first, again = (LargeScaleJitter(64).draw(np.random.default_rng(3), (40, 50)) for _ in range(2))
    assert first == again


def test_without_flip_none_is_drawn():
    draws = [LargeScaleJitter(8, flip=False).draw(np.random.default_rng(seed), (5, 6)) for seed in range(20)]
    assert not any(draw.flip for draw in draws)


@pytest.mark.parametrize(
    ("size", "shortest", "longest", "expected"),
    [
        ((480, 640), 800, 1333, (800, 1067)),  # 1066.67
        ((427, 640), 800, 1333, (800, 1199)),  # 1199.06
        ((375, 500), 800, 1333, (800, 1067)),
        ((300, 900), 800, 1333, (444, 1333)),  # 800×2400, too long
        ((900, 300), 800, 1333, (1333, 444)),
        ((64, 64), 128, 256, (128, 128)),
        ((2, 5), 1, 9, (1, 3)),  # 2.5 is rounded up
        ((1, 3000), 800, 1333, (1, 1333)),  # 0.4 pixels high
        ((4000, 1), 800, 1333, (1333, 1)),
    ],
)
def test_shortest_edge(size, shortest, longest, expected):
    assert geometry.fit_shortest_edge(size, shortest, longest) == expected


@pytest.mark.parametrize(
    ("size", "box", "scale", "expected"),
    [
        ((300, 500), 1000, 1.0, (600, 1000)),
        ((500, 300), 1000, 0.5, (500, 300)),
        ((1, 2), 5, 1.0, (2, 5)),  # 2.5 is rounded to even
        ((16, 4096), 1024, 0.1, (1, 102)),  # 0.4 pixels high
        ((1000, 4), 128, 0.1, (13, 1)),
    ],
)
def test_fit_inside(size, box, scale, expected):
    assert geometry.fit_inside(size, box, scale) == expected


@pytest.mark.parametrize(
    ("size", "position", "expected"),
    [
        ((10, 20), 0.0, CropBox(0, 0, 8, 8)),
        ((10, 20), 1.0, CropBox(2, 12, 8, 8)),
        ((10, 20), 0.5, CropBox(1, 6, 8, 8)),
        ((5, 20), 1.0, CropBox(0, 12, 5, 8)),  # too low to be cropped
        ((5, 6), 0.7, CropBox(0, 0, 5, 6)),
    ],
)
def test_crop_window(size, position, expected):
    assert geometry.crop_window(size, 8, position) == expected


@given(SIZES, st.floats(0.1, 2.0), st.floats(0.0, 1.0))
def test_crop_lies_inside_and_fits_into_the_square(size, scale, position):
    resized = geometry.fit_inside(size, 64, scale)
    box = geometry.crop_window(resized, 64, position)
    assert 0 <= box.top <= resized[0] - box.height
    assert 0 <= box.left <= resized[1] - box.width
    assert max(box.height, box.width) <= 64


@given(SIZES)
def test_shortest_edge_keeps_its_bounds(size):
    height, width = geometry.fit_shortest_edge(size, 32, 64)
    assert max(height, width) <= 64
    assert min(height, width) <= 32
    assert min(height, width) == 32 or max(height, width) == 64


def test_crop_and_pad_by_hand():
    image = make_image([[1, 2, 3], [4, 5, 6]])
    box = CropBox(top=0, left=1, height=2, width=2)
    assert values_of(geometry.crop_and_pad(image, box, 3, 128)) == [[2, 3, 128], [5, 6, 128], [128, 128, 128]]


def test_ids_and_image_move_together():
    """Flip, double, crop: the id map stays aligned with the image; it is not padded, since no id is free."""
    jitter = Jitter(flip=True, size=(2, 4), box=CropBox(0, 1, 2, 3), side=4)
    ids = make_image([[1, 2]])
    moved = jitter.transform_ids(ids)
    assert values_of(moved) == [[2, 1, 1], [2, 1, 1]]
    padded = values_of(jitter.transform_image(make_image([[50, 50]])))
    assert padded == [[50, 50, 50, 128], [50, 50, 50, 128], [128] * 4, [128] * 4]


def test_resizing_is_pillows():
    values = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    image = Image.fromarray(values)
    resized = geometry.resize_image(image, (7, 11))
    assert np.array_equal(resized, image.resize((11, 7), Image.Resampling.BILINEAR))
    assert np.array_equal(geometry.resize_ids(image, (31, 40)), image.resize((40, 31), Image.Resampling.NEAREST))


def test_shortest_edge_recipe():
    assert ShortestEdge(4, 100).transform_image(make_image([[9] * 4] * 2)).size == (8, 4)  # PIL: width, height


@pytest.mark.parametrize("size", [(7, 9), (20, 31), (13, 17)])
def test_pillow_gives_the_values_of_torchvision(size: tuple[int, int]) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (13, 17, 3), dtype=np.uint8))
    box = CropBox(top=2, left=3, height=6, width=8)
    pairs = [
        (geometry.resize_image(image, size), functional.resize(image, list(size), InterpolationMode.BILINEAR)),
        (geometry.resize_ids(image, size), functional.resize(image, list(size), InterpolationMode.NEAREST)),
        (geometry.flip(image), functional.horizontal_flip(image)),
        (geometry.crop_out(image, box), functional.crop(image, *box)),
        (
            geometry.crop_and_pad(image, box, side=10, padding=128),
            functional.pad(functional.crop(image, *box), [0, 0, 2, 4], fill=[128] * 3),
        ),
    ]
    for actual, expected in pairs:
        assert torch.equal(image_tensor(actual), functional.pil_to_tensor(expected))
