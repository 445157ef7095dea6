"""Semantic segmentation: IoU and accuracy from one confusion matrix over all images.

Letters: C classes, H×W the image.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, ClassTable, mean_of_known
from frozenseg.evaluation.evaluator import DatasetEvaluator, Results
from frozenseg.evaluation.truth import truth_of
from frozenseg.registry import EVALUATOR
from frozenseg.structures.best_class import best_class
from frozenseg.structures.label_files import image_name
from frozenseg.structures.runs import Runs, overlay

IGNORED = -1


@EVALUATOR.register()
class SemanticIoU(DatasetEvaluator):
    """mIoU, fwIoU, mACC, pACC; all also over subsets.

    Ignored pixels count nowhere. A class without a true pixel counts in no mean, even where it is predicted; its false
    pixels count against the classes that they lie on (Detectron2 since July 2022). In ``mIoU_occurring``, the older
    rule, such a class is one more to divide by: as if its IoU were 0.

    Args:
        table: the classes.
        ignore_label: value of unlabelled pixels in the label pictures.
        first_label: value of the first class in them.
    """

    read_out = "semantic"
    truth = "labels"
    evaluator_types = frozenset(
        {
            "sem_seg",
            "coco_panoptic_seg",
            "ade20k_panoptic_seg",
            "cityscapes_panoptic_seg",
            "cityscapes_sem_seg",
            "mapillary_vistas_panoptic_seg",
        }
    )

    def __init__(self, table: ClassTable, ignore_label: int = 255, first_label: int = 0) -> None:
        self.table = table
        self.ignore_label = ignore_label
        self.first_label = first_label
        super().__init__()

    @classmethod
    def from_metadata(cls, metadata: Any, seen: Sequence[bool]) -> "SemanticIoU":
        """Build for a data set."""
        first_label = getattr(metadata, "first_label", 0)
        return cls(ClassTable.from_metadata(metadata, seen), metadata.ignore_label, first_label)

    @classmethod
    def lacks(cls, metadata: Any) -> str:
        """Say that there are no label pictures, or nothing."""
        return "label pictures" if getattr(metadata, "sem_seg_root", "in the records") is None else ""

    def reset(self) -> None:
        """Forget all images."""
        self._confusion = np.zeros((len(self.table), len(self.table)), dtype=np.int64)

    def describe(self, record: dict[str, Any], output: dict[str, Any]) -> dict[str, list[int]]:
        """Compare the best class of ``sem_seg`` with the record's ``sem_seg_file_name``.

        ``sem_seg`` is either the scores (C, H, W) or the best class itself, (H, W) integers.

        Returns:
            ``true``, ``predicted`` and ``pixels``: how many pixels of a true class are predicted as which.

        Raises:
            DataError: truth or prediction is missing or wrong.
        """
        name = f"image {image_name(record)}"
        if "sem_seg" not in output:
            raise DataError(f"The output for {name} has no sem_seg: set MODEL.MASK_FORMER.TEST.SEMANTIC_ON to True.")
        truth = truth_of(record, self.truth)
        predicted = Runs.of(self._labels(output["sem_seg"], truth.size, name))
        true_classes = self._classes(truth.values, name)
        run_of_truth, run_of_prediction, pixels = overlay(truth, predicted)
        true, guessed = true_classes[run_of_truth], predicted.values[run_of_prediction].astype(np.int64)
        counted = (true != IGNORED) & (pixels > 0)
        pairs, place = np.unique(true[counted] * len(self.table) + guessed[counted], return_inverse=True)
        amounts = np.bincount(place, weights=pixels[counted], minlength=len(pairs)).astype(np.int64)
        return {
            "true": (pairs // len(self.table)).tolist(),
            "predicted": (pairs % len(self.table)).tolist(),
            "pixels": amounts.tolist(),
        }

    def add(self, contribution: dict[str, list[int]]) -> None:
        """Add the pixels of an image; each pair of classes stands once in a contribution."""
        pixels = np.array(contribution["pixels"], dtype=np.int64)
        self._confusion[contribution["true"], contribution["predicted"]] += pixels

    def image_score(self, contribution: dict[str, list[int]]) -> float:
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

    def _classes(self, labels: np.ndarray, name: str) -> np.ndarray:
        """Return the contiguous classes of (n,) label values, int64, -1 for ignored ones."""
        classes = np.where(labels == self.ignore_label, IGNORED, labels.astype(np.int64) - self.first_label)
        wrong = labels[(classes != IGNORED) & ((classes < 0) | (classes >= len(self.table)))]
        if wrong.size:
            raise DataError(
                f"The label picture of {name} holds the value {wrong[0]}: expected {self.first_label} to "
                f"{self.first_label + len(self.table) - 1}, or {self.ignore_label} for unlabelled pixels."
            )
        return classes

    def _labels(self, sem_seg: Tensor, size: tuple[int, int], name: str) -> np.ndarray:
        """Return the best class of each pixel, (H, W)."""
        if tuple(sem_seg.shape) == size:
            given = sem_seg.cpu().numpy()
            if given.size and not 0 <= given.min() <= given.max() < len(self.table):
                raise DataError(
                    f"The prediction for {name} has labels from {given.min()} to {given.max()}: expected 0 to "
                    f"{len(self.table) - 1}."
                )
            return given
        expected = (len(self.table), *size)
        if tuple(sem_seg.shape) != expected:
            raise DataError(
                f"sem_seg for {name} has shape {tuple(sem_seg.shape)}, expected {expected}: one map a class of the "
                "data set, at the size of the original image."
            )
        labels = best_class(sem_seg)
        # an argmax takes NaN for the highest, so it is enough to look at the best
        if sem_seg.gather(0, labels[None]).isnan().any():
            raise DataError(f"sem_seg for {name} has scores that are not numbers (NaN): the model has diverged.")
        return labels.cpu().numpy()


class _Figures(NamedTuple):
    right: np.ndarray  # (C,) int64 pixels
    annotated: np.ndarray  # (C,) int64 pixels
    predicted: np.ndarray  # (C,) int64 pixels that are not ignored
    iou: np.ndarray  # (C,) float64 fractions, NaN for classes that are not annotated
    accuracy: np.ndarray  # (C,) likewise


def _figures(confusion: np.ndarray) -> _Figures:
    """Return what follows from (C, C) pixels, true class by predicted class."""
    right, annotated, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    iou, accuracy = np.full((2, len(right)), np.nan)
    np.divide(right, annotated + predicted - right, out=iou, where=annotated > 0)
    np.divide(right, annotated, out=accuracy, where=annotated > 0)
    return _Figures(right, annotated, predicted, iou, accuracy)
