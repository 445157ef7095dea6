"""Semantic segmentation: IoU and accuracy from one confusion matrix over all images.

Letters: C classes, H×W the image.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, ClassTable, mean_of_known
from frozenseg.evaluation.evaluator import DatasetEvaluator, Results
from frozenseg.registry import EVALUATOR
from frozenseg.structures.label_files import ground_truth_file, image_name, read_labels


def confusion_matrix(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Count pixels by true and predicted class.

    Args:
        truth: (n,) integers in 0 … C - 1, without ignored pixels.
        predicted: (n,) integers in 0 … C - 1.
        classes: C.

    Returns:
        (C, C) int64, true class by predicted class.
    """
    pairs = truth.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


@EVALUATOR.register()
class SemanticIoU(DatasetEvaluator):
    """mIoU, fwIoU, mACC, pACC; mIoU over subsets.

    A class without a true pixel counts in no mean, even where it is predicted; its false pixels count against the
    classes that they lie on. Ignored pixels count nowhere.

    Args:
        table: the classes.
        ignore_label: value of unlabelled pixels in the label pictures.
        first_label: value of the first class in them.
    """

    read_out = "semantic"
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

    def process(self, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
        """Compare the best class of ``sem_seg`` with the record's ``sem_seg_file_name``.

        ``sem_seg`` is either the scores (C, H, W) or the best class itself, (H, W) int64.

        Raises:
            DataError: truth or prediction is missing or wrong.
        """
        for record, output in zip(inputs, outputs, strict=True):
            name = f"image {image_name(record)}"
            if "sem_seg" not in output:
                raise DataError(
                    f"The output for {name} has no sem_seg: set MODEL.MASK_FORMER.TEST.SEMANTIC_ON to True."
                )
            truth = read_labels(ground_truth_file(record, "sem_seg_file_name"))
            predicted = self._best_class(output["sem_seg"], truth.shape, name)  # (H, W)
            labelled = truth != self.ignore_label
            truth, predicted = self._classes(truth[labelled], name), predicted[labelled]
            self._confusion += confusion_matrix(truth, predicted, len(self.table))

    def evaluate(self) -> Results:
        """Return ``{"sem_seg": {"mIoU": …, "fwIoU": …, "mACC": …, "pACC": …, "S_mIoU": …, …}}``."""
        confusion = distributed.sum_over_ranks(torch.from_numpy(self._confusion)).numpy()
        right = np.diag(confusion).astype(np.float64)
        annotated, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
        occurs = annotated > 0
        iou, accuracy = np.full((2, len(right)), np.nan)
        np.divide(right, annotated + predicted - right, out=iou, where=occurs)
        np.divide(right, annotated, out=accuracy, where=occurs)
        pixels = annotated.sum()
        means = {
            "mIoU": mean_of_known(iou),
            "fwIoU": float(np.sum(iou[occurs] * annotated[occurs]) / pixels) if pixels else float("nan"),
            "mACC": mean_of_known(accuracy),
            "pACC": float(right.sum() / pixels) if pixels else float("nan"),
        }
        self.per_class = {"IoU": self.table.by_name(iou), "ACC": self.table.by_name(accuracy)}
        results = {metric: PERCENT * value for metric, value in means.items()}
        return {"sem_seg": {**results, **self.table.subset_means("mIoU", iou)}}

    def _classes(self, labels: np.ndarray, name: str) -> np.ndarray:
        """Return the contiguous classes of (n,) label values."""
        classes = labels.astype(np.int64) - self.first_label
        wrong = labels[(classes < 0) | (classes >= len(self.table))]
        if wrong.size:
            raise DataError(
                f"The label picture of {name} holds the value {wrong[0]}: expected {self.first_label} to "
                f"{self.first_label + len(self.table) - 1}, or {self.ignore_label} for unlabelled pixels."
            )
        return classes

    def _best_class(self, scores: Tensor, size: tuple[int, int], name: str) -> np.ndarray:
        if tuple(scores.shape) == size:
            return scores.cpu().numpy()
        expected = (len(self.table), *size)
        if tuple(scores.shape) != expected:
            raise DataError(
                f"sem_seg for {name} has shape {tuple(scores.shape)}, expected {expected}: one map a class of the data "
                "set, at the size of the original image."
            )
        return scores.argmax(dim=0).cpu().numpy()
