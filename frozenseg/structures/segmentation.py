"""Field ``segmentation`` of COCO annotations: polygons or run lengths, in the forms that annotation tools write.

- a list of polygons ``[[x0, y0, x1, y1, x2, y2, …], …]``, or run lengths ``{"size": [H, W], "counts": …}`` (COCO);
- one polygon that is not in a list, ``[x0, y0, x1, y1, x2, y2, …]``: read as a list of one polygon;
- polygons of corners, ``[[[x0, y0], [x1, y1], …], …]`` or ``[[x0, y0], [x1, y1], …]``: read as polygons;
- parts with fewer than three corners beside polygons are left out. pycocotools reads a part of four numbers as a box
  x, y, width, height, and tools write two corners of a line there: such a part is never read as an area.
"""

from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from frozenseg.errors import shown
from frozenseg.structures.polygons import (
    MIN_NUMBERS,
    Polygon,
    has_no_area,
    is_narrow,
    is_outside,
    polygons_rle,
    read_bounds,
)
from frozenseg.structures.rle import RunLengths, read_rle


class NoMask(Enum):
    """Reason for which a segmentation is not a mask; the value continues "7 of 10 objects …"."""

    NOTHING = "have a box only"
    NO_AREA = "have polygons without an area only (fewer than three corners, or all on a line)"
    NO_PIXEL = "have a mask without a pixel"
    OUTSIDE = "have a mask outside of the image"


class Repair(Enum):
    """Deviation from COCO's format whose meaning is unambiguous; the value continues "7 of 10 objects …"."""

    COMPLETED = "have run lengths that end before the last pixel: the rest is background"
    FEW_CORNERS = "have parts of fewer than three corners beside their polygons: these parts are left out"
    FLAT = "have a polygon that is not in a list: read as one polygon"
    PAIRS = "have polygons as lists of corners [x, y]: read as polygons"
    TINY = "have polygons that cover no pixel: they count as missed objects (coordinates are pixels, not fractions)"


class Segmentation(NamedTuple):
    """Checked segmentation.

    Attributes:
        value: polygons of at least three corners, or compressed run lengths; None if there is no mask.
        no_mask: reason if ``value`` is None.
        repairs: deviations from COCO's format that were read as what they mean.
    """

    value: list[Polygon] | dict[str, Any] | None
    no_mask: NoMask | None = None
    repairs: tuple[Repair, ...] = ()

    def runs(self, size: tuple[int, int]) -> RunLengths:
        """Return the run lengths of the mask in an image of this height and width; no pixel if there is no mask."""
        if self.value is None:
            return read_rle({"size": size, "counts": []}, size)
        return read_rle(self.value, size) if isinstance(self.value, dict) else polygons_rle(self.value, size)


def read_segmentation(value: Any, size: tuple[int, int] | None = None) -> Segmentation:
    """Read and check the field ``segmentation`` of a COCO annotation.

    Args:
        value: as in the file; None if it is missing.
        size: height and width of the image if they are known.

    Raises:
        ValueError: it is neither polygons nor run lengths, or damaged; the message has the received and the expected
            value.
    """
    if value is None or (isinstance(value, list | dict | str) and not value):
        return Segmentation(None, NoMask.NOTHING)
    if isinstance(value, dict):
        return _read_rle(value, size)
    if not isinstance(value, list):
        raise ValueError(f"its segmentation is {shown(value)}, expected polygons or run lengths (size and counts)")
    return _read_polygons(value, size)


def decode_segmentation(segmentation: Any, height: int, width: int) -> np.ndarray:
    """Decode the field ``segmentation`` of a COCO annotation: polygons, or run lengths, compressed or not.

    Args:
        segmentation: list of polygons ``[x0, y0, x1, y1, …]`` in pixels, or ``{"size": [H, W], "counts": …}``.
        height: of the image, pixels.
        width: of the image, pixels.

    Returns:
        (H, W) bool.

    Raises:
        ValueError: the segmentation is neither polygons nor run lengths, is damaged, has another size than the image,
            or is no mask.
    """
    checked = read_segmentation(segmentation, (height, width))
    if checked.no_mask in (NoMask.NOTHING, NoMask.NO_AREA):
        raise ValueError("it has no polygon of at least three corners and no run lengths")
    return checked.runs((height, width)).mask()


def _read_rle(value: dict[str, Any], size: tuple[int, int] | None) -> Segmentation:
    runs = read_rle(value, size)
    if not runs.area():
        return Segmentation(None, NoMask.NO_PIXEL)
    return Segmentation(runs.compressed(), None, (Repair.COMPLETED,) if runs.completed else ())


def _read_polygons(value: list[Any], size: tuple[int, int] | None) -> Segmentation:
    polygons, repair = _nested(value)
    repairs = () if repair is None else (repair,)
    bounds = [read_bounds(polygon) for polygon in polygons if polygon]
    kept = [polygon for polygon in polygons if len(polygon) >= MIN_NUMBERS]
    if len(kept) < len(polygons):
        repairs, bounds = (*repairs, Repair.FEW_CORNERS), [read_bounds(polygon) for polygon in kept]
    areas = [box for polygon, box in zip(kept, bounds, strict=True) if not has_no_area(polygon, box)]
    if not areas:
        return Segmentation(None, NoMask.NO_AREA)
    if size is not None:
        if all(is_outside(box, size) for box in areas):
            return Segmentation(None, NoMask.OUTSIDE)
        if all(map(is_narrow, areas)) and not polygons_rle(kept, size).area():
            repairs = (*repairs, Repair.TINY)
    return Segmentation(kept, None, repairs)


def _nested(value: list[Any]) -> tuple[list[Any], Repair | None]:
    """Return polygons as lists of numbers, and the deviation from COCO's format."""
    if len(value) == 1 and isinstance(value[0], list) and not (value[0] and isinstance(value[0][0], list)):
        return value, None
    if isinstance(value[0], int | float):
        return [value], Repair.FLAT
    if wrong := [part for part in value if not isinstance(part, list)]:
        raise ValueError(f"its segmentation has the part {shown(wrong[0])}, expected polygons [x0, y0, x1, y1, …]")
    if any(part and isinstance(part[0], list) for part in value):
        return [_joined(part) for part in value], Repair.PAIRS
    if 2 * len(value) >= MIN_NUMBERS and all(len(part) == 2 for part in value):
        return [_joined(value)], Repair.PAIRS
    return value, None


def _joined(corners: list[Any]) -> list[Any]:
    """Return x0, y0, x1, y1, … of corners [x, y]."""
    if wrong := [corner for corner in corners if not isinstance(corner, list) or len(corner) != 2]:
        raise ValueError(f"its polygon has the corner {shown(wrong[0])}, expected [x, y]")
    return [number for corner in corners for number in corner]
