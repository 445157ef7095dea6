"""What the metrics share that read objects from an annotation file: predictions kept as lines of a COCO result file.

Letters: C classes, T IoU thresholds, R recall levels, K thing classes.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.coco_ap import Line
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
    def lacks(cls, metadata: Any) -> str:
        """Say that there are no things or no annotation file, or nothing."""
        if missing := super().lacks(metadata):
            return missing
        return "" if getattr(metadata, "json_file", None) else "instance annotations (json_file)"

    def _describe(self, record: dict[str, Any], instances: Instances) -> dict[str, Any]:
        masks = encode_rle(instances.pred_masks.cpu().numpy())
        image, labels, scores = record["image_id"], instances.pred_classes.tolist(), instances.scores.tolist()
        lines = [
            {"image_id": image, "category_id": self.dataset_ids[label], "segmentation": mask, "score": score}
            for label, mask, score in zip(labels, masks, scores, strict=True)
        ]
        return {"image_id": image, "lines": lines}

    def _score(self, images: list[dict[str, Any]]) -> Scores:
        lines = [line for image in images for line in image["lines"]]
        return self._compare(sorted({image["image_id"] for image in images}), lines)

    @abstractmethod
    def _compare(self, images: list[Any], predictions: list[Line]) -> Scores:
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
        chosen = {"AP": np.ones(len(thresholds), dtype=bool)}
        chosen |= {f"AP{percent}": np.isclose(thresholds, percent / 100) for percent in (50, 75)}
        by_class = {}
        for metric, which in chosen.items():
            levels = precision[which].transpose(2, 0, 1).reshape(len(rows), -1)  # (K, T·R)
            values = np.full(len(self.table), np.nan)
            # a class without objects is -1 at every level
            values[rows] = np.where(levels[:, 0] > -1, levels.mean(axis=1), np.nan)
            by_class[metric] = values
        return by_class
