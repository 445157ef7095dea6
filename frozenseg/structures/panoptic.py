"""Segment ids as RGB colours (COCO panoptic format): ``id = R + 256·G + 65536·B`` in 8 bits, id 0 is void."""

import numpy as np

VOID_ID = 0


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
