"""Panoptic quality (Kirillov et al., 2019), as panopticapi defines it.

A predicted and a true segment of the same class match where their IoU is above one half; then
``PQ = sum of IoU / (TP + FP / 2 + FN / 2) = SQ · RQ`` for each class, averaged over the classes that occur.

Letters: C classes, G true segments, P predicted segments, H×W the image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, ClassTable, mean_of_known
from frozenseg.evaluation.evaluator import DatasetEvaluator, Results
from frozenseg.registry import EVALUATOR
from frozenseg.structures.label_files import ground_truth_file, image_name, read_segment_ids
from frozenseg.structures.panoptic import VOID_ID

MATCH_ABOVE = 0.5  # IoU; strictly above, so that a segment has one match at most
LARGEST_ID = 256**3 - 1
IGNORE_ABOVE = 0.5  # share of an unmatched prediction in void or crowd


@dataclass(frozen=True)
class PanopticMap:
    """Segments of one image.

    Attributes:
        ids: (H, W) integers, the segment of each pixel; 0 is void.
        segment_ids: (n,) int64, all different.
        classes: (n,) int64 contiguous ids.
        iscrowd: (n,) bool; regions of many objects that are not told apart. Read of the truth only.
        areas: (n,) int64 pixels as annotated, which may differ from those in ``ids``. Read of the truth only.
    """

    ids: np.ndarray
    segment_ids: np.ndarray
    classes: np.ndarray
    iscrowd: np.ndarray
    areas: np.ndarray

    @classmethod
    def from_segments(cls, ids: np.ndarray, segments: Sequence[dict[str, Any]]) -> "PanopticMap":
        """Build from an id map and ``segments_info``.

        Args:
            ids: (H, W) integers.
            segments: each with ``id`` and ``category_id`` (contiguous); of the truth also ``area`` and ``iscrowd``.
        """
        return cls(
            ids,
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
        every = (self.ids.min(initial=0), self.ids.max(initial=0), *self.segment_ids)
        if min(every) < 0 or max(every) > LARGEST_ID:
            raise DataError(f"{name} has segment ids outside 0 (void) to {LARGEST_ID}, what an RGB picture can hold.")


class PanopticCounts(NamedTuple):
    """What PQ is made of, for each class."""

    tp: np.ndarray  # (C,) int64
    fp: np.ndarray  # (C,) int64
    fn: np.ndarray  # (C,) int64
    iou: np.ndarray  # (C,) float64, sum over the matches


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


@EVALUATOR.register()
class PanopticQuality(DatasetEvaluator):
    """PQ, SQ and RQ over all classes, things, stuff; PQ over subsets; four numbers a class are kept.

    Args:
        table: the classes.
    """

    read_out = "panoptic"
    evaluator_types = frozenset(
        {
            "coco_panoptic_seg",
            "ade20k_panoptic_seg",
            "cityscapes_panoptic_seg",
            "mapillary_vistas_panoptic_seg",
            "bdd_panoptic_pano",
        }
    )

    def __init__(self, table: ClassTable) -> None:
        self.table = table
        super().__init__()

    @classmethod
    def from_metadata(cls, metadata: Any, seen: Sequence[bool]) -> "PanopticQuality":
        """Build for a data set."""
        return cls(ClassTable.from_metadata(metadata, seen))

    def reset(self) -> None:
        """Forget all images."""
        self._sums = np.zeros((4, len(self.table)))  # tp, fp, fn, iou

    def process(self, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
        """Match ``panoptic_seg`` of each output with the record's ``pan_seg_file_name`` and ``segments_info``.

        Raises:
            DataError: truth or prediction is missing or wrong.
        """
        for record, output in zip(inputs, outputs, strict=True):
            name = f"image {image_name(record)}"
            if "panoptic_seg" not in output:
                raise DataError(
                    f"The output for {name} has no panoptic_seg: set MODEL.MASK_FORMER.TEST.PANOPTIC_ON to True."
                )
            ids, segments = output["panoptic_seg"]
            true_ids = read_segment_ids(ground_truth_file(record, "pan_seg_file_name"))
            truth = PanopticMap.from_segments(true_ids, record["segments_info"])
            predicted = PanopticMap.from_segments(torch.as_tensor(ids).cpu().numpy(), segments)
            self._sums += np.stack(count_matches(truth, predicted, len(self.table), name))

    def evaluate(self) -> Results:
        """Return ``{"panoptic_seg": {"PQ": …, "SQ": …, "RQ": …, "PQ_th": …, "S_PQ": …, …}}``."""
        tp, fp, fn, iou = distributed.sum_over_ranks(torch.from_numpy(self._sums)).numpy()
        quality = _qualities(tp, fp, fn, iou)
        self.per_class = {metric: self.table.by_name(values) for metric, values in quality.items()}
        results = {}
        kinds = {"": np.ones(len(self.table), dtype=bool), "_th": self.table.isthing, "_st": ~self.table.isthing}
        for suffix, members in kinds.items():
            for metric, values in quality.items():
                results[f"{metric}{suffix}"] = PERCENT * mean_of_known(values[members])
        return {"panoptic_seg": {**results, **self.table.subset_means("PQ", quality["PQ"])}}


def _qualities(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray, iou: np.ndarray) -> dict[str, np.ndarray]:
    """Return PQ, SQ, RQ of each class, (C,) fractions; NaN where a class was neither annotated nor predicted."""
    weight = tp + fp / 2 + fn / 2
    occurs = weight > 0
    unknown = np.where(occurs, 0.0, np.nan)
    return {
        "PQ": np.divide(iou, weight, out=unknown.copy(), where=occurs),
        "SQ": np.divide(iou, tp, out=unknown.copy(), where=tp > 0),
        "RQ": np.divide(tp, weight, out=unknown.copy(), where=occurs),
    }


class _Overlaps(NamedTuple):
    pixels: np.ndarray  # (G, P) int64, shared by each two segments
    void: np.ndarray  # (P,) int64, of each prediction in void
    areas: np.ndarray  # (P,) int64, of each prediction


def _overlaps(truth: PanopticMap, predicted: PanopticMap, name: str) -> _Overlaps:
    """Count the pixels of every pair of segments in one pass over the image."""
    if truth.ids.shape != predicted.ids.shape:
        raise DataError(
            f"The prediction for {name} is {predicted.ids.shape[0]}×{predicted.ids.shape[1]} pixels, its ground truth "
            f"{truth.ids.shape[0]}×{truth.ids.shape[1]}: predict at the size of the original image."
        )
    rows, columns = _with_void(truth.segment_ids), _with_void(predicted.segment_ids)
    shape = (len(rows) + 1, len(columns) + 1)  # place 0 is for ids that are not listed
    pairs = _places(truth.ids, rows) * shape[1] + _places(predicted.ids, columns)  # (H, W)
    pixels = np.bincount(pairs.ravel(), minlength=shape[0] * shape[1]).reshape(shape)
    areas = pixels.sum(axis=0)
    if areas[0]:
        stray = np.setdiff1d(predicted.ids, columns)[0]
        raise DataError(f"The prediction for {name} has pixels of segment {stray}, which is not among its segments.")
    listed = slice(1, len(predicted.segment_ids) + 1)
    if (areas[listed] == 0).any():
        empty = predicted.segment_ids[areas[listed] == 0][0]
        raise DataError(f"The prediction for {name} lists segment {empty}, which has no pixel.")
    void_row = 1 + np.flatnonzero(rows == VOID_ID)[0]
    return _Overlaps(pixels[1 : len(truth.segment_ids) + 1, listed], pixels[void_row, listed], areas[listed])


def _with_void(segment_ids: np.ndarray) -> np.ndarray:
    """Return the ids that pixels may have: those listed, then void unless it is listed itself."""
    return segment_ids if (segment_ids == VOID_ID).any() else np.append(segment_ids, VOID_ID)


def _places(ids: np.ndarray, listed: np.ndarray) -> np.ndarray:
    """Return each pixel's place among the listed ids, counted from 1, or 0 where its id is not listed; (H, W) int32."""
    # a table of all ids up to the largest: the operating system hands out only the few pages of it that are touched
    table = np.zeros(max(ids.max(initial=0), listed.max(initial=0)) + 1, dtype=np.int32)
    table[listed] = np.arange(1, len(listed) + 1)
    return table.take(ids)


def _overlap_with_crowd(truth: PanopticMap, predicted: PanopticMap, overlap: np.ndarray) -> np.ndarray:
    """Return how many pixels each prediction shares with the crowd of its own class, (P,)."""
    crowd_of_class = dict(zip(truth.classes[truth.iscrowd], np.flatnonzero(truth.iscrowd), strict=True))  # last wins
    crowds = [crowd_of_class.get(label) for label in predicted.classes]
    return np.array([0 if row is None else overlap[row, column] for column, row in enumerate(crowds)], dtype=np.int64)
