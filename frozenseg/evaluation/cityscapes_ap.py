"""Instance segmentation of Cityscapes: the benchmark's average precision, computed by cityscapesscripts.

The package reads one PNG file per predicted mask, and uses only the overlaps of these masks with the ground truth. The
overlaps are counted here image by image and passed to the package, so that no file is written.

Letters: C classes, K things, N predictions, T IoU thresholds, H×W the image.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, ClassTable, mean_of_known
from frozenseg.evaluation.evaluator import DatasetEvaluator
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.evaluation.instance_scoring import InstanceScores, ThingClasses, missing_things, score_on_main_process
from frozenseg.evaluation.official_packages import INSTANCE_DIVISOR, import_cityscapes_evaluation
from frozenseg.evaluation.types import TaskResults
from frozenseg.registry import EVALUATOR
from frozenseg.structures.dataset_metadata import DatasetMetadata
from frozenseg.structures.output_kinds import ModelOutput
from frozenseg.structures.record import Record

NO_DISTANCE = {"medDist": -1, "distConf": 0.0}  # the package's values for ground truth without depth
# of one image, in the package's format: "groundTruth" and "prediction" → label name → objects
CityscapesMatches = dict[str, dict[str, list[dict[str, Any]]]]


@EVALUATOR.register()
class CityscapesAP(DatasetEvaluator[CityscapesMatches]):
    """AP over the IoU thresholds 0.5, 0.55, … 0.95 and AP50 of masks; also over subsets.

    Objects below 100 pixels do not count. Predictions are not false positives if their share of pixels in void, groups
    or such small objects is above the threshold.

    Args:
        table: the classes.
        dataset_ids: contiguous class id → Cityscapes label id, for things.

    Raises:
        DataError: a thing is not a Cityscapes label that has instances.
        FrozenSegError: the package cityscapesscripts cannot be imported.
    """

    output_kind = "instance"
    rule = "AP of masks as cityscapesscripts computes it: 10 IoU thresholds from 0.5 to 0.95, at least 100 pixels."
    ground_truth = "instance_ids"
    evaluator_types = frozenset({"cityscapes_panoptic_seg", "cityscapes_instance"})

    def __init__(self, table: ClassTable, dataset_ids: dict[int, int]) -> None:
        package = import_cityscapes_evaluation()  # on every process and before the images, so that an error comes early
        scored = {label.id: label.name for label in package.labels.labels if label.hasInstances}
        if unknown := set(dataset_ids.values()) - set(scored):
            raise DataError(f"Cityscapes has no label {min(unknown)} with instances: correct the ids of the things.")
        self.things = ThingClasses(table, dataset_ids)
        self._official = package.instance
        self._label_names = {number: scored[number] for number in dataset_ids.values()}
        self._void = [label.id for label in package.labels.labels if label.ignoreInEval and label.id >= 0]
        super().__init__()

    @classmethod
    def from_metadata(cls, metadata: DatasetMetadata, seen: Sequence[bool]) -> "CityscapesAP":
        """Build for a data set."""
        things = ThingClasses.from_metadata(metadata, seen)
        return cls(things.table, things.dataset_ids)

    @classmethod
    def missing_data(cls, metadata: DatasetMetadata) -> str:
        """Return that thing classes are missing; empty if there are some."""
        return missing_things(metadata)

    def reset(self) -> None:
        """Remove the contributions of all images."""
        self.images: list[CityscapesMatches] = []

    def describe(self, record: Record, output: ModelOutput) -> CityscapesMatches:
        """Count the overlaps of the instances of an image with the objects in ``instance_file_name``.

        Raises:
            DataError: the instances are missing or invalid, or the sizes differ.
        """
        instances = self.things.instances(record, output)
        ids = ground_truth_of(record, "instance_ids").pixels().astype(np.int64)  # (H, W)
        masks = instances.pred_masks.cpu().numpy().astype(bool)  # (N, H, W)
        if masks.shape[1:] != ids.shape:
            raise DataError(
                f"The prediction for {record['instance_file_name']} is {masks.shape[2]}×{masks.shape[1]}, "
                f"but the file is {ids.shape[1]}×{ids.shape[0]}."
            )
        pixels = np.bincount(ids.ravel(), minlength=INSTANCE_DIVISOR)  # by instance id
        objects = {name: self._objects(number, pixels) for number, name in self._label_names.items()}
        matches: CityscapesMatches = {"groundTruth": objects, "prediction": {name: [] for name in objects}}
        numbers = [self.things.dataset_ids[index] for index in instances.pred_classes.tolist()]
        for mask, number, score in zip(masks, numbers, instances.scores.tolist(), strict=True):
            overlaps = np.bincount(ids[mask], minlength=len(pixels))  # by instance id
            if overlaps.any():
                self._add_prediction(matches, self._label_names[number], score, overlaps)
        return matches

    def add(self, contribution: CityscapesMatches) -> None:
        """Store the overlaps of an image."""
        self.images.append(contribution)

    def evaluate(self) -> TaskResults:
        """Return ``{"segm": {"AP": …, "AP50": …, "S_AP": …, …}}``; computed on the main process."""
        results, self.per_class = score_on_main_process(self.images, self._score, self.things.table)
        return results

    def _objects(self, number: int, pixels: np.ndarray) -> list[dict[str, Any]]:
        """Return the group (if any) and the objects of a label, in the package's format."""
        objects = np.arange(number * INSTANCE_DIVISOR, min((number + 1) * INSTANCE_DIVISOR, len(pixels)))
        present = [instance for instance in (number, *objects.tolist()) if pixels[instance]]
        return [
            {"instID": instance, "labelID": number, "pixelCount": int(pixels[instance]), "matchedPred": []}
            | NO_DISTANCE
            for instance in present
        ]

    def _add_prediction(self, matches: CityscapesMatches, name: str, score: float, overlaps: np.ndarray) -> None:
        """Add a prediction, with links in both directions between it and the objects of its label that it overlaps."""
        prediction = {
            "pixelCount": int(overlaps.sum()),
            "confidence": score,
            "voidIntersection": int(overlaps[self._void].sum()),
        }
        matched = []
        for item in matches["groundTruth"][name]:
            if not overlaps[item["instID"]]:
                continue
            intersection = {"intersection": int(overlaps[item["instID"]])}
            matched.append({key: value for key, value in item.items() if key != "matchedPred"} | intersection)
            item["matchedPred"].append(prediction | intersection)
        matches["prediction"][name].append(prediction | {"matchedGt": matched})

    def _score(self, images: list[CityscapesMatches]) -> InstanceScores:
        settings = SimpleNamespace(**{**vars(self._official.args), "instLabels": list(self._label_names.values())})
        precision = self._official.evaluateMatches(dict(enumerate(images)), settings)[0]  # (K, T), any distance
        at_50 = precision[:, np.isclose(settings.overlaps, 0.5)]
        numbers = list(self._label_names)
        by_class = {
            metric: self.things.by_class(values.mean(axis=1), numbers)
            for metric, values in (("AP", precision), ("AP50", at_50))
        }
        return InstanceScores(
            {"AP": PERCENT * mean_of_known(precision), "AP50": PERCENT * mean_of_known(at_50)}, by_class
        )
