"""Polygons of COCO annotations: check of their coordinates, and conversion to run lengths as in pycocotools.

pycocotools walks along outlines in steps of a fifth of a pixel and trusts coordinates: with NaN, infinite or far ones
it has undefined results, or allocates memory without limit.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from frozenseg.errors import shown
from frozenseg.structures.rle import RunLengths, read_rle

Polygon = list[float]  # x0, y0, x1, y1, …, pixels
CornerRange = tuple[float, float, float, float]  # of the corners of a polygon: left, right, top, bottom, pixels
MIN_NUMBERS = 6  # of a polygon: three corners
MAX_TESTED_CORNERS = 5  # of polygons that are tested for an area: lines have few corners
MAX_COORDINATE = 10**7  # pixels from the origin
MAX_OUTLINE = 4 * 10**6  # pixels; 20 steps of pycocotools' walk a pixel of it take some 100 bytes


def read_bounds(numbers: Sequence[Any]) -> CornerRange:
    """Check the coordinates of a polygon and return its bounds.

    Args:
        numbers: x0, y0, x1, y1, …; at least one corner.

    Raises:
        ValueError: there is an odd number of them, one is not a finite number, or the outline is too long.
    """
    if len(numbers) % 2:
        raise ValueError(f"its polygon has {len(numbers)} coordinates, expected an even number: x0, y0, x1, y1, …")
    xs, ys = numbers[0::2], numbers[1::2]
    try:
        left, right, top, bottom, total = min(xs), max(xs), min(ys), max(ys), sum(numbers)
        low, high = left if left < top else top, right if right > bottom else bottom
    except TypeError as error:
        wrong = next(number for number in numbers if not isinstance(number, int | float))
        raise ValueError(f"its polygon has the coordinate {shown(wrong)}, expected a number") from error
    if not (-MAX_COORDINATE <= low <= high <= MAX_COORDINATE and math.isfinite(total)):
        wrong = next(number for number in numbers if not abs(number) <= MAX_COORDINATE)
        raise ValueError(f"its polygon has the coordinate {shown(wrong)}, expected pixels of the image")
    if len(numbers) * (high - low) > MAX_OUTLINE and (length := _outline(numbers)) > MAX_OUTLINE:
        raise ValueError(
            f"its polygon has an outline of {length:,.0f} pixels with coordinates from {low:,.0f} to {high:,.0f}, "
            f"expected at most {MAX_OUTLINE:,} pixels within the image"
        )
    return left, right, top, bottom


def polygons_rle(polygons: Sequence[Polygon], size: tuple[int, int]) -> RunLengths:
    """Return the union of checked polygons as run lengths, equal to pycocotools' ``merge(frPyObjects(…))``.

    Args:
        polygons: at least one.
        size: height and width of the image.
    """
    # a list of numbers of another type would be read as boxes or run lengths
    corners = [[float(number) for number in polygon] for polygon in polygons]
    return read_rle(coco_mask.merge(coco_mask.frPyObjects(corners, *size)), size)


def is_outside(bounds: CornerRange, size: tuple[int, int]) -> bool:
    """Return True if a polygon of these bounds shares no area with an image of this height and width."""
    left, right, top, bottom = bounds
    return right <= 0 or left >= size[1] or bottom <= 0 or top >= size[0]


def is_narrow(bounds: CornerRange) -> bool:
    """Return True if the polygon is less than a pixel wide or high, so that it may cover no pixel."""
    left, right, top, bottom = bounds
    return right - left < 1 or bottom - top < 1


def has_no_area(polygon: Polygon, bounds: CornerRange) -> bool:
    """Return True if all corners are on one line: any line for few corners, a line along an axis for many."""
    left, right, top, bottom = bounds
    if left == right or top == bottom:
        return True
    if len(polygon) > 2 * MAX_TESTED_CORNERS:
        return False
    sides = [(x - polygon[0], y - polygon[1]) for x, y in zip(polygon[0::2], polygon[1::2], strict=True)]
    first = next(side for side in sides if side != (0, 0))
    return all(first[0] * y == first[1] * x for x, y in sides)


def _outline(numbers: Sequence[float]) -> float:
    corners = np.array(numbers, dtype=np.float64).reshape(-1, 2)
    return float(np.abs(corners - np.roll(corners, 1, axis=0)).max(axis=1).sum())
