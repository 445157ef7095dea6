"""Semantic segmentation of Cityscapes: the benchmark's IoU and iIoU, computed by cityscapesscripts.

The package reads PNG files of predicted and annotated labels, and uses only the pixels of each pair of labels, in total
and per object. They are counted here image by image and passed to the package in its tables, so that no file is
written. Annotated labels are read from the image of instance ids.

Letters: C classes, L label ids of Cityscapes, I instance ids in one image.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, TypedDict

import numpy as np
import torch

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, ClassTable
from frozenseg.evaluation.evaluator import DatasetEvaluator
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.evaluation.official_packages import (
    INSTANCE_DIVISOR,
    has_cityscapes_evaluation,
    import_cityscapes_evaluation,
)
from frozenseg.evaluation.predicted_labels import predicted_labels
from frozenseg.evaluation.types import TaskResults
from frozenseg.registry import EVALUATOR
from frozenseg.structures.dataset_metadata import DatasetMetadata
from frozenseg.structures.label_runs import count_pairs, overlay
from frozenseg.structures.output_kinds import ModelOutput
from frozenseg.structures.record import Record, image_name


class CityscapesCounts(TypedDict):
    """Contribution of one image.

    ``true``, ``predicted`` and ``pixels``: number of pixels by annotated and predicted label id. ``objects``: for each
    label with objects ``[label id, *sums]`` with the four weighted sums of pixels of :class:`CityscapesIoU`.
    """

    true: list[int]
    predicted: list[int]
    pixels: list[int]
    objects: list[list[float]]


@EVALUATOR.register()
class CityscapesIoU(DatasetEvaluator[CityscapesCounts]):
    """IoU and iIoU, means over classes; IoU_sup and iIoU_sup, means over categories; IoU and iIoU over subsets.

    In iIoU, for things only, the pixels of an object are weighted by the mean size of its class divided by the size of
    the object; pixels of groups do not count, false positives are not weighted.

    Args:
        table: the classes.
        label_ids: (C,) Cityscapes label id of each class.

    Raises:
        DataError: a class has no label id, or an unknown one.
        FrozenSegError: the package cityscapesscripts cannot be imported.
    """

    output_kind = "semantic"
    rule = "IoU and iIoU as cityscapesscripts computes them, over classes and, with _sup, over categories."
    ground_truth = "instance_ids"
    evaluator_types = frozenset({"cityscapes_panoptic_seg", "cityscapes_sem_seg"})

    def __init__(self, table: ClassTable, label_ids: Sequence[int]) -> None:
        package = import_cityscapes_evaluation()
        self._official = package.pixel
        self._settings = SimpleNamespace(**vars(package.pixel.args))
        size = len(package.pixel.generateMatrix(self._settings))  # L; it also lists the label ids in the settings
        if len(label_ids) != len(table):
            raise DataError(f"{len(label_ids)} Cityscapes label ids for {len(table)} classes: give one each.")
        if unknown := set(label_ids) - set(range(size)):
            raise DataError(f"Cityscapes has no label {min(unknown)}: correct the ids of the classes.")
        self.table = table
        self.label_ids = np.array(label_ids, dtype=np.int64)
        self._labels = [package.labels.id2label[number] for number in range(size)]
        counted = [label.hasInstances and not label.ignoreInEval for label in self._labels]
        sizes = [self._settings.avgClassSize.get(label.name, np.nan) for label in self._labels]
        self._mean_size = np.where(counted, sizes, np.nan)  # (L,) pixels
        categories = np.array([label.category for label in self._labels])
        self._same_category = categories[:, None] == categories  # (L, L)
        super().__init__()

    @classmethod
    def from_metadata(cls, metadata: DatasetMetadata, seen: Sequence[bool]) -> "CityscapesIoU":
        """Build for a data set."""
        return cls(ClassTable.from_metadata(metadata, seen), list(metadata.category_ids))

    @classmethod
    def missing_data(cls, metadata: DatasetMetadata) -> str:
        """Return that the package is missing; empty if it is installed. Without it :class:`SemanticIoU` remains."""
        del metadata
        return "" if has_cityscapes_evaluation() else 'package cityscapesscripts (pip install "frozenseg[eval]")'

    def reset(self) -> None:
        """Remove the contributions of all images."""
        self._confusion = np.zeros((len(self._labels), len(self._labels)), dtype=np.int64)  # annotated × predicted
        # weighted pixels of the objects of a label by prediction: same or other label, same or other category
        self._objects = np.zeros((len(self._labels), 4))

    def describe(self, record: Record, output: ModelOutput) -> CityscapesCounts:
        """Compare the best class of ``sem_seg`` with the record's ``instance_file_name``.

        Raises:
            DataError: ground truth or prediction is missing or invalid.
        """
        ground_truth = ground_truth_of(record, "instance_ids")
        predicted = predicted_labels(record, output, len(self.table), ground_truth.size)
        ids, index = np.unique(ground_truth.values.astype(np.int64), return_inverse=True)  # (I,)
        true_run, predicted_run, pixels = overlay(ground_truth, predicted)
        predicted_ids = self.label_ids[predicted.values[predicted_run]]
        overlaps = count_pairs(index[true_run], predicted_ids, pixels, (len(ids), len(self._labels)))  # (I, L)
        labels = np.where(ids >= INSTANCE_DIVISOR, ids // INSTANCE_DIVISOR, ids)
        self._check(ids, labels, record)
        confusion = np.zeros_like(self._confusion)
        np.add.at(confusion, labels, overlaps)
        rows, columns = confusion.nonzero()
        counted = (ids >= INSTANCE_DIVISOR) & ~np.isnan(self._mean_size[labels])
        return {
            "true": rows.tolist(),
            "predicted": columns.tolist(),
            "pixels": confusion[rows, columns].tolist(),
            "objects": self._weighted(labels[counted], overlaps[counted]),
        }

    def add(self, contribution: CityscapesCounts) -> None:
        """Add the pixels and the objects of an image; a contribution has each pair of labels once."""
        pixels = np.array(contribution["pixels"], dtype=np.int64)
        self._confusion[contribution["true"], contribution["predicted"]] += pixels
        for label, *sums in contribution["objects"]:
            self._objects[int(label)] += sums

    def evaluate(self) -> TaskResults:
        """Return ``{"sem_seg": {"IoU": …, "iIoU": …, "IoU_sup": …, "iIoU_sup": …, "S_IoU": …, …}}``."""
        confusion = distributed.sum_over_ranks(torch.from_numpy(self._confusion)).numpy()
        statistics = self._statistics(distributed.sum_over_ranks(torch.from_numpy(self._objects)).numpy())
        official, settings = self._official, self._settings
        labels, categories = range(len(self._labels)), official.category2labels
        iou = {key: official.getIouScoreForLabel(key, confusion, settings) for key in labels}
        iiou = {key: official.getInstanceIouScoreForLabel(key, confusion, statistics, settings) for key in labels}
        sup = {key: official.getIouScoreForCategory(key, confusion, settings) for key in categories}
        isup = {
            key: official.getInstanceIouScoreForCategory(key, confusion, statistics, settings) for key in categories
        }
        scores = {"IoU": iou, "iIoU": iiou, "IoU_sup": sup, "iIoU_sup": isup}
        results = {key: PERCENT * float(official.getScoreAverage(values, settings)) for key, values in scores.items()}
        for metric in ("IoU", "iIoU"):
            of_classes = np.array([scores[metric][number] for number in self.label_ids.tolist()])
            self.per_class[f"Cityscapes {metric}"] = self.table.by_name(of_classes)
            results |= self.table.subset_means(metric, of_classes)
        return {"sem_seg": results}

    def _check(self, ids: np.ndarray, labels: np.ndarray, record: Record) -> None:
        """Raise DataError for (I,) instance ids with unknown labels, or with labels that have no instances."""
        stuff = np.array([not label.hasInstances for label in self._labels])  # (L,)
        unknown = (labels < 0) | (labels >= len(self._labels))
        wrong = unknown | ((ids >= INSTANCE_DIVISOR) & stuff[labels.clip(0, len(stuff) - 1)])
        if wrong.any():
            raise DataError(
                f"The instance ids of image {image_name(record)} hold the value {ids[wrong][0]}: expected a label id, "
                f"0 to {len(self._labels) - 1}, or 1000 · a label that has instances + a number."
            )

    def _weighted(self, labels: np.ndarray, overlaps: np.ndarray) -> list[list[float]]:
        """Sum the weighted pixels of n objects by label.

        Args:
            labels: (n,) label ids.
            overlaps: (n, L) pixels by predicted label.

        Returns:
            ``[label id, *sums]`` for each label; see :class:`CityscapesCounts`.
        """
        right = overlaps[np.arange(len(labels)), labels]  # (n,)
        related = (overlaps * self._same_category[labels]).sum(axis=1)
        pixels = overlaps.sum(axis=1)
        sums = np.stack([right, pixels - right, related, pixels - related], axis=1)  # (n, 4)
        weighted = sums * (self._mean_size[labels] / pixels)[:, None]
        return [[int(label), *weighted[labels == label].sum(axis=0).tolist()] for label in np.unique(labels)]

    def _statistics(self, objects: np.ndarray) -> dict[str, Any]:
        """Return (L, 4) weighted sums in the package's format."""
        statistics: dict[str, Any] = self._official.generateInstanceStats(self._settings)
        for label, (right, wrong, related, unrelated) in zip(self._labels, objects.tolist(), strict=True):
            for kind, name, tp, fn in (
                ("classes", label.name, right, wrong),
                ("categories", label.category, related, unrelated),
            ):
                if name in statistics[kind]:
                    statistics[kind][name]["tpWeighted"] += tp
                    statistics[kind][name]["fnWeighted"] += fn
        return statistics
