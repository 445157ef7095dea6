"""Base class of the metrics that compare predictions with label images."""

from collections.abc import Sequence
from typing import TypeVar

from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.evaluator import DatasetEvaluator
from frozenseg.evaluation.label_counts import LabelValues
from frozenseg.structures.dataset_metadata import DatasetMetadata

_C = TypeVar("_C")


class LabelImageEvaluator(DatasetEvaluator[_C]):
    """A metric with label images as ground truth.

    Args:
        table: the classes.
        ignore_label: value of unlabelled pixels in the label images.
        first_label: value of the first class in the label images.
    """

    ground_truth = "labels"
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
        self.values = LabelValues(len(table), ignore_label, first_label)
        super().__init__()

    @classmethod
    def from_metadata(cls, metadata: DatasetMetadata, seen: Sequence[bool]) -> "LabelImageEvaluator[_C]":
        """Build for a data set."""
        return cls(ClassTable.from_metadata(metadata, seen), metadata.ignore_label, metadata.first_label)

    @classmethod
    def missing_data(cls, metadata: DatasetMetadata) -> str:
        """Return that label images are missing (``sem_seg_root`` is None); empty if there may be some."""
        unset = "paths in the records"  # metadata from Detectron2's catalog need not have a common folder
        return "label images" if metadata.get("sem_seg_root", unset) is None else ""
