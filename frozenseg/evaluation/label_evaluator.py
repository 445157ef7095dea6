"""What the metrics share that compare with label pictures: how their values are read.

Letters: C classes.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.evaluator import DatasetEvaluator
from frozenseg.evaluation.label_counts import LabelValues
from frozenseg.structures.label_files import image_name


class LabelEvaluator(DatasetEvaluator):
    """A metric of every data set that has label pictures.

    Args:
        table: the classes.
        ignore_label: value of unlabelled pixels in the label pictures.
        first_label: value of the first class in them.
    """

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
    def from_metadata(cls, metadata: Any, seen: Sequence[bool]) -> "LabelEvaluator":
        """Build for a data set."""
        first_label = getattr(metadata, "first_label", 0)
        return cls(ClassTable.from_metadata(metadata, seen), metadata.ignore_label, first_label)

    @classmethod
    def missing_data(cls, metadata: Any) -> str:
        """Say that there are no label pictures, or nothing."""
        return "label pictures" if getattr(metadata, "sem_seg_root", "in the records") is None else ""

    def _classes(self, labels: np.ndarray, record: dict[str, Any]) -> np.ndarray:
        """Return the contiguous classes of (n,) values of a record's label picture, int64, -1 for ignored ones."""
        values = LabelValues(len(self.table), self.ignore_label, self.first_label)
        return values.true_classes(labels, f"The label picture of image {image_name(record)}")
