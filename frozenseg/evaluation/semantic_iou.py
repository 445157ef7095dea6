"""Semantic segmentation: IoU and accuracy from one confusion matrix over all images.

Letters: C classes, H×W the image.
"""

from typing import NamedTuple

import numpy as np
import torch

from frozenseg import distributed
from frozenseg.evaluation.class_table import PERCENT, mean_of_known
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.evaluation.label_counts import LabelPairs, count_labels
from frozenseg.evaluation.label_image_evaluator import LabelImageEvaluator
from frozenseg.evaluation.predicted_labels import predicted_labels
from frozenseg.evaluation.types import TaskResults
from frozenseg.registry import EVALUATOR
from frozenseg.structures.label_runs import overlay
from frozenseg.structures.output_kinds import ModelOutput
from frozenseg.structures.record import Record, image_name


@EVALUATOR.register()
class SemanticIoU(LabelImageEvaluator[LabelPairs]):
    """mIoU, fwIoU, mACC, pACC; all also over subsets.

    Ignored pixels do not count. A class without an annotated pixel is in no mean, even if it is predicted; its false
    positives count against the annotated classes of these pixels (Detectron2 since July 2022). ``mIoU_occurring`` is
    the older rule: the mean over classes that are annotated or predicted, with an IoU of 0 for those only predicted.

    """

    output_kind = "semantic"
    rule = (
        "mIoU over the classes that have an annotated pixel (Detectron2 since July 2022); mIoU_occurring, the older "
        "rule, is the mean over the classes that are annotated or predicted."
    )

    def reset(self) -> None:
        """Remove the contributions of all images."""
        # annotated × predicted class; the last column counts pixels without a prediction, which files may have
        self._confusion = np.zeros((len(self.table), len(self.table) + 1), dtype=np.int64)

    def describe(self, record: Record, output: ModelOutput) -> LabelPairs:
        """Compare the best class of ``sem_seg`` with the record's ``sem_seg_file_name``.

        Raises:
            DataError: ground truth or prediction is missing or invalid.
        """
        ground_truth = ground_truth_of(record, "labels")
        predicted = predicted_labels(record, output, len(self.table), ground_truth.size)
        true_classes = self.values.true_classes(ground_truth.values, f"The label image of image {image_name(record)}")
        true_run, predicted_run, pixels = overlay(ground_truth, predicted)
        predicted_classes = predicted.values[predicted_run].astype(np.int64)
        return count_labels(true_classes[true_run], predicted_classes, pixels, len(self.table))

    def add(self, contribution: LabelPairs) -> None:
        """Add the pixels of an image; a contribution has each pair of classes once."""
        pixels = np.array(contribution["pixels"], dtype=np.int64)
        self._confusion[contribution["true"], contribution["predicted"]] += pixels

    def image_score(self, contribution: LabelPairs) -> float:
        """Return the mIoU of one image; NaN if no pixel is annotated."""
        labels = np.array([contribution["true"], contribution["predicted"]], dtype=np.int64)
        classes, indices = np.unique(labels, return_inverse=True)
        confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
        confusion[tuple(indices.reshape(2, -1))] = contribution["pixels"]
        return mean_of_known(_statistics(confusion).iou)

    def evaluate(self) -> TaskResults:
        """Return ``{"sem_seg": {"mIoU": …, "fwIoU": …, "mACC": …, "pACC": …, "S_mIoU": …, …}}``."""
        statistics = _statistics(distributed.sum_over_ranks(torch.from_numpy(self._confusion)).numpy())
        self.per_class = {"IoU": self.table.by_name(statistics.iou), "ACC": self.table.by_name(statistics.accuracy)}
        results = _means(statistics, np.ones(len(self.table), dtype=bool))
        for subset, members in self.table.subsets.items():
            results |= {f"{subset}_{metric}": value for metric, value in _means(statistics, members).items()}
        return {"sem_seg": results}


class _Statistics(NamedTuple):
    """Pixels and scores of C classes."""

    correct: np.ndarray  # (C,) int64 pixels
    annotated: np.ndarray  # (C,) int64 pixels
    predicted: np.ndarray  # (C,) int64 pixels that are not ignored
    iou: np.ndarray  # (C,) float64 fractions, NaN for classes that are not annotated
    accuracy: np.ndarray  # (C,) likewise


def _statistics(confusion: np.ndarray) -> _Statistics:
    """Compute statistics from (C, C) pixels by annotated and predicted class, or (C, C + 1) with unpredicted pixels."""
    correct, annotated = np.diag(confusion), confusion.sum(axis=1)
    predicted = confusion[:, : len(confusion)].sum(axis=0)
    iou, accuracy = np.full((2, len(correct)), np.nan)
    np.divide(correct, annotated + predicted - correct, out=iou, where=annotated > 0)
    np.divide(correct, annotated, out=accuracy, where=annotated > 0)
    return _Statistics(correct, annotated, predicted, iou, accuracy)


def _means(statistics: _Statistics, members: np.ndarray) -> dict[str, float]:
    """Return the metrics over some classes in percent; ``members``: (C,) bool."""
    iou, accuracy = statistics.iou[members], statistics.accuracy[members]
    annotated, correct = statistics.annotated[members], statistics.correct[members]
    occurs, pixels = annotated > 0, annotated.sum()
    occurring = (occurs | (statistics.predicted[members] > 0)).sum()
    unknown = float("nan")
    means = {
        "mIoU": mean_of_known(iou),
        "mIoU_occurring": float(np.nansum(iou) / occurring) if occurring else unknown,
        "fwIoU": float(np.sum(iou[occurs] * annotated[occurs]) / pixels) if pixels else unknown,
        "mACC": mean_of_known(accuracy),
        "pACC": float(correct.sum() / pixels) if pixels else unknown,
    }
    return {metric: PERCENT * value for metric, value in means.items()}
