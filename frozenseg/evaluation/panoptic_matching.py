"""Matching of the segments of two panoptic maps, and the four counts of PQ, as panopticapi computes them.

A predicted and an annotated segment of the same class match if their IoU is above one half.

Letters: C classes, G annotated segments, P predicted segments, H×W the image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from frozenseg.errors import DataError
from frozenseg.structures.label_runs import Runs, count_pairs, overlay
from frozenseg.structures.panoptic import VOID_ID

MATCH_IOU = 0.5  # a match is strictly above, so that a segment has at most one
LARGEST_ID = 256**3 - 1
LARGEST_TABLE = 2**24  # pairs of segments in one image
IGNORED_SHARE = 0.5  # above this share of pixels in void or crowd, an unmatched prediction is ignored


@dataclass(frozen=True)
class PanopticMap:
    """Segments of one image.

    Attributes:
        ids: segment id of each pixel, (H, W); 0 is void.
        segment_ids: (n,) int64, all different.
        classes: (n,) int64 contiguous ids.
        iscrowd: (n,) bool, True for regions of several objects; used of the ground truth only.
        areas: (n,) int64 annotated pixels, which may differ from those in ``ids``; used of the ground truth only.
    """

    ids: Runs
    segment_ids: np.ndarray
    classes: np.ndarray
    iscrowd: np.ndarray
    areas: np.ndarray

    @classmethod
    def from_segments(cls, ids: np.ndarray | Runs, segments: Sequence[Mapping[str, int | bool]]) -> "PanopticMap":
        """Build from an id map and ``segments_info``.

        Args:
            ids: (H, W) integers, or their runs.
            segments: each with ``id`` and ``category_id`` (contiguous); in ground truth also ``area`` and ``iscrowd``.
        """
        return cls(
            ids if isinstance(ids, Runs) else Runs.of(ids),
            np.array([segment["id"] for segment in segments], dtype=np.int64),
            np.array([segment["category_id"] for segment in segments], dtype=np.int64),
            np.array([segment.get("iscrowd", 0) for segment in segments], dtype=bool),
            np.array([segment.get("area", 0) for segment in segments], dtype=np.int64),
        )

    def check(self, name: str, classes: int) -> None:
        """Check that the segments can be scored.

        Args:
            name: of the map, for the message.
            classes: C.

        Raises:
            DataError: two segments have the same id, or a class or an id is out of range.
        """
        values, counts = np.unique(self.segment_ids, return_counts=True)
        if (counts > 1).any():
            raise DataError(f"{name} lists segment id {values[counts > 1][0]} more than once: ids must differ.")
        wrong = (self.classes < 0) | (self.classes >= classes)
        if wrong.any():
            raise DataError(
                f"{name} has a segment of category {self.classes[wrong][0]}: expected 0 to {classes - 1}, one of the "
                f"{classes} classes of the data set."
            )
        every = (self.ids.values.min(initial=0), self.ids.values.max(initial=0), *self.segment_ids)
        if min(every) < 0 or max(every) > LARGEST_ID:
            raise DataError(f"{name} has segment ids outside 0 (void) to {LARGEST_ID}, the range of an RGB image.")


class PanopticCounts(NamedTuple):
    """Counts of PQ by class."""

    tp: np.ndarray  # (C,) int64
    fp: np.ndarray  # (C,) int64
    fn: np.ndarray  # (C,) int64
    iou: np.ndarray  # (C,) float64, sum over the matches

    def occurring(self) -> list[list[float]]:
        """Return ``[class, tp, fp, fn, sum of IoU]`` for each class that occurs."""
        counts = np.stack(self)  # (4, C)
        return [[int(label), *counts[:, label].tolist()] for label in np.flatnonzero(counts[:3].any(axis=0))]


def count_matches(
    ground_truth: PanopticMap, predicted: PanopticMap, classes: int, name: str = "the image"
) -> PanopticCounts:
    """Match the segments of one image.

    Args:
        ground_truth: the annotation. The area of a segment is the annotated one; crowds never match.
        predicted: the prediction, of the same size.
        classes: C.
        name: of the image, for messages.

    Returns:
        The counts of this image. An unmatched prediction is not a false positive if more than half of its pixels are
        void or in the crowd of its class (the last one listed).

    Raises:
        DataError: the maps are invalid or have different sizes.
    """
    ground_truth.check(f"The ground truth of {name}", classes)
    predicted.check(f"The prediction for {name}", classes)
    overlaps = _overlaps(ground_truth, predicted, name)
    same_class = ground_truth.classes[:, None] == predicted.classes  # (G, P)
    candidates = same_class & ~ground_truth.iscrowd[:, None] & (overlaps.pixels > 0)
    union = overlaps.areas + ground_truth.areas[:, None] - overlaps.pixels - overlaps.void  # (G, P)
    _check_areas(ground_truth, predicted, overlaps, candidates & (overlaps.pixels > union), name)
    iou = np.divide(overlaps.pixels, union, out=np.zeros(union.shape), where=candidates)
    matched = iou > MATCH_IOU
    unscored = overlaps.void + _overlap_with_crowd(ground_truth, predicted, overlaps.pixels)  # (P,) pixels
    ignored = unscored / overlaps.areas > IGNORED_SHARE
    true_classes = ground_truth.classes[np.nonzero(matched)[0]]
    missed = ~matched.any(axis=1) & ~ground_truth.iscrowd
    spurious = ~matched.any(axis=0) & ~ignored
    return PanopticCounts(
        tp=np.bincount(true_classes, minlength=classes),
        fp=np.bincount(predicted.classes[spurious], minlength=classes),
        fn=np.bincount(ground_truth.classes[missed], minlength=classes),
        iou=np.bincount(true_classes, weights=iou[matched], minlength=classes),
    )


class _Overlaps(NamedTuple):
    """Pixels of pairs of segments."""

    pixels: np.ndarray  # (G, P) int64, shared by two segments
    void: np.ndarray  # (P,) int64, of each prediction in void
    areas: np.ndarray  # (P,) int64, of each prediction
    true_areas: np.ndarray  # (G,) int64, pixels of each annotated segment


def _overlaps(ground_truth: PanopticMap, predicted: PanopticMap, name: str) -> _Overlaps:
    """Count the pixels of every pair of segments."""
    if ground_truth.ids.size != predicted.ids.size:
        raise DataError(
            f"The prediction for {name} is {predicted.ids.size[0]}×{predicted.ids.size[1]} pixels, its ground truth "
            f"{ground_truth.ids.size[0]}×{ground_truth.ids.size[1]}: predict at the size of the original image."
        )
    rows, columns = _with_void(ground_truth.segment_ids), _with_void(predicted.segment_ids)
    true_rows, predicted_columns = _indices(ground_truth.ids.values, rows), _indices(predicted.ids.values, columns)
    true_run, predicted_run, lengths = overlay(ground_truth.ids, predicted.ids)
    shape = (len(rows) + 1, len(columns) + 1)  # the last row and column are for ids that are not listed
    if shape[0] * shape[1] > LARGEST_TABLE:
        raise DataError(
            f"The ground truth of {name} lists {len(rows)} segments and its prediction {len(columns)}: expected at "
            f"most {LARGEST_TABLE} pairs. Check that segments_info lists the segments of one image."
        )
    pixels = count_pairs(true_rows[true_run], predicted_columns[predicted_run], lengths, shape)
    areas = pixels.sum(axis=0)
    if areas[-1]:
        stray = np.setdiff1d(predicted.ids.values, columns)[0]
        raise DataError(f"The prediction for {name} has pixels of segment {stray}, which is not among its segments.")
    listed = slice(len(predicted.segment_ids))
    if (areas[listed] == 0).any():
        empty = predicted.segment_ids[areas[listed] == 0][0]
        raise DataError(f"The prediction for {name} lists segment {empty}, which has no pixel.")
    void_row = np.flatnonzero(rows == VOID_ID)[0]
    true_listed = slice(len(ground_truth.segment_ids))
    true_areas = pixels.sum(axis=1)[true_listed]
    return _Overlaps(pixels[true_listed, listed], pixels[void_row, listed], areas[listed], true_areas)


def _check_areas(
    ground_truth: PanopticMap,
    predicted: PanopticMap,
    overlaps: _Overlaps,
    impossible: np.ndarray,
    name: str,
) -> None:
    """Raise DataError for an ``impossible`` IoU, (G, P) bool: it proves an annotated area that is too small."""
    for row, column in np.argwhere(impossible)[:1].tolist():
        raise DataError(
            f"The ground truth of {name} is wrong: segment {ground_truth.segment_ids[row]} has an annotated area of "
            f"{ground_truth.areas[row]} and {overlaps.true_areas[row]} pixels, so that its IoU with the predicted "
            f"segment {predicted.segment_ids[column]} would be above 1. Write the JSON (area = number of pixels) and "
            "the PNG again from the same masks."
        )


def _with_void(segment_ids: np.ndarray) -> np.ndarray:
    """Return the ids that pixels may have: those listed, then void unless it is listed."""
    return segment_ids if (segment_ids == VOID_ID).any() else np.append(segment_ids, VOID_ID)


def _indices(values: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """Return the index of each value in the listed ids, or their number if it is not listed; (n,) int64."""
    order = np.argsort(listed)
    candidates = order[np.searchsorted(listed, values, sorter=order).clip(max=len(listed) - 1)]
    return np.where(listed[candidates] == values, candidates, len(listed))


def _overlap_with_crowd(ground_truth: PanopticMap, predicted: PanopticMap, overlap: np.ndarray) -> np.ndarray:
    """Return the number of pixels that each prediction shares with the crowd of its class, (P,)."""
    iscrowd = ground_truth.iscrowd
    crowd_of_class = dict(
        zip(ground_truth.classes[iscrowd], np.flatnonzero(iscrowd), strict=True)
    )  # the last one counts
    crowds = [crowd_of_class.get(label) for label in predicted.classes]
    return np.array([0 if row is None else overlap[row, column] for column, row in enumerate(crowds)], dtype=np.int64)
