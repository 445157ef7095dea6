"""Filters of automatic masks: bounding boxes, and removal of small regions.

Letters: M masks, H×W the image, S length of a line.
"""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from frozenseg.structures.shapes import check_shape

EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


def pixel_boxes(masks: Tensor) -> Tensor:
    """Return the boxes between the outermost pixels of masks, as SAM's suppression of duplicates compares them.

    Args:
        masks: (M, H, W) bool.

    Returns:
        (M, 4) float32 x0, y0, x1, y1 in pixels, the end inclusive; zeros for an empty mask.

    Raises:
        ShapeError: the masks are not (M, H, W).
    """
    check_shape("masks", masks, "M H W")
    ends = [line for axis in (1, 2) for line in _first_and_last(masks.any(dim=axis))]  # x0, x1, y0, y1
    return torch.stack([ends[0], ends[2], ends[1], ends[3]], dim=1).float()


def _first_and_last(lines: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and the last true index of each line, (M, S) bool → (M,), (M,); zeros for a line of False."""
    numbers = lines.int()
    last = lines.shape[1] - 1 - numbers.flip(1).argmax(dim=1)
    return numbers.argmax(dim=1), last * lines.any(dim=1)


def remove_small_regions(mask: np.ndarray, min_area: int) -> tuple[np.ndarray, bool]:
    """Fill small holes, then remove small islands; regions touch at corners, too.

    If every island is small, the largest one stays, the first from the top among equals.

    Args:
        mask: (H, W) bool.
        min_area: pixels of the smallest region that stays as it is.

    Returns:
        The mask, and True if it was changed.
    """
    holes, sizes = _regions(~mask)
    small = sizes < min_area
    small[0] = False
    filled = mask | small[holes] if small.any() else mask
    islands, sizes = _regions(filled)
    kept = sizes >= min_area
    kept[0] = True
    if kept.all():
        return filled, filled is not mask
    if not kept[1:].any():
        kept[1 + sizes[1:].argmax()] = True
    kept[0] = False
    return kept[islands], True


def _regions(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of each pixel's region, 0 outside of all, and the number of pixels of each region."""
    numbers, count = ndimage.label(mask, structure=EIGHT_NEIGHBOURS)
    return numbers, np.bincount(numbers.ravel(), minlength=count + 1)
