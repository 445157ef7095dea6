"""What the metrics of instance masks share: predictions checked, kept small, merged, scored on the first process.

Letters: C classes.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.evaluator import DatasetEvaluator, Results
from frozenseg.structures.instances import Instances
from frozenseg.structures.label_files import image_name

Scores = tuple[dict[str, float], dict[str, np.ndarray]]


class InstanceEvaluator(DatasetEvaluator):
    """Average precision of masks; subclasses say what is kept of an image, and score.

    Images that were not processed count nowhere; in an image without predictions every object is missed.

    Args:
        table: the classes.
        dataset_ids: contiguous class id → id of the data set, for things.

    Attributes:
        images: what is kept of each image.
    """

    output_kind = "instance"

    def __init__(self, table: ClassTable, dataset_ids: dict[int, int]) -> None:
        self.table = table
        self.dataset_ids = dataset_ids
        super().__init__()

    @classmethod
    def from_metadata(cls, metadata: Any, seen: Sequence[bool]) -> "InstanceEvaluator":
        """Build for a data set."""
        return cls(ClassTable.from_metadata(metadata, seen), thing_ids(metadata))

    @classmethod
    def missing_data(cls, metadata: Any) -> str:
        """Say that there are no things, or nothing."""
        return "" if getattr(metadata, "thing_dataset_id_to_contiguous_id", None) else "thing classes"

    def reset(self) -> None:
        """Forget all images."""
        self.images: list[Any] = []

    def describe(self, record: dict[str, Any], output: dict[str, Any]) -> Any:
        """Return what is kept of ``instances`` of an output.

        Raises:
            DataError: they are missing, of an unknown class, or scored NaN.
        """
        name = f"image {image_name(record)}"
        if "instances" not in output:
            raise DataError(f"The output for {name} has no instances: set MODEL.MASK_FORMER.TEST.INSTANCE_ON to True.")
        instances = output["instances"]
        if unknown := set(instances.pred_classes.tolist()) - set(self.dataset_ids):
            raise DataError(f"The prediction for {name} has an instance of class {min(unknown)}, which is not a thing.")
        if not np.isfinite(instances.scores.tolist()).all():
            raise DataError(f"The prediction for {name} has an instance whose score is not a finite number.")
        return self._describe(record, instances)

    def add(self, contribution: Any) -> None:
        """Keep what is known of an image."""
        self.images.append(contribution)

    def evaluate(self) -> Results:
        """Return ``{"segm": {"AP": …, "AP50": …, …, "S_AP": …}}``; the work is done on the first process."""
        images = [image for share in distributed.gather(self.images) for image in share]
        outcome: Any = None
        if distributed.is_main_process():
            try:
                outcome = self._score(images)
            except DataError as error:
                outcome = error  # raised on every process below, so that none waits for the others
        outcome = distributed.gather(outcome)[0]
        if isinstance(outcome, DataError):
            raise outcome
        results, by_class = outcome
        self.per_class = {metric: self.table.by_name(values) for metric, values in by_class.items()}
        for metric, values in by_class.items():
            results |= self.table.subset_means(metric, values)
        return {"segm": results}

    @abstractmethod
    def _describe(self, record: dict[str, Any], instances: Instances) -> Any:
        """Return what is kept of an image: something small."""

    @abstractmethod
    def _score(self, images: list[Any]) -> Scores:
        """Return metrics over all classes in percent, and those of the classes: (C,) fractions, NaN for none.

        Args:
            images: what was kept of each.

        Raises:
            DataError: the ground truth is missing or wrong, or has not all the images.
        """


def thing_ids(metadata: Any) -> dict[int, int]:
    """Return contiguous class id → id of the data set, for things."""
    return {index: category for category, index in metadata.thing_dataset_id_to_contiguous_id.items()}
