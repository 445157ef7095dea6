"""Segmentations in the forms that tools write: read as what they mean, without a mask, or refused."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from frozenseg.structures.masks import decode_segmentation
from frozenseg.structures.segmentation import NoMask, Repair, read_segmentation

SIZE = (30, 40)
SQUARE = [5, 8, 15, 8, 15, 18, 5, 18]  # columns 5 … 14, rows 8 … 17
MASK = np.zeros(SIZE, dtype=bool)
MASK[8:18, 5:15] = True
RUNS = [158, *[10, 20] * 9, 10, 762]


@pytest.mark.parametrize(
    ("value", "repairs"),
    [
        ([SQUARE], ()),
        ({"size": [30, 40], "counts": RUNS}, ()),
        ({"size": [30, 40], "counts": RUNS[:-1]}, (Repair.COMPLETED,)),
        (SQUARE, (Repair.FLAT,)),
        ([SQUARE, []], (Repair.FEW_CORNERS,)),
        ([SQUARE, [1, 1, 9, 9]], (Repair.FEW_CORNERS,)),  # pycocotools reads four numbers as a box
        ([SQUARE, [1, 1, 1, 1, 1, 1]], ()),
        ([[5, 8], [15, 8], [15, 18], [5, 18]], (Repair.PAIRS,)),
        ([[[5, 8], [15, 8], [15, 18], [5, 18]]], (Repair.PAIRS,)),
    ],
)
def test_the_square_is_read_from_each_form(value, repairs):
    checked = read_segmentation(value, SIZE)
    assert (checked.no_mask, checked.repairs) == (None, repairs)
    assert (checked.runs(SIZE).mask() == MASK).all()
    assert (decode_segmentation(value, *SIZE) == MASK).all()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, NoMask.NOTHING),
        ([], NoMask.NOTHING),
        ({}, NoMask.NOTHING),
        ("", NoMask.NOTHING),
        ([[]], NoMask.NO_AREA),
        ([[5, 8, 15, 18]], NoMask.NO_AREA),
        ([5, 8, 15, 18], NoMask.NO_AREA),
        ([[5, 8, 9, 8, 15, 8]], NoMask.NO_AREA),
        ([[5, 5, 8, 8, 15, 15]], NoMask.NO_AREA),
        ([[5, 5] * 30], NoMask.NO_AREA),
        ([[50, 8, 60, 8, 60, 18]], NoMask.OUTSIDE),
        ([[-9, -9, -1, -9, -1, -1]], NoMask.OUTSIDE),
        ([[50, 8, 60, 8, 60, 18], [5, 8, 9, 8, 15, 8]], NoMask.OUTSIDE),  # the part inside is a line
        ({"size": [30, 40], "counts": []}, NoMask.NO_PIXEL),
        ({"size": [30, 40], "counts": [1200]}, NoMask.NO_PIXEL),
    ],
)
def test_other_forms_have_no_mask(value, reason):
    checked = read_segmentation(value, SIZE)
    assert (checked.value, checked.no_mask) == (None, reason)
    assert checked.runs(SIZE).area() == 0


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, "segmentation is 5, expected polygons or run lengths"),
        ("abc", "segmentation is 'abc'"),
        ([{"x": 1, "y": 2}], r"has the part \{'x': 1, 'y': 2\}, expected polygons"),
        (["1", "2"], "has the part '1', expected polygons"),
        ([SQUARE, 3], r"has the part 3, expected polygons \[x0, y0"),
        ([SQUARE[:7]], "has 7 coordinates, expected an even number"),
        ([[*SQUARE[:7], "18"]], "has the coordinate '18', expected a number"),
        ([[*SQUARE[:7], None]], "has the coordinate None, expected a number"),
        ([[*SQUARE[:7], float("nan")]], "has the coordinate nan, expected pixels"),
        ([[*SQUARE[:7], float("inf")]], "has the coordinate inf, expected pixels"),
        ([[*SQUARE[:7], 10**400]], "has the coordinate 1000.*, expected pixels"),
        ([[float("nan"), *SQUARE[1:]]], "has the coordinate nan, expected pixels"),
        ([[0, 0, 9e6, 0, 9e6, 9e6]], r"outline of 27,000,000 pixels .* expected at most 4,000,000"),
        ([[[5, 8], [15, 8], [15]]], r"has the corner \[15\], expected \[x, y\]"),
        ({"counts": RUNS}, "expected an object with size and counts"),
        ({"size": [40, 30], "counts": RUNS}, r"size is \[40, 30\], expected \[30, 40\]"),
    ],
)
def test_damaged_ones_are_refused_with_their_value(value, message):
    with pytest.raises(ValueError, match=message):
        read_segmentation(value, SIZE)


def test_polygons_are_those_of_pycocotools():
    rng = np.random.default_rng(0)
    for _ in range(50):
        polygons = [(rng.random(2 * corners) * 60 - 10).tolist() for corners in rng.integers(3, 9, 2)]
        expected = coco_mask.merge(coco_mask.frPyObjects(polygons, *SIZE))["counts"].decode()
        assert read_segmentation(polygons, SIZE).runs(SIZE).compressed()["counts"] == expected


def test_polygons_of_unknown_images_are_not_outside():
    assert read_segmentation([[500, 8, 600, 8, 600, 18]]).no_mask is None
