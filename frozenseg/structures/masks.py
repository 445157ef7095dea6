"""Binary masks: bit masks ↔ run lengths (pycocotools), and the boxes around them."""

import warnings
from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor
from torchvision.ops import masks_to_boxes


def encode_rle(masks: np.ndarray) -> list[dict[str, Any]]:
    """Encode masks as compressed run lengths, ready for JSON.

    Args:
        masks: (N, H, W) bool.

    Returns:
        COCO RLE dictionaries ``{"size": [H, W], "counts": str}``, one a mask.
    """
    if len(masks) == 0:
        return []
    height, width = masks.shape[1:]
    rows, columns = np.asarray(masks.any(axis=2)), np.asarray(masks.any(axis=1))
    lengths = [_run_lengths(mask, *box) for mask, *box in zip(masks, rows, columns, strict=True)]
    runs = coco_mask.frPyObjects([{"size": [height, width], "counts": counts} for counts in lengths], height, width)
    return [{"size": list(run["size"]), "counts": run["counts"].decode("ascii")} for run in runs]


def _run_lengths(mask: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> list[int]:
    """Return the lengths of runs, down the columns and outside first, looking inside the box around the mask only.

    Args:
        mask: (H, W) bool.
        rows: (H,) bool, which have a pixel of it.
        columns: (W,) bool, likewise.
    """
    height, width = mask.shape
    if not rows.any():
        return [height * width]
    (top, bottom), (left, right) = (np.flatnonzero(line)[[0, -1]] for line in (rows, columns))
    box = np.zeros((right - left + 1, bottom - top + 2), dtype=bool)  # each column of the mask ends in one outside
    box[:, :-1] = mask[top : bottom + 1, left : right + 1].T
    inside = np.concatenate([[False], box.ravel()])
    column, row = np.divmod(np.flatnonzero(inside[1:] != inside[:-1]), box.shape[1])
    changes = (column + left) * height + row + top
    joined = np.flatnonzero(changes[1:] == changes[:-1])  # runs that go on at the top of the next column
    changes = np.delete(changes, np.concatenate([joined, joined + 1]))
    changes = changes[changes < height * width]  # the end of the map ends a run anyhow
    lengths: list[int] = np.diff(changes, prepend=0, append=height * width).tolist()
    return lengths


def decode_rle(runs: list[dict[str, Any]], height: int, width: int) -> np.ndarray:
    """Decode compressed run lengths to (N, H, W) bool; the size matters only where ``runs`` is empty."""
    if not runs:
        return np.zeros((0, height, width), dtype=bool)
    with warnings.catch_warnings():
        # pycocotools' own arrays know nothing of NumPy 2's ``copy``
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        return coco_mask.decode(runs).transpose(2, 0, 1).astype(bool)  # (N, H, W)


def decode_segmentation(segmentation: Any, height: int, width: int) -> np.ndarray:
    """Decode what stands under ``segmentation`` in COCO's annotations: polygons, or run lengths of either kind.

    Args:
        segmentation: list of polygons ``[x0, y0, x1, y1, …]`` in pixels, or ``{"size": [H, W], "counts": …}``.
        height: of the picture, pixels.
        width: of the picture, pixels.

    Returns:
        (H, W) bool; of another size where the run lengths say so.

    Raises:
        ValueError: it is none of these.
    """
    try:
        if isinstance(segmentation, list):
            if not segmentation or any(len(polygon) < 6 or len(polygon) % 2 for polygon in segmentation):
                raise ValueError("a polygon has at least three corners")
            runs = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
        elif isinstance(segmentation["counts"], list):
            runs = coco_mask.frPyObjects(segmentation, height, width)
        else:
            runs = segmentation
        return decode_rle([runs], height, width)[0]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"neither polygons nor run lengths: {error}") from error


def boxes_around(masks: Tensor) -> Tensor:
    """Return the tight boxes of masks.

    Args:
        masks: (N, H, W) bool.

    Returns:
        (N, 4) float32 x0, y0, x1, y1 in pixels, the end exclusive; zeros for an empty mask.
    """
    boxes = torch.zeros(len(masks), 4, dtype=torch.float32, device=masks.device)
    filled = masks.flatten(1).any(dim=1)
    if filled.any():
        found = masks_to_boxes(masks[filled])
        boxes[filled] = found + found.new_tensor([0, 0, 1, 1])
    return boxes
