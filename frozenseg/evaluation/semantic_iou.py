"""Semantic segmentation: IoU and accuracy from one confusion matrix over all images.

Letters: C classes, H×W the image.
"""

from typing import Any, NamedTuple

import numpy as np
import torch

from frozenseg import distributed
from frozenseg.evaluation.class_table import PERCENT, mean_of_known
from frozenseg.evaluation.evaluator import Results
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.evaluation.label_counts import LabelPairs, count_labels
from frozenseg.evaluation.label_evaluator import LabelEvaluator
from frozenseg.evaluation.predicted_labels import predicted_labels
from frozenseg.registry import EVALUATOR
from frozenseg.structures.label_runs import overlay


@EVALUATOR.register()
class SemanticIoU(LabelEvaluator):
    """mIoU, fwIoU, mACC, pACC; all also over subsets.

    Ignored pixels count nowhere. A class without a true pixel counts in no mean, even where it is predicted; its false
    pixels count against the classes that they lie on (Detectron2 since July 2022). In ``mIoU_occurring``, the older
    rule, such a class is one more to divide by: as if its IoU were 0.

    Args:
        table: the classes.
        ignore_label: value of unlabelled pixels in the label pictures.
        first_label: value of the first class in them.
    """

    output_kind = "semantic"
    rule = (
        "mIoU over the classes that have a true pixel (Detectron2 since July 2022); mIoU_occurring, the older rule, "
        "divides by those that are predicted alone too."
    )

    def reset(self) -> None:
        """Forget all images."""
        # true class by predicted class; in the last column pixels without an answer, which files may have
        self._confusion = np.zeros((len(self.table), len(self.table) + 1), dtype=np.int64)

    def describe(self, record: dict[str, Any], output: dict[str, Any]) -> LabelPairs:
        """Compare the best class of ``sem_seg`` with the record's ``sem_seg_file_name``.

        Returns:
            ``true``, ``predicted`` and ``pixels``: how many pixels of a true class are predicted as which.

        Raises:
            DataError: truth or prediction is missing or wrong.
        """
        truth = ground_truth_of(record, self.truth)
        predicted = predicted_labels(record, output, len(self.table), truth.size)
        true_classes = self._classes(truth.values, record)
        run_of_truth, run_of_prediction, pixels = overlay(truth, predicted)
        guessed = predicted.values[run_of_prediction].astype(np.int64)
        return count_labels(true_classes[run_of_truth], guessed, pixels, len(self.table))

    def add(self, contribution: LabelPairs) -> None:
        """Add the pixels of an image; each pair of classes stands once in a contribution."""
        pixels = np.array(contribution["pixels"], dtype=np.int64)
        self._confusion[contribution["true"], contribution["predicted"]] += pixels

    def image_score(self, contribution: LabelPairs) -> float:
        """Return the mIoU of one image; NaN where nothing is annotated."""
        places = np.array([contribution["true"], contribution["predicted"]], dtype=np.int64)
        classes, places = np.unique(places, return_inverse=True)
        confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
        confusion[tuple(places.reshape(2, -1))] = contribution["pixels"]
        return mean_of_known(_figures(confusion).iou)

    def evaluate(self) -> Results:
        """Return ``{"sem_seg": {"mIoU": …, "fwIoU": …, "mACC": …, "pACC": …, "S_mIoU": …, …}}``."""
        figures = _figures(distributed.sum_over_ranks(torch.from_numpy(self._confusion)).numpy())
        self.per_class = {"IoU": self.table.by_name(figures.iou), "ACC": self.table.by_name(figures.accuracy)}
        results = self._means(figures, np.ones(len(self.table), dtype=bool))
        for subset, members in self.table.subsets.items():
            of_subset = self._means(figures, members)
            results |= {f"{subset}_{metric}": value for metric, value in of_subset.items()}
        return {"sem_seg": results}

    @staticmethod
    def _means(figures: "_Figures", members: np.ndarray) -> dict[str, float]:
        """Return the metrics over some classes, in percent."""
        iou, accuracy = figures.iou[members], figures.accuracy[members]
        annotated, right = figures.annotated[members], figures.right[members]
        occurs, pixels = annotated > 0, annotated.sum()
        occurring = (occurs | (figures.predicted[members] > 0)).sum()
        nothing = float("nan")
        means = {
            "mIoU": mean_of_known(iou),
            "mIoU_occurring": float(np.nansum(iou) / occurring) if occurring else nothing,
            "fwIoU": float(np.sum(iou[occurs] * annotated[occurs]) / pixels) if pixels else nothing,
            "mACC": mean_of_known(accuracy),
            "pACC": float(right.sum() / pixels) if pixels else nothing,
        }
        return {metric: PERCENT * value for metric, value in means.items()}


class _Figures(NamedTuple):
    right: np.ndarray  # (C,) int64 pixels
    annotated: np.ndarray  # (C,) int64 pixels
    predicted: np.ndarray  # (C,) int64 pixels that are not ignored
    iou: np.ndarray  # (C,) float64 fractions, NaN for classes that are not annotated
    accuracy: np.ndarray  # (C,) likewise


def _figures(confusion: np.ndarray) -> _Figures:
    """Return what follows from (C, C) pixels, true class by predicted class; or (C, C + 1), the last for no answer."""
    right, annotated = np.diag(confusion), confusion.sum(axis=1)
    predicted = confusion[:, : len(confusion)].sum(axis=0)
    iou, accuracy = np.full((2, len(right)), np.nan)
    np.divide(right, annotated + predicted - right, out=iou, where=annotated > 0)
    np.divide(right, annotated, out=accuracy, where=annotated > 0)
    return _Figures(right, annotated, predicted, iou, accuracy)
