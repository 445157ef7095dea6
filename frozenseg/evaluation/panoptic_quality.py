"""Panoptic quality (Kirillov et al., 2019), as panopticapi defines it.

``PQ = sum of IoU / (TP + FP / 2 + FN / 2) = SQ · RQ`` for each class, averaged over the classes that occur.

Letters: C classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, ClassTable, mean_of_known
from frozenseg.evaluation.evaluator import DatasetEvaluator, Results
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.evaluation.panoptic_matching import PanopticCounts, PanopticMap, count_matches
from frozenseg.registry import EVALUATOR
from frozenseg.structures.label_files import image_name


@EVALUATOR.register()
class PanopticQuality(DatasetEvaluator):
    """PQ, SQ and RQ over all classes, things, stuff; PQ over subsets; four numbers a class are kept.

    Args:
        table: the classes.
    """

    output_kind = "panoptic"
    rule = (
        "PQ as panopticapi counts it: a match has an IoU above 0.5, true areas are those of the annotation file, and a "
        "class that is neither annotated nor predicted counts in no mean."
    )
    truth = "segments"
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

    def describe(self, record: dict[str, Any], output: dict[str, Any]) -> list[list[float]]:
        """Match ``panoptic_seg`` of an output with the record's ``pan_seg_file_name`` and ``segments_info``.

        Returns:
            ``[class, tp, fp, fn, sum of IoU]`` for each class that occurs.

        Raises:
            DataError: truth or prediction is missing or wrong.
        """
        name = f"image {image_name(record)}"
        if "panoptic_seg" not in output:
            raise DataError(
                f"The output for {name} has no panoptic_seg: set MODEL.MASK_FORMER.TEST.PANOPTIC_ON to True."
            )
        ids, segments = output["panoptic_seg"]
        predicted = PanopticMap.from_segments(torch.as_tensor(ids).cpu().numpy(), segments)
        return count_matches(ground_truth_of(record, self.truth), predicted, len(self.table), name).occurring()

    def add(self, contribution: list[list[float]]) -> None:
        """Add the counts of an image."""
        for label, *counts in contribution:
            self._sums[:, int(label)] += counts

    def image_score(self, contribution: list[list[float]]) -> float:
        """Return the PQ of one image, the mean over its classes; NaN where there is nothing."""
        counts = np.array(contribution, dtype=np.float64).reshape(-1, 5).T[1:]
        return mean_of_known(_qualities(PanopticCounts(*counts))["PQ"])

    def counts(self) -> PanopticCounts:
        """Return what all images of all processes have contributed."""
        sums = distributed.sum_over_ranks(torch.from_numpy(self._sums)).numpy()
        tp, fp, fn = sums[:3].astype(np.int64)
        return PanopticCounts(tp, fp, fn, sums[3])

    def evaluate(self) -> Results:
        """Return ``{"panoptic_seg": {"PQ": …, "SQ": …, "RQ": …, "PQ_th": …, "S_PQ": …, …}}``."""
        quality = _qualities(self.counts())
        self.per_class = {metric: self.table.by_name(values) for metric, values in quality.items()}
        results = {}
        kinds = {"": np.ones(len(self.table), dtype=bool), "_th": self.table.isthing, "_st": ~self.table.isthing}
        for suffix, members in kinds.items():
            for metric, values in quality.items():
                results[f"{metric}{suffix}"] = PERCENT * mean_of_known(values[members])
        for metric, values in quality.items():
            results |= self.table.subset_means(metric, values)
        return {"panoptic_seg": results}


def _qualities(counts: PanopticCounts) -> dict[str, np.ndarray]:
    """Return PQ, SQ, RQ of each class, (C,) fractions; NaN where a class was neither annotated nor predicted."""
    tp, fp, fn, iou = counts
    weight = tp + fp / 2 + fn / 2
    occurs = weight > 0
    unknown = np.where(occurs, 0.0, np.nan)
    return {
        "PQ": np.divide(iou, weight, out=unknown.copy(), where=occurs),
        "SQ": np.divide(iou, tp, out=unknown.copy(), where=tp > 0),
        "RQ": np.divide(tp, weight, out=unknown.copy(), where=occurs),
    }
