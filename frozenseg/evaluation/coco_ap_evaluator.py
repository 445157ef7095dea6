"""Instance segmentation with COCO-format annotations: COCO's average precision, and the base that LVIS's shares.

Letters: K things.
"""

from abc import abstractmethod
from collections.abc import Sequence

from frozenseg.evaluation.class_table import PERCENT, ClassTable
from frozenseg.evaluation.coco_ap import ap_package_version, coco_ap, precision_by_category
from frozenseg.evaluation.evaluator import DatasetEvaluator
from frozenseg.evaluation.instance_scoring import (
    InstanceScores,
    ThingClasses,
    missing_instance_annotations,
    score_on_main_process,
)
from frozenseg.evaluation.result_lines import ImageLines, ResultLine
from frozenseg.evaluation.types import TaskResults
from frozenseg.registry import EVALUATOR
from frozenseg.structures.dataset_metadata import DatasetMetadata
from frozenseg.structures.output_kinds import ModelOutput
from frozenseg.structures.record import ImageId, Record


class AnnotationFileAP(DatasetEvaluator[ImageLines]):
    """Base of the AP metrics that compare COCO result lines with an annotation file; subclasses score the lines.

    Only processed images count; in an image without predictions every object is missed.

    Args:
        table: the classes.
        json_file: instance annotations.
        dataset_ids: contiguous class id → category id in ``json_file``, for things.
    """

    output_kind = "instance"

    def __init__(self, table: ClassTable, json_file: str, dataset_ids: dict[int, int]) -> None:
        self.things = ThingClasses(table, dataset_ids)
        self.json_file = json_file
        super().__init__()

    @classmethod
    def from_metadata(cls, metadata: DatasetMetadata, seen: Sequence[bool]) -> "AnnotationFileAP":
        """Build for a data set."""
        things = ThingClasses.from_metadata(metadata, seen)
        return cls(things.table, metadata.json_file or "", things.dataset_ids)

    @classmethod
    def missing_data(cls, metadata: DatasetMetadata) -> str:
        """Return that thing classes or instance annotations are missing; empty if neither is."""
        return missing_instance_annotations(metadata)

    def reset(self) -> None:
        """Remove the contributions of all images."""
        self.images: list[ImageLines] = []

    def describe(self, record: Record, output: ModelOutput) -> ImageLines:
        """Encode the instances of an image; see :meth:`ThingClasses.instances`."""
        return self.things.image_lines(record, output)

    def add(self, contribution: ImageLines) -> None:
        """Store the result lines of an image."""
        self.images.append(contribution)

    def result_lines(self, contribution: ImageLines) -> list[ResultLine]:
        """Return the result lines of an image."""
        return contribution["lines"]

    def evaluate(self) -> TaskResults:
        """Return ``{"segm": {"AP": …, "AP50": …, …, "S_AP": …}}``; computed on the main process."""
        results, self.per_class = score_on_main_process(self.images, self._score_images, self.things.table)
        return results

    def _score_images(self, images: list[ImageLines]) -> InstanceScores:
        lines = [line for image in images for line in image["lines"]]
        return self._score(sorted({image["image_id"] for image in images}), lines)

    @abstractmethod
    def _score(self, images: list[ImageId], predictions: list[ResultLine]) -> InstanceScores:
        """Score the result lines of all processed images.

        Args:
            images: ids of the images.
            predictions: their result lines.

        Raises:
            DataError: the annotations are missing or invalid, or lack one of the images.
        """


@EVALUATOR.register()
class InstanceAP(AnnotationFileAP):
    """AP, AP50, AP75, APs, APm, APl and AR of masks; AP, AP50, AP75 over subsets. Object size is that of the mask.

    Args:
        table: the classes.
        json_file: COCO instance annotations.
        dataset_ids: contiguous class id → category id in ``json_file``, for things.
    """

    evaluator_types = frozenset({"coco", "coco_panoptic_seg", "ade20k_panoptic_seg", "mapillary_vistas_panoptic_seg"})

    def __init__(self, table: ClassTable, json_file: str, dataset_ids: dict[int, int]) -> None:
        self.rule = (
            f"AP of masks as COCO defines it, computed by {ap_package_version()}: 10 IoU thresholds from 0.5 to "
            "0.95, the 100 best instances of an image."
        )
        super().__init__(table, json_file, dataset_ids)

    def _score(self, images: list[ImageId], predictions: list[ResultLine]) -> InstanceScores:
        categories = sorted(self.things.dataset_ids.values())  # (K,)
        scores = coco_ap(self.json_file, predictions, images, categories)
        by_category = precision_by_category(scores.precision, scores.thresholds)
        by_class = {metric: self.things.by_class(values, categories) for metric, values in by_category.items()}
        return InstanceScores({metric: PERCENT * value for metric, value in scores.metrics.items()}, by_class)
