"""Instance segmentation with LVIS's federated annotations: average precision of masks, computed by the package lvis."""

import warnings
from types import ModuleType
from typing import Any

import numpy as np

from frozenseg.errors import DataError
from frozenseg.evaluation.annotated_instances import AnnotatedInstances
from frozenseg.evaluation.class_table import PERCENT, ClassTable
from frozenseg.evaluation.coco_ap import ResultLine
from frozenseg.evaluation.instance_evaluator import Scores
from frozenseg.evaluation.official_packages import import_lvis
from frozenseg.registry import EVALUATOR

METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf")
IMAGE_FIELDS = ("neg_category_ids", "not_exhaustive_category_ids")


@EVALUATOR.register()
class LvisAP(AnnotatedInstances):
    """AP, AP50, AP75, APs, APm, APl of masks, APr, APc, APf of rare, common and frequent classes; AP over subsets.

    The 300 best instances of an image count. A class counts in an image where it is annotated or said to be absent;
    where it is not annotated exhaustively, instances without a partner are no mistakes.

    Args:
        table: the classes.
        json_file: LVIS instance annotations.
        dataset_ids: contiguous class id → category id in ``json_file``, for things.

    Raises:
        FrozenSegError: the package lvis cannot be imported.
    """

    rule = "AP of masks as the package lvis computes it: federated annotations, 300 instances an image."
    evaluator_types = frozenset({"lvis"})

    def __init__(self, table: ClassTable, json_file: str, dataset_ids: dict[int, int]) -> None:
        self._lvis = import_lvis()  # on every process, before the images: a missing package shall not be found last
        super().__init__(table, json_file, dataset_ids)

    def _compare(self, images: list[Any], predictions: list[ResultLine]) -> Scores:
        truth = _load(self._lvis, self.json_file)
        if unknown := set(images) - set(truth.imgs):
            raise DataError(f"Image {min(map(str, unknown))} is not among the images of {self.json_file}.")
        categories = sorted(self.dataset_ids.values())
        if unknown := set(categories) - set(truth.cats):
            raise DataError(f"Category {min(unknown)} is not among the categories of {self.json_file}.")
        evaluation = self._lvis.LVISEval(truth, _results(self._lvis, truth, predictions), "segm")
        evaluation.params.img_ids = images
        evaluation.params.cat_ids = categories
        evaluation.run()
        values = {metric: float(evaluation.results[metric]) for metric in METRICS}
        # LVISEval says -1 where there is nothing
        results = {metric: PERCENT * value if value >= 0 else float("nan") for metric, value in values.items()}
        precision = evaluation.eval["precision"][:, :, :, 0]  # for any size
        return results, self._by_class(precision, np.asarray(evaluation.params.iou_thrs), categories)


def _load(lvis: ModuleType, json_file: str) -> Any:
    try:
        truth = lvis.LVIS(json_file)
        lacking = [field for field in IMAGE_FIELDS for image in truth.imgs.values() if field not in image]
        lacking += ["frequency" for category in truth.cats.values() if category.get("frequency") not in ("r", "c", "f")]
    except FileNotFoundError as error:
        raise DataError(f"The instance annotations {json_file} do not exist: prepare the data set anew.") from error
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise DataError(f"The instance annotations {json_file} are not LVIS's JSON format ({error}).") from error
    if lacking:
        raise DataError(f"The instance annotations {json_file} are not LVIS's JSON format: they lack {lacking[0]}.")
    return truth


def _results(lvis: ModuleType, truth: Any, predictions: list[ResultLine]) -> Any:
    """Return predictions as the package wants them; it cannot load an empty list itself."""
    if predictions:
        with warnings.catch_warnings():  # of the package's own use of logging
            warnings.filterwarnings("ignore", "The 'warn' method is deprecated", DeprecationWarning)
            return lvis.LVISResults(truth, [dict(line) for line in predictions])  # it writes into what it is given
    nothing = lvis.LVISResults.__new__(lvis.LVISResults)
    nothing.logger = truth.logger
    nothing.dataset = {**truth.dataset, "annotations": []}
    nothing._create_index()
    return nothing
