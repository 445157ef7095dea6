"""Regions of Label Studio: the segments of an image as brush masks or polygons.

Letters: H×W the image.
"""

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from frozenseg.inference.formats.outlines import mask_polygons
from frozenseg.inference.result import Result
from frozenseg.inference.segments import SCORE_DIGITS
from frozenseg.serving.brush_rle import brush_rle
from frozenseg.serving.label_config import MaskControl

POLYGON_TOLERANCE = 0.75  # pixels
PERCENT_DIGITS = 3


def regions_of(
    result: Result, control: MaskControl, require_time: Callable[[], None] = lambda: None
) -> list[dict[str, Any]]:
    """Return the regions of a result, the largest first.

    Args:
        result: with a panoptic map for the vocabulary of the tag.
        control: the tag.
        require_time: called before each mask and polygon; raises an exception when the time of the request is over.
    """
    height, width = result.image.height, result.image.width
    regions = []
    for segment, mask in result.each_mask("panoptic", largest_first=True):
        label = control.labels[segment.label_id]
        for value in _values(mask, control.kind, label, require_time):
            regions.append(
                {
                    "id": secrets.token_hex(5),
                    "from_name": control.from_name,
                    "to_name": control.to_name,
                    "original_width": width,
                    "original_height": height,
                    "image_rotation": 0,
                    "type": control.kind.lower(),
                    "score": round(segment.score, SCORE_DIGITS),
                    "value": value,
                }
            )
    return regions


def _values(mask: np.ndarray, kind: str, label: str, require_time: Callable[[], None]) -> Iterator[dict[str, Any]]:
    """Yield the values of the regions of a mask (H, W): one brush mask, or a polygon for each part."""
    require_time()
    if kind == "BrushLabels":
        yield {"format": "rle", "rle": brush_rle(mask), "brushlabels": [label]}
        return
    percent = 100 / np.array([mask.shape[1], mask.shape[0]])
    for ring in mask_polygons(mask, POLYGON_TOLERANCE, require_time):
        points = (ring * percent).round(PERCENT_DIGITS).tolist()
        yield {"points": points, "polygonlabels": [label], "closed": True}
