"""Instance segmentation with LVIS's federated annotations: average precision of masks, computed by the package lvis."""

import logging
import warnings
from types import ModuleType
from typing import Any

import numpy as np

from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, ClassTable
from frozenseg.evaluation.coco_ap import precision_by_category
from frozenseg.evaluation.coco_ap_evaluator import AnnotationFileAP
from frozenseg.evaluation.coco_ground_truth import CocoGroundTruth, read_coco_ground_truth
from frozenseg.evaluation.instance_scoring import InstanceScores
from frozenseg.evaluation.official_packages import import_lvis
from frozenseg.evaluation.result_lines import ResultLine, checked_lines
from frozenseg.registry import EVALUATOR
from frozenseg.structures.coco_values import field_text
from frozenseg.structures.record import ImageId

LVIS_METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf")
FREQUENCIES = ("r", "c", "f")
IMAGE_FIELDS = ("neg_category_ids", "not_exhaustive_category_ids")


@EVALUATOR.register()
class LvisAP(AnnotationFileAP):
    """AP, AP50, AP75, APs, APm, APl of masks, APr, APc, APf of rare, common and frequent classes; AP over subsets.

    The 300 best instances of an image count. A class counts in an image if it is annotated there or listed as absent;
    if it is not annotated exhaustively, unmatched instances are not false positives.

    Args:
        table: the classes.
        json_file: LVIS instance annotations.
        dataset_ids: contiguous class id → category id in ``json_file``, for things.

    Raises:
        FrozenSegError: the package lvis cannot be imported.
    """

    rule = "AP of masks as the package lvis computes it: federated annotations, 300 instances per image."
    evaluator_types = frozenset({"lvis"})

    def __init__(self, table: ClassTable, json_file: str, dataset_ids: dict[int, int]) -> None:
        self._lvis = import_lvis()  # on every process and before the images: a missing package is reported at once
        super().__init__(table, json_file, dataset_ids)

    def _score(self, images: list[ImageId], predictions: list[ResultLine]) -> InstanceScores:
        evaluation = self._evaluation(images, predictions)
        values = {metric: float(evaluation.results[metric]) for metric in LVIS_METRICS}
        # LVISEval returns -1 if there is no object
        metrics = {metric: PERCENT * value if value >= 0 else float("nan") for metric, value in values.items()}
        precision = evaluation.eval["precision"][:, :, :, 0]  # for objects of any size
        by_category = precision_by_category(precision, np.asarray(evaluation.params.iou_thrs))
        categories = evaluation.params.cat_ids
        return InstanceScores(
            metrics, {metric: self.things.by_class(values, categories) for metric, values in by_category.items()}
        )

    def _evaluation(self, images: list[ImageId], predictions: list[ResultLine]) -> Any:
        """Return the package's ``LVISEval`` after its run."""
        annotations = read_coco_ground_truth(self.json_file)
        annotations.warn()
        ground_truth, sizes = _load(self._lvis, annotations), annotations.sizes
        if unknown_images := set(images) - set(ground_truth.imgs):
            raise DataError(f"Image {min(map(str, unknown_images))} is not among the images of {self.json_file}.")
        categories = sorted(self.things.dataset_ids.values())
        if unknown := set(categories) - set(ground_truth.cats):
            raise DataError(f"Category {min(unknown)} is not among the categories of {self.json_file}.")
        results = _results(self._lvis, ground_truth, checked_lines(predictions, sizes))
        evaluation = self._lvis.LVISEval(ground_truth, results, "segm")
        evaluation.params.img_ids = images
        evaluation.params.cat_ids = categories
        evaluation.run()
        return evaluation


def _load(lvis: ModuleType, annotations: CocoGroundTruth) -> Any:
    """Return checked annotations as the package's ``LVIS``, whose constructor reads a file.

    Raises:
        DataError: they are not in LVIS's format.
    """
    path = annotations.path
    for field in IMAGE_FIELDS:
        for image, entry in annotations.images.items():
            if not isinstance(entry.get(field), list):
                raise DataError(
                    f"The instance annotations {path} are not LVIS's JSON format: image {image} "
                    f"{field_text(entry, field)}, expected a list of category ids."
                )
    for category, entry in annotations.categories.items():
        if entry.get("frequency") not in FREQUENCIES:
            raise DataError(
                f"The instance annotations {path} are not LVIS's JSON format: category {category} "
                f"{field_text(entry, 'frequency')}, expected 'r', 'c' or 'f'."
            )
    return _with_index(
        lvis.LVIS,
        {
            "images": list(annotations.images.values()),
            "categories": list(annotations.categories.values()),
            "annotations": annotations.annotations,
        },
    )


def _results(lvis: ModuleType, ground_truth: Any, predictions: list[ResultLine]) -> Any:
    """Return the package's ``LVISResults``; an empty list is loaded here, because its constructor fails on it."""
    if predictions:
        with warnings.catch_warnings():  # the package calls a deprecated function of logging
            warnings.filterwarnings("ignore", "The 'warn' method is deprecated", DeprecationWarning)
            return lvis.LVISResults(ground_truth, [dict(line) for line in predictions])  # copies: it writes into them
    return _with_index(lvis.LVISResults, {**ground_truth.dataset, "annotations": []})


def _with_index(package_class: Any, dataset: dict[str, Any]) -> Any:
    """Return an object of a class of the package for content that is loaded already."""
    instance = package_class.__new__(package_class)
    instance.logger = logging.getLogger("lvis.lvis")
    instance.dataset = dataset
    instance._create_index()
    return instance
