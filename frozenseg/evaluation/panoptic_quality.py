"""Panoptic quality (Kirillov et al., 2019), as panopticapi computes it.

``PQ = sum of IoU / (TP + FP / 2 + FN / 2) = SQ · RQ`` for each class, averaged over the classes that occur.

Letters: C classes.
"""

from collections.abc import Sequence

import numpy as np
import torch

from frozenseg import distributed
from frozenseg.evaluation.class_table import PERCENT, ClassTable, mean_of_known
from frozenseg.evaluation.evaluator import DatasetEvaluator
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.evaluation.panoptic_matching import PanopticCounts, PanopticMap, count_matches
from frozenseg.evaluation.required_output import required_output
from frozenseg.evaluation.types import TaskResults
from frozenseg.registry import EVALUATOR
from frozenseg.structures.dataset_metadata import DatasetMetadata
from frozenseg.structures.output_kinds import ModelOutput
from frozenseg.structures.record import Record, image_name

PanopticContribution = list[list[float]]  # [class, tp, fp, fn, sum of IoU] for each class that occurs in an image


@EVALUATOR.register()
class PanopticQuality(DatasetEvaluator[PanopticContribution]):
    """PQ, SQ and RQ over all classes, over things and over stuff, and over subsets; stores four numbers per class.

    Args:
        table: the classes.
    """

    output_kind = "panoptic"
    rule = (
        "PQ as panopticapi computes it: a match has an IoU above 0.5, areas of annotated segments are those of the "
        "annotation file, and a class that is neither annotated nor predicted is in no mean."
    )
    ground_truth = "segments"
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
    def from_metadata(cls, metadata: DatasetMetadata, seen: Sequence[bool]) -> "PanopticQuality":
        """Build for a data set."""
        return cls(ClassTable.from_metadata(metadata, seen))

    def reset(self) -> None:
        """Remove the contributions of all images."""
        self._sums = np.zeros((4, len(self.table)))  # tp, fp, fn, iou

    def describe(self, record: Record, output: ModelOutput) -> PanopticContribution:
        """Match ``panoptic_seg`` of an output with the record's ``pan_seg_file_name`` and ``segments_info``.

        Raises:
            DataError: ground truth or prediction is missing or invalid.
        """
        ids, segments = required_output(record, output, "panoptic")
        predicted = PanopticMap.from_segments(torch.as_tensor(ids).cpu().numpy(), segments)
        ground_truth = ground_truth_of(record, "segments")
        return count_matches(ground_truth, predicted, len(self.table), f"image {image_name(record)}").occurring()

    def add(self, contribution: PanopticContribution) -> None:
        """Add the counts of an image."""
        for label, *counts in contribution:
            self._sums[:, int(label)] += counts

    def image_score(self, contribution: PanopticContribution) -> float:
        """Return the PQ of one image, the mean over its classes; NaN without any segment."""
        counts = np.array(contribution, dtype=np.float64).reshape(-1, 5).T[1:]
        return mean_of_known(class_qualities(PanopticCounts(*counts))["PQ"])

    def counts(self) -> PanopticCounts:
        """Return the counts over all images of all processes."""
        sums = distributed.sum_over_ranks(torch.from_numpy(self._sums)).numpy()
        tp, fp, fn = sums[:3].astype(np.int64)
        return PanopticCounts(tp, fp, fn, sums[3])

    def evaluate(self) -> TaskResults:
        """Return ``{"panoptic_seg": {"PQ": …, "SQ": …, "RQ": …, "PQ_th": …, "S_PQ": …, …}}``."""
        quality = class_qualities(self.counts())
        self.per_class = {metric: self.table.by_name(values) for metric, values in quality.items()}
        results = {}
        kinds = {"": np.ones(len(self.table), dtype=bool), "_th": self.table.isthing, "_st": ~self.table.isthing}
        for suffix, members in kinds.items():
            for metric, values in quality.items():
                results[f"{metric}{suffix}"] = PERCENT * mean_of_known(values[members])
        for metric, values in quality.items():
            results |= self.table.subset_means(metric, values)
        return {"panoptic_seg": results}


def class_qualities(counts: PanopticCounts) -> dict[str, np.ndarray]:
    """Return PQ, SQ and RQ, fractions of the shape of the counts; NaN for classes neither annotated nor predicted.

    Args:
        counts: of each class, (C,), or of several sets of images, (…, C).
    """
    tp, fp, fn, iou = counts
    weight = tp + fp / 2 + fn / 2
    occurs = weight > 0
    unknown = np.where(occurs, 0.0, np.nan)
    return {
        "PQ": np.divide(iou, weight, out=unknown.copy(), where=occurs),
        "SQ": np.divide(iou, tp, out=unknown.copy(), where=tp > 0),
        "RQ": np.divide(tp, weight, out=unknown.copy(), where=occurs),
    }
