"""What the metrics share that read objects from an annotation file: predictions kept as lines of a COCO result file.

Letters: C classes, T IoU thresholds, R recall levels, K thing classes.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.coco_ap import ResultLine, precision_by_category
from frozenseg.evaluation.instance_evaluator import InstanceEvaluator, Scores, thing_ids
from frozenseg.structures.instances import Instances
from frozenseg.structures.masks import encode_rle


class AnnotatedInstances(InstanceEvaluator):
    """Average precision by a package that reads COCO's or LVIS's annotations; subclasses call it.

    Masks are kept as run lengths.

    Args:
        table: the classes.
        json_file: instance annotations.
        dataset_ids: contiguous class id → category id in ``json_file``, for things.
    """

    def __init__(self, table: ClassTable, json_file: str, dataset_ids: dict[int, int]) -> None:
        self.json_file = json_file
        super().__init__(table, dataset_ids)

    @classmethod
    def from_metadata(cls, metadata: Any, seen: Sequence[bool]) -> "AnnotatedInstances":
        """Build for a data set."""
        return cls(ClassTable.from_metadata(metadata, seen), metadata.json_file, thing_ids(metadata))

    @classmethod
    def missing_data(cls, metadata: Any) -> str:
        """Say that there are no things or no annotation file, or nothing."""
        if missing := super().missing_data(metadata):
            return missing
        return "" if getattr(metadata, "json_file", None) else "instance annotations (json_file)"

    def _describe(self, record: dict[str, Any], instances: Instances) -> dict[str, Any]:
        image = record["image_id"]
        return {"image_id": image, "lines": result_lines(image, instances, self.dataset_ids)}

    def _score(self, images: list[dict[str, Any]]) -> Scores:
        lines = [line for image in images for line in image["lines"]]
        return self._compare(sorted({image["image_id"] for image in images}), lines)

    @abstractmethod
    def _compare(self, images: list[Any], predictions: list[ResultLine]) -> Scores:
        """Score the predictions for the images of these ids; as :meth:`_score`."""

    def _by_class(
        self, precision: np.ndarray, thresholds: np.ndarray, categories: Sequence[int]
    ) -> dict[str, np.ndarray]:
        """Average (T, R, K) precision, -1 for classes without objects, over T and R.

        Args:
            precision: of the classes in the order of ``categories``.
            thresholds: (T,) of IoU.
            categories: (K,) category ids of the annotations.

        Returns:
            AP, AP50, AP75: (C,) fractions for all classes of the table, NaN where there is none.
        """
        contiguous = {category: index for index, category in self.dataset_ids.items()}
        rows = [contiguous[category] for category in categories]
        by_class = {}
        for metric, values in precision_by_category(precision, thresholds).items():
            by_class[metric] = np.full(len(self.table), np.nan)
            by_class[metric][rows] = values
        return by_class


def result_lines(image: Any, instances: Instances, dataset_ids: Mapping[int, int]) -> list[ResultLine]:
    """Return the instances of an image as lines of a COCO result file.

    Args:
        image: its id.
        instances: with ``pred_masks``, ``pred_classes`` and ``scores``.
        dataset_ids: contiguous class id → category id.
    """
    masks = encode_rle(instances.pred_masks.cpu().numpy())
    labels, scores = instances.pred_classes.tolist(), instances.scores.tolist()
    return [
        {"image_id": image, "category_id": dataset_ids[label], "segmentation": mask, "score": score}
        for label, mask, score in zip(labels, masks, scores, strict=True)
    ]
