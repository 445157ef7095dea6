"""Binary masks: conversion between bit masks and COCO run-length encoding (RLE), and bounding boxes."""

from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor

from frozenseg.structures.rle import read_rle
from frozenseg.structures.segmentation import decode_segmentation

BYTES_AT_ONCE = 2**18  # of masks, so that they stay in the processor's cache
TOGETHER = 8  # values that are compared with 0 at once, as one uint64

__all__ = ["boxes_around", "decode_rle", "decode_segmentation", "encode_rle"]


def encode_rle(masks: np.ndarray) -> list[dict[str, Any]]:
    """Encode masks as compressed run lengths for JSON, with the result of ``pycocotools.mask.encode``.

    The package copies every mask in column-major order and scans it. Here neighbouring rows are compared, and only the
    pixels that differ are sorted by column. ``tools/benchmark_evaluation.py --only ap`` measures both.

    Args:
        masks: (N, H, W) bool.

    Returns:
        COCO RLE dictionaries ``{"size": [H, W], "counts": str}``, one per mask.
    """
    if len(masks) == 0:
        return []
    height, width = masks.shape[1:]
    pixels = np.ascontiguousarray(masks).view(np.uint8)
    at_once = max(1, BYTES_AT_ONCE // max(1, height * width))
    lengths = [
        line for start in range(0, len(masks), at_once) for line in _run_lengths(pixels[start : start + at_once])
    ]
    runs = coco_mask.frPyObjects([{"size": [height, width], "counts": counts} for counts in lengths], height, width)
    return [{"size": list(run["size"]), "counts": run["counts"].decode("ascii")} for run in runs]


def _run_lengths(masks: np.ndarray) -> list[np.ndarray]:
    """Return the lengths of the runs of each mask in column-major order, background first.

    Args:
        masks: (n, H, W) uint8, 0 or 1.
    """
    count, height, width = masks.shape
    ends = np.arange(count + 1) * (height * width)  # of the masks, as positions in the order of columns
    positions = np.sort(_changes(masks))
    of_mask = np.searchsorted(positions, ends)
    return [np.diff(positions[of_mask[i] : of_mask[i + 1]], prepend=ends[i], append=ends[i + 1]) for i in range(count)]


def _changes(masks: np.ndarray) -> np.ndarray:
    """Return the positions of pixels that differ from the one before them in the order mask, column, row, unsorted.

    Pixels before the first one of a mask are background.

    Args:
        masks: (n, H, W) uint8, 0 or 1.
    """
    _, height, width = masks.shape
    occupied = np.flatnonzero(masks.any(axis=(0, 2)))  # rows
    if not occupied.size:
        return np.zeros(0, dtype=np.int64)
    first = masks[:, 0].copy()  # (n, W)
    first[:, 1:] ^= masks[:, -1, :-1]  # the pixel before the top of a column is the bottom of the column before
    mask, column = np.nonzero(first)
    top, bottom = max(occupied[0], 1), min(occupied[-1] + 2, height)  # rows that can differ from the row above
    below_mask, row, below_column = _nonzero(masks[:, top:bottom] ^ masks[:, top - 1 : bottom - 1])
    below = (below_mask * width + below_column) * height + row + top
    return np.concatenate([(mask * width + column) * height, below])


def _nonzero(values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the indices of values other than 0 in a sparse (n, h, w) uint8 array, eight values at a time."""
    flat = values.ravel()
    if missing := -len(flat) % TOGETHER:
        flat = np.concatenate([flat, np.zeros(missing, dtype=np.uint8)])
    groups = np.flatnonzero(flat.view(np.uint64))
    group, offset = np.nonzero(flat.reshape(-1, TOGETHER)[groups])
    return np.unravel_index(groups[group] * TOGETHER + offset, values.shape)


def decode_rle(runs: list[dict[str, Any]], height: int, width: int) -> np.ndarray:
    """Decode run lengths, compressed or not; they are checked (:mod:`frozenseg.structures.rle`).

    Args:
        runs: N COCO RLE dictionaries.
        height: H.
        width: W.

    Returns:
        (N, H, W) bool.

    Raises:
        ValueError: run lengths are damaged, or not of this height and width.
    """
    masks = np.zeros((len(runs), height, width), dtype=bool)
    for mask, rle in zip(masks, runs, strict=True):
        mask[:] = read_rle(rle, (height, width)).mask()
    return masks


def boxes_around(masks: Tensor) -> Tensor:
    """Return the bounding boxes of masks.

    Args:
        masks: (N, H, W) bool.

    Returns:
        (N, 4) float32 x0, y0, x1, y1 in pixels, x1 and y1 exclusive; zeros for an empty mask.
    """
    boxes = torch.zeros(len(masks), 4, dtype=torch.float32, device=masks.device)
    rows, columns = masks.any(dim=2), masks.any(dim=1)  # (N, H), (N, W): no copies of masks
    for first, line in ((0, columns), (1, rows)):
        if line.shape[1]:
            boxes[:, first] = line.int().argmax(dim=1).to(boxes.dtype)
            boxes[:, first + 2] = (line.shape[1] - line.flip(1).int().argmax(dim=1)).to(boxes.dtype)
    boxes[~rows.any(dim=1)] = 0
    return boxes
