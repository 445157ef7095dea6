"""Segment ids as RGB colours (COCO panoptic format): ``id = R + 256·G + 65536·B`` in 8 bits, id 0 is void."""

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np

from frozenseg.errors import DataError

VOID_ID = 0
MAX_ID = 0xFFFFFF


def rgb_to_id(rgb: np.ndarray) -> np.ndarray:
    """Decode colours to segment ids.

    Args:
        rgb: (H, W, 3) uint8.

    Returns:
        (H, W) int32 ids in 0 … 16 777 215.
    """
    channels = rgb.astype(np.int32)
    return channels[..., 0] + 256 * channels[..., 1] + 65536 * channels[..., 2]


def id_to_rgb(ids: np.ndarray) -> np.ndarray:
    """Encode segment ids as colours.

    Args:
        ids: (H, W) integers in 0 … 16 777 215.

    Returns:
        (H, W, 3) uint8.
    """
    ids = ids.astype(np.int64)
    return np.stack([ids % 256, ids // 256 % 256, ids // 65536 % 256], axis=-1).astype(np.uint8)


def check_segment_ids(ids: Iterable[Any], source: str) -> None:
    """Check that the segment ids of an image can be stored in a panoptic PNG.

    Args:
        ids: as listed in the annotation.
        source: of the ids, for the message: path of the PNG, or annotation file and image.

    Raises:
        DataError: an id is no integer from 1 to 16 777 215, or is listed twice.
    """
    listed: set[int] = set()
    for number in ids:
        if isinstance(number, bool) or not isinstance(number, Integral) or not VOID_ID < int(number) <= MAX_ID:
            advice = " (0 is void: number segments from 1)" if number == VOID_ID else ""
            raise DataError(
                f"{source}: a segment has the id {number!r}, expected an integer from 1 to {MAX_ID}{advice}."
            )
        if number in listed:
            raise DataError(f"{source}: two of its segments_info have the same id {number}, expected distinct ids.")
        listed.add(int(number))
