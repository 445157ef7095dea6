"""Outlines of masks: exact, as pycocotools fills them, and simplified within a tolerance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco_mask

from frozenseg.inference.formats.outlines import joined_polygon, mask_polygons, signed_area, simplified

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in pycocotools
MASKS = hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def filled(polygons: list[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    corners = [polygon.ravel().tolist() for polygon in polygons]
    return np.asarray(coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(corners, *size))), dtype=bool)


@given(MASKS)
@settings(max_examples=150, deadline=None)
def test_polygons_have_exactly_the_pixels_of_the_mask(mask: np.ndarray) -> None:
    polygons = mask_polygons(mask)
    if not mask.any():
        assert polygons == []
        return
    assert (filled(polygons, mask.shape) == mask).all()
    assert (filled([joined_polygon(polygons)], mask.shape) == mask).all()


def test_a_pixel_is_a_square_and_neighbours_at_a_corner_are_two() -> None:
    mask = np.zeros((4, 5), dtype=bool)
    mask[1, 2] = True
    assert [polygon.tolist() for polygon in mask_polygons(mask)] == [[[2, 1], [3, 1], [3, 2], [2, 2]]]
    mask[2, 3] = True
    assert len(mask_polygons(mask)) == 2


def test_a_hole_is_joined_to_the_outline() -> None:
    mask = np.ones((5, 5), dtype=bool)
    mask[2, 2] = False
    [polygon] = mask_polygons(mask)
    assert len(polygon) == 4 + 4 + 2  # the square, the hole, and the way back
    assert signed_area(polygon) == 24


def test_simplification_keeps_a_circle_within_its_tolerance() -> None:
    y, x = np.mgrid[:100, :100]
    mask = (x - 50) ** 2 + (y - 50) ** 2 < 40**2
    exact, coarse = mask_polygons(mask), mask_polygons(mask, 1.0)
    assert len(coarse[0]) < len(exact[0]) / 4
    union, intersection = filled(coarse, mask.shape) | mask, filled(coarse, mask.shape) & mask
    assert intersection.sum() / union.sum() > 0.97


@pytest.mark.parametrize("tolerance", [0.5, 100.0])
def test_no_tolerance_removes_a_mask(tolerance: float) -> None:
    mask = np.zeros((9, 9), dtype=bool)
    mask[2:7, 3] = mask[4, 2:6] = True
    for polygon in mask_polygons(mask, tolerance):
        assert len(polygon) >= 3
        assert signed_area(polygon) > 0
    square = np.array([[0.0, 0], [2, 0], [2, 2], [0, 2]])
    assert simplified(square, 9) is square
