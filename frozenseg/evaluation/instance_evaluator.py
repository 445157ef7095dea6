"""What the metrics of instance masks share: predictions kept as result lines, merged, and scored on the first process.

Letters: T IoU thresholds, R recall levels, K thing classes.
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
from frozenseg.structures.masks import encode_rle

Line = dict[str, Any]  # of a COCO or LVIS result file


class InstanceEvaluator(DatasetEvaluator):
    """Average precision of masks, by a package that reads COCO's result lines; subclasses score.

    Images that were not processed count nowhere; in an image without predictions every object is missed. Masks are
    kept as run lengths.

    Args:
        table: the classes.
        json_file: instance annotations.
        dataset_ids: contiguous class id → category id in ``json_file``, for things.
    """

    read_out = "instance"

    def __init__(self, table: ClassTable, json_file: str, dataset_ids: dict[int, int]) -> None:
        self.table = table
        self.json_file = json_file
        self.dataset_ids = dataset_ids
        super().__init__()

    @classmethod
    def from_metadata(cls, metadata: Any, seen: Sequence[bool]) -> "InstanceEvaluator":
        """Build for a data set."""
        contiguous = metadata.thing_dataset_id_to_contiguous_id
        inverse = {index: category for category, index in contiguous.items()}
        return cls(ClassTable.from_metadata(metadata, seen), metadata.json_file, inverse)

    @classmethod
    def lacks(cls, metadata: Any) -> str:
        """Say that there are no things or no annotation file, or nothing."""
        if not getattr(metadata, "thing_dataset_id_to_contiguous_id", None):
            return "thing classes"
        return "" if getattr(metadata, "json_file", None) else "instance annotations (json_file)"

    def reset(self) -> None:
        """Forget all images."""
        self._images: list[Any] = []
        self._predictions: list[Line] = []

    def process(self, inputs: list[dict[str, Any]], outputs: list[dict[str, Any]]) -> None:
        """Keep ``instances`` of each output.

        Raises:
            DataError: they are missing, of an unknown class, or scored NaN.
        """
        for record, output in zip(inputs, outputs, strict=True):
            name = f"image {image_name(record)}"
            if "instances" not in output:
                raise DataError(
                    f"The output for {name} has no instances: set MODEL.MASK_FORMER.TEST.INSTANCE_ON to True."
                )
            self._images.append(record["image_id"])
            self._predictions += self._describe(record["image_id"], output["instances"], name)

    def evaluate(self) -> Results:
        """Return ``{"segm": {"AP": …, "AP50": …, …, "S_AP": …}}``; the work is done on the first process."""
        images = [image for share in distributed.gather(self._images) for image in share]
        predictions = [line for share in distributed.gather(self._predictions) for line in share]
        outcome: Any = None
        if distributed.is_main_process():
            try:
                outcome = self._score(images, predictions)
            except DataError as error:
                outcome = error  # raised on every process below, so that none waits for the others
        outcome = distributed.gather(outcome)[0]
        if isinstance(outcome, DataError):
            raise outcome
        results, precision = outcome
        self.per_class = {"AP": self.table.by_name(precision)}
        return {"segm": {**results, **self.table.subset_means("AP", precision)}}

    @abstractmethod
    def _score(self, images: list[Any], predictions: list[Line]) -> tuple[dict[str, float], np.ndarray]:
        """Return the metrics over all classes in percent, and each class's AP as :meth:`_by_class` gives it.

        Raises:
            DataError: the annotations are missing or wrong, or have not all the images.
        """

    def _describe(self, image_id: Any, instances: Instances, name: str) -> list[Line]:
        labels, scores = instances.pred_classes.tolist(), instances.scores.tolist()
        if unknown := set(labels) - set(self.dataset_ids):
            raise DataError(f"The prediction for {name} has an instance of class {min(unknown)}, which is not a thing.")
        if not np.isfinite(scores).all():
            raise DataError(f"The prediction for {name} has an instance whose score is not a finite number.")
        masks = encode_rle(instances.pred_masks.cpu().numpy())
        return [
            {"image_id": image_id, "category_id": self.dataset_ids[label], "segmentation": mask, "score": score}
            for label, mask, score in zip(labels, masks, scores, strict=True)
        ]

    def _check_images(self, images: list[Any], known: dict[Any, Any]) -> None:
        if unknown := set(images) - set(known):
            raise DataError(f"Image {min(map(str, unknown))} is not among the images of {self.json_file}.")

    def _by_class(self, precision: np.ndarray, categories: Sequence[int]) -> np.ndarray:
        """Average (T, R, K) precision, -1 for classes without objects, over T and R.

        Args:
            precision: of the classes in the order of ``categories``.
            categories: (K,) category ids of the annotations.

        Returns:
            (C,) fractions for all classes of the table, NaN where there is none.
        """
        contiguous = {category: index for index, category in self.dataset_ids.items()}
        levels = precision.transpose(2, 0, 1).reshape(precision.shape[2], -1)  # (K, T·R)
        values = np.full(len(self.table), np.nan)
        # a class without objects is -1 at every level
        values[[contiguous[category] for category in categories]] = np.where(
            levels[:, 0] > -1, levels.mean(axis=1), np.nan
        )
        return values
