"""Semantic segmentation of Cityscapes: its own scores of pixels, computed by the package cityscapesscripts.

The package wants PNG files of labels, predicted and true. All that it reads from them is how often they meet, in each
object and in all, which is counted here as the images pass: it is given its own tables, filled, and no file is written.
The picture of instance ids tells the true labels too.

Letters: C classes, L label ids of Cityscapes, I instance ids in one image.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, ClassTable
from frozenseg.evaluation.evaluator import DatasetEvaluator, Results
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.evaluation.official_packages import has_cityscapes_evaluation, import_cityscapes_evaluation
from frozenseg.evaluation.predicted_labels import predicted_labels
from frozenseg.registry import EVALUATOR
from frozenseg.structures.label_files import image_name
from frozenseg.structures.label_runs import count_pairs, overlay

FIRST_OBJECT = 1000  # smaller instance ids are label ids: of groups of objects, or of what has no instances


@EVALUATOR.register()
class CityscapesIoU(DatasetEvaluator):
    """IoU and iIoU, means over classes; IoU_sup and iIoU_sup, means over categories; IoU and iIoU over subsets.

    In iIoU, of things only, the pixels of an object weigh as much as the mean size of its class is larger than the
    object; those of groups do not count, false positives count as they are.

    Args:
        table: the classes.
        label_ids: (C,) Cityscapes label id of each class.

    Raises:
        DataError: a class has no label id, or one that Cityscapes does not know.
        FrozenSegError: the package cityscapesscripts cannot be imported.
    """

    output_kind = "semantic"
    rule = "IoU and iIoU as cityscapesscripts computes them, over classes and, with _sup, over categories."
    truth = "instance_ids"
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
    def from_metadata(cls, metadata: Any, seen: Sequence[bool]) -> "CityscapesIoU":
        """Build for a data set."""
        numbers = {index: number for number, index in metadata.stuff_dataset_id_to_contiguous_id.items()}
        return cls(ClassTable.from_metadata(metadata, seen), [numbers[index] for index in sorted(numbers)])

    @classmethod
    def missing_data(cls, metadata: Any) -> str:
        """Say that the package is not installed, or nothing: the read-out has another metric, which does without."""
        del metadata
        return "" if has_cityscapes_evaluation() else 'package cityscapesscripts (pip install "frozenseg[eval]")'

    def reset(self) -> None:
        """Forget all images."""
        self._confusion = np.zeros((len(self._labels), len(self._labels)), dtype=np.int64)  # true × predicted
        # weighted pixels of all objects of a label: of it, not of it, of its category, not of its category
        self._objects = np.zeros((len(self._labels), 4))

    def describe(self, record: dict[str, Any], output: dict[str, Any]) -> dict[str, list[Any]]:
        """Compare the best class of ``sem_seg`` with the record's ``instance_file_name``.

        Returns:
            ``true``, ``predicted`` and ``pixels``: how many pixels of a true label have which predicted one; and
            ``objects``: for each label that has some, ``[label, pixels of it, …]``, the four weighted sums.

        Raises:
            DataError: truth or prediction is missing or wrong.
        """
        truth = ground_truth_of(record, self.truth)
        predicted = predicted_labels(record, output, len(self.table), truth.size)
        ids, place = np.unique(truth.values.astype(np.int64), return_inverse=True)  # (I,)
        run_of_truth, run_of_prediction, pixels = overlay(truth, predicted)
        guessed = self.label_ids[predicted.values[run_of_prediction]]
        overlaps = count_pairs(place[run_of_truth], guessed, pixels, (len(ids), len(self._labels)))  # (I, L)
        labels = np.where(ids >= FIRST_OBJECT, ids // FIRST_OBJECT, ids)
        self._check(ids, labels, record)
        confusion = np.zeros_like(self._confusion)
        np.add.at(confusion, labels, overlaps)
        true, met = confusion.nonzero()
        counted = (ids >= FIRST_OBJECT) & ~np.isnan(self._mean_size[labels])
        return {
            "true": true.tolist(),
            "predicted": met.tolist(),
            "pixels": confusion[true, met].tolist(),
            "objects": self._weighted(labels[counted], overlaps[counted]),
        }

    def add(self, contribution: dict[str, list[Any]]) -> None:
        """Add the pixels and the objects of an image; each pair of labels stands once in a contribution."""
        pixels = np.array(contribution["pixels"], dtype=np.int64)
        self._confusion[contribution["true"], contribution["predicted"]] += pixels
        for label, *sums in contribution["objects"]:
            self._objects[label] += sums

    def evaluate(self) -> Results:
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

    def _check(self, ids: np.ndarray, labels: np.ndarray, record: dict[str, Any]) -> None:
        """Refuse (I,) instance ids whose labels are unknown, or known to have no instances."""
        without = [not label.hasInstances for label in self._labels]
        unknown = (labels < 0) | (labels >= len(self._labels))
        wrong = unknown | ((ids >= FIRST_OBJECT) & np.array(without)[labels.clip(0, len(without) - 1)])
        if wrong.any():
            raise DataError(
                f"The picture of instance ids of image {image_name(record)} holds the value {ids[wrong][0]}: expected "
                f"a label id, 0 to {len(self._labels) - 1}, or 1000 · a label that has instances + a number."
            )

    def _weighted(self, labels: np.ndarray, overlaps: np.ndarray) -> list[list[float]]:
        """Add up objects of (n,) labels, which have (n, L) pixels of predicted labels, by label."""
        right = overlaps[np.arange(len(labels)), labels]  # (n,)
        related = (overlaps * self._same_category[labels]).sum(axis=1)
        pixels = overlaps.sum(axis=1)
        sums = np.stack([right, pixels - right, related, pixels - related], axis=1)  # (n, 4)
        weighted = sums * (self._mean_size[labels] / pixels)[:, None]
        return [[int(label), *weighted[labels == label].sum(axis=0).tolist()] for label in np.unique(labels)]

    def _statistics(self, objects: np.ndarray) -> dict[str, Any]:
        """Return (L, 4) weighted sums as the package keeps them."""
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
