"""Binary masks: conversion between bit masks and COCO run-length encoding (RLE), and bounding boxes."""

from typing import Any

import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor

from frozenseg.structures.rle import read_rle
from frozenseg.structures.segmentation import decode_segmentation

__all__ = ["boxes_around", "decode_rle", "decode_segmentation", "encode_rle"]


def encode_rle(masks: np.ndarray) -> list[dict[str, Any]]:
    """Encode masks as compressed run lengths for JSON, with the result of ``pycocotools.mask.encode``.

    Faster than ``pycocotools.mask.encode``, which copies and scans whole images: for 100 objects of up to a quarter of
    the height and width 2.8 times at 480×640 and 640×640, 9 times at 1024×2048; slower (0.75 times) only for masks with
    ragged outlines that cover half of the image (one CPU thread).

    Args:
        masks: (N, H, W) bool.

    Returns:
        COCO RLE dictionaries ``{"size": [H, W], "counts": str}``, one per mask.
    """
    if len(masks) == 0:
        return []
    height, width = masks.shape[1:]
    rows, columns = np.asarray(masks.any(axis=2)), np.asarray(masks.any(axis=1))
    lengths = [_run_lengths(mask, *box) for mask, *box in zip(masks, rows, columns, strict=True)]
    runs = coco_mask.frPyObjects([{"size": [height, width], "counts": counts} for counts in lengths], height, width)
    return [{"size": list(run["size"]), "counts": run["counts"].decode("ascii")} for run in runs]


def _run_lengths(mask: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> list[int]:
    """Return the lengths of the runs of a mask in column-major order, background first; scans its bounding box only.

    Args:
        mask: (H, W) bool.
        rows: (H,) bool, True for rows with a pixel of the mask.
        columns: (W,) bool, True for columns with a pixel of the mask.
    """
    height, width = mask.shape
    if not rows.any():
        return [height * width]
    (top, bottom), (left, right) = (np.flatnonzero(line)[[0, -1]] for line in (rows, columns))
    box = np.zeros((right - left + 1, bottom - top + 2), dtype=bool)  # a background pixel ends each column
    box[:, :-1] = mask[top : bottom + 1, left : right + 1].T
    inside = np.concatenate([[False], box.ravel()])
    column, row = np.divmod(np.flatnonzero(inside[1:] != inside[:-1]), box.shape[1])
    changes = (column + left) * height + row + top
    joined = np.flatnonzero(changes[1:] == changes[:-1])  # runs that continue at the top of the next column
    changes = np.delete(changes, np.concatenate([joined, joined + 1]))
    changes = changes[changes < height * width]  # the end of the map ends the last run
    lengths: list[int] = np.diff(changes, prepend=0, append=height * width).tolist()
    return lengths


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
