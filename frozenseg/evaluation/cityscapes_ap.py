"""Instance segmentation of Cityscapes: its own average precision, computed by the package cityscapesscripts.

The package wants a PNG file of every predicted mask. All that it reads from them are overlaps, which are counted here
as the images pass: it is given these, and no file is written.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np

from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, ClassTable, mean_of_known
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.evaluation.instance_evaluator import InstanceEvaluator, Scores
from frozenseg.evaluation.official_packages import import_cityscapes_evaluation
from frozenseg.registry import EVALUATOR
from frozenseg.structures.instances import Instances

FIRST_OBJECT = 1000  # smaller instance ids are classes: groups of objects, or no objects
NO_DISTANCE = {"medDist": -1, "distConf": 0.0}  # the package's words for ground truth without depth
Match = dict[str, dict[str, list[dict[str, Any]]]]  # of an image: groundTruth, prediction → label → objects


@EVALUATOR.register()
class CityscapesAP(InstanceEvaluator):
    """AP over the IoU thresholds 0.5, 0.55, … 0.95 and AP50 of masks; also over subsets.

    Objects below 100 pixels do not count. Predictions that lie in void, in groups or in such small objects, by more
    than the threshold, are no mistakes.

    Args:
        table: the classes.
        dataset_ids: contiguous class id → Cityscapes label id, for things.

    Raises:
        DataError: a thing is no Cityscapes label that has instances.
        FrozenSegError: the package cityscapesscripts cannot be imported.
    """

    rule = "AP of masks as cityscapesscripts computes it: 10 IoU thresholds from 0.5 to 0.95, 100 pixels at least."
    truth = "instance_ids"
    evaluator_types = frozenset({"cityscapes_panoptic_seg", "cityscapes_instance"})

    def __init__(self, table: ClassTable, dataset_ids: dict[int, int]) -> None:
        package = import_cityscapes_evaluation()  # first, on every process: shall not be missed after the images
        scored = {label.id: label.name for label in package.labels.labels if label.hasInstances}
        if unknown := set(dataset_ids.values()) - set(scored):
            raise DataError(f"Cityscapes has no label {min(unknown)} with instances: correct the ids of the things.")
        self._official = package.instance
        self._labels = {number: scored[number] for number in dataset_ids.values()}
        self._void = [label.id for label in package.labels.labels if label.ignoreInEval and label.id >= 0]
        super().__init__(table, dataset_ids)

    def _describe(self, record: dict[str, Any], instances: Instances) -> Match:
        ids = ground_truth_of(record, self.truth).pixels().astype(np.int64)  # (H, W)
        masks = instances.pred_masks.cpu().numpy().astype(bool)  # (N, H, W)
        if masks.shape[1:] != ids.shape:
            raise DataError(
                f"The prediction for {record['instance_file_name']} is {masks.shape[2]}×{masks.shape[1]}, "
                f"but the file is {ids.shape[1]}×{ids.shape[0]}."
            )
        pixels = np.bincount(ids.ravel(), minlength=FIRST_OBJECT)  # by instance id
        truth = {label: self._objects(number, pixels) for number, label in self._labels.items()}
        match: Match = {"groundTruth": truth, "prediction": {label: [] for label in truth}}
        labels = [self.dataset_ids[index] for index in instances.pred_classes.tolist()]
        for mask, number, score in zip(masks, labels, instances.scores.tolist(), strict=True):
            overlaps = np.bincount(ids[mask], minlength=len(pixels))  # by instance id
            if overlaps.any():
                self._pair(match, self._labels[number], score, overlaps)
        return match

    def _objects(self, number: int, pixels: np.ndarray) -> list[dict[str, Any]]:
        """Return the objects and the group of a label."""
        mine = np.arange(number * FIRST_OBJECT, min((number + 1) * FIRST_OBJECT, len(pixels)))
        present = [instance for instance in (number, *mine.tolist()) if pixels[instance]]
        return [
            {"instID": instance, "labelID": number, "pixelCount": int(pixels[instance]), "matchedPred": []}
            | NO_DISTANCE
            for instance in present
        ]

    def _pair(self, match: Match, label: str, score: float, overlaps: np.ndarray) -> None:
        """Add a prediction, and let it and the objects of its label that it meets know of each other."""
        prediction = {
            "pixelCount": int(overlaps.sum()),
            "confidence": score,
            "voidIntersection": int(overlaps[self._void].sum()),
        }
        met = [gt for gt in match["groundTruth"][label] if overlaps[gt["instID"]]]
        described = []
        for gt in met:
            intersection = {"intersection": int(overlaps[gt["instID"]])}
            described.append({key: value for key, value in gt.items() if key != "matchedPred"} | intersection)
            gt["matchedPred"].append(prediction | intersection)
        match["prediction"][label].append(prediction | {"matchedGt": described})

    def _score(self, images: list[Match]) -> Scores:
        settings = SimpleNamespace(**{**vars(self._official.args), "instLabels": list(self._labels.values())})
        precision = self._official.evaluateMatches(dict(enumerate(images)), settings)[0]  # (K, T), any distance
        at_50 = precision[:, np.isclose(settings.overlaps, 0.5)]
        by_class = {"AP": np.full(len(self.table), np.nan), "AP50": np.full(len(self.table), np.nan)}
        for metric, values in (("AP", precision), ("AP50", at_50)):
            by_class[metric][list(self.dataset_ids)] = values.mean(axis=1)
        return {"AP": PERCENT * mean_of_known(precision), "AP50": PERCENT * mean_of_known(at_50)}, by_class
