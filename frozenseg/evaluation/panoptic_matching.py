"""Which segments of two panoptic maps match, as panopticapi defines it: the four counts that PQ is made of.

A predicted and a true segment of the same class match where their IoU is above one half.

Letters: C classes, G true segments, P predicted segments, H×W the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from frozenseg.errors import DataError
from frozenseg.structures.label_runs import Runs, count_pairs, overlay
from frozenseg.structures.panoptic import VOID_ID

MATCH_ABOVE = 0.5  # IoU; strictly above, so that a segment has one match at most
LARGEST_ID = 256**3 - 1
IGNORE_ABOVE = 0.5  # share of an unmatched prediction in void or crowd


@dataclass(frozen=True)
class PanopticMap:
    """Segments of one image.

    Attributes:
        ids: the segment of each pixel, (H, W); 0 is void.
        segment_ids: (n,) int64, all different.
        classes: (n,) int64 contiguous ids.
        iscrowd: (n,) bool; regions of many objects that are not told apart. Read of the truth only.
        areas: (n,) int64 pixels as annotated, which may differ from those in ``ids``. Read of the truth only.
    """

    ids: Runs
    segment_ids: np.ndarray
    classes: np.ndarray
    iscrowd: np.ndarray
    areas: np.ndarray

    @classmethod
    def from_segments(cls, ids: np.ndarray | Runs, segments: Sequence[dict[str, Any]]) -> "PanopticMap":
        """Build from an id map and ``segments_info``.

        Args:
            ids: (H, W) integers, or their runs.
            segments: each with ``id`` and ``category_id`` (contiguous); of the truth also ``area`` and ``iscrowd``.
        """
        return cls(
            ids if isinstance(ids, Runs) else Runs.of(ids),
            np.array([segment["id"] for segment in segments], dtype=np.int64),
            np.array([segment["category_id"] for segment in segments], dtype=np.int64),
            np.array([segment.get("iscrowd", 0) for segment in segments], dtype=bool),
            np.array([segment.get("area", 0) for segment in segments], dtype=np.int64),
        )

    def check(self, name: str, classes: int) -> None:
        """Refuse what cannot be scored.

        Args:
            name: what it is, for the message.
            classes: C.

        Raises:
            DataError: two segments share an id, or a class is unknown.
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
            raise DataError(f"{name} has segment ids outside 0 (void) to {LARGEST_ID}, what an RGB picture can hold.")


class PanopticCounts(NamedTuple):
    """What PQ is made of, for each class."""

    tp: np.ndarray  # (C,) int64
    fp: np.ndarray  # (C,) int64
    fn: np.ndarray  # (C,) int64
    iou: np.ndarray  # (C,) float64, sum over the matches

    def occurring(self) -> list[list[float]]:
        """Return ``[class, tp, fp, fn, sum of IoU]`` for each class that occurs."""
        counts = np.stack(self)  # (4, C)
        return [[int(label), *counts[:, label].tolist()] for label in np.flatnonzero(counts[:3].any(axis=0))]


def count_matches(truth: PanopticMap, predicted: PanopticMap, classes: int, name: str = "the image") -> PanopticCounts:
    """Match the segments of one image.

    Args:
        truth: the ground truth. A true segment's area is the annotated one; crowds never match.
        predicted: the prediction, of the same size.
        classes: C.
        name: what the image is called in messages.

    Returns:
        The counts of this image. An unmatched prediction is no false positive where more than half of it lies in void
        and in the crowd of its class (the last one listed).

    Raises:
        DataError: the two cannot be compared.
    """
    truth.check(f"The ground truth of {name}", classes)
    predicted.check(f"The prediction for {name}", classes)
    shared = _overlaps(truth, predicted, name)
    candidates = (truth.classes[:, None] == predicted.classes) & ~truth.iscrowd[:, None] & (shared.pixels > 0)
    union = shared.areas + truth.areas[:, None] - shared.pixels - shared.void  # (G, P)
    if (union[candidates] <= 0).any():
        raise DataError(f"The ground truth of {name} has a segment whose annotated area is 0 although it has pixels.")
    iou = np.divide(shared.pixels, union, out=np.zeros(union.shape), where=candidates)
    matched = iou > MATCH_ABOVE
    ignored = (shared.void + _overlap_with_crowd(truth, predicted, shared.pixels)) / shared.areas > IGNORE_ABOVE
    true_classes = truth.classes[np.nonzero(matched)[0]]
    missed = ~matched.any(axis=1) & ~truth.iscrowd
    invented = ~matched.any(axis=0) & ~ignored
    return PanopticCounts(
        tp=np.bincount(true_classes, minlength=classes),
        fp=np.bincount(predicted.classes[invented], minlength=classes),
        fn=np.bincount(truth.classes[missed], minlength=classes),
        iou=np.bincount(true_classes, weights=iou[matched], minlength=classes),
    )


class _Overlaps(NamedTuple):
    pixels: np.ndarray  # (G, P) int64, shared by each two segments
    void: np.ndarray  # (P,) int64, of each prediction in void
    areas: np.ndarray  # (P,) int64, of each prediction


def _overlaps(truth: PanopticMap, predicted: PanopticMap, name: str) -> _Overlaps:
    """Count the pixels of every pair of segments."""
    if truth.ids.size != predicted.ids.size:
        raise DataError(
            f"The prediction for {name} is {predicted.ids.size[0]}×{predicted.ids.size[1]} pixels, its ground truth "
            f"{truth.ids.size[0]}×{truth.ids.size[1]}: predict at the size of the original image."
        )
    rows, columns = _with_void(truth.segment_ids), _with_void(predicted.segment_ids)
    true_places, predicted_places = _places(truth.ids.values, rows), _places(predicted.ids.values, columns)
    run_of_truth, run_of_prediction, lengths = overlay(truth.ids, predicted.ids)
    shape = (len(rows) + 1, len(columns) + 1)  # the last place is for ids that are not listed
    pixels = count_pairs(true_places[run_of_truth], predicted_places[run_of_prediction], lengths, shape)
    areas = pixels.sum(axis=0)
    if areas[-1]:
        stray = np.setdiff1d(predicted.ids.values, columns)[0]
        raise DataError(f"The prediction for {name} has pixels of segment {stray}, which is not among its segments.")
    listed = slice(len(predicted.segment_ids))
    if (areas[listed] == 0).any():
        empty = predicted.segment_ids[areas[listed] == 0][0]
        raise DataError(f"The prediction for {name} lists segment {empty}, which has no pixel.")
    void_row = np.flatnonzero(rows == VOID_ID)[0]
    return _Overlaps(pixels[: len(truth.segment_ids), listed], pixels[void_row, listed], areas[listed])


def _with_void(segment_ids: np.ndarray) -> np.ndarray:
    """Return the ids that pixels may have: those listed, then void unless it is listed itself."""
    return segment_ids if (segment_ids == VOID_ID).any() else np.append(segment_ids, VOID_ID)


def _places(values: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """Return each value's place among the listed ids, or behind the last where it is not listed; (n,) int64."""
    order = np.argsort(listed)
    found = np.searchsorted(listed, values, sorter=order).clip(max=len(listed) - 1)
    return np.where(listed[order[found]] == values, order[found], len(listed))


def _overlap_with_crowd(truth: PanopticMap, predicted: PanopticMap, overlap: np.ndarray) -> np.ndarray:
    """Return how many pixels each prediction shares with the crowd of its own class, (P,)."""
    crowd_of_class = dict(zip(truth.classes[truth.iscrowd], np.flatnonzero(truth.iscrowd), strict=True))  # last wins
    crowds = [crowd_of_class.get(label) for label in predicted.classes]
    return np.array([0 if row is None else overlap[row, column] for column, row in enumerate(crowds)], dtype=np.int64)
