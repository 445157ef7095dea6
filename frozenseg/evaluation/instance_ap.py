"""Instance segmentation: COCO's average precision of masks, computed by pycocotools."""

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from frozenseg.errors import DataError
from frozenseg.evaluation.annotated_instances import AnnotatedInstances, Line
from frozenseg.evaluation.class_table import PERCENT
from frozenseg.registry import EVALUATOR

METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl")  # the first six numbers of COCOeval's summary


@EVALUATOR.register()
class InstanceAP(AnnotatedInstances):
    """AP, AP50, AP75, APs, APm, APl of masks; AP over subsets. Object size is that of the mask."""

    evaluator_types = frozenset({"coco", "coco_panoptic_seg", "ade20k_panoptic_seg", "mapillary_vistas_panoptic_seg"})

    def _compare(self, images: list[Any], predictions: list[Line]) -> tuple[dict[str, float], np.ndarray]:
        truth = _load(self.json_file)
        self._check_images(images, truth.imgs)
        # pycocotools reports its progress on stdout, which belongs to the caller
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(truth, _results(truth, predictions), "segm")
            evaluation.params.imgIds = images
            evaluation.params.catIds = sorted(self.dataset_ids.values())
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        values = np.where(evaluation.stats < 0, np.nan, evaluation.stats)  # COCOeval says -1 where there is nothing
        results = {metric: PERCENT * float(value) for metric, value in zip(METRICS, values, strict=False)}
        precision = evaluation.eval["precision"][:, :, :, 0, -1]  # for any size and the highest limit
        return results, self._by_class(precision, evaluation.params.catIds)


def _load(json_file: str) -> COCO:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return COCO(json_file)
    except FileNotFoundError as error:
        raise DataError(f"The instance annotations {json_file} do not exist: prepare the data set anew.") from error
    except (ValueError, KeyError, AssertionError) as error:
        raise DataError(f"The instance annotations {json_file} are not COCO's JSON format ({error}).") from error


def _results(truth: COCO, predictions: list[Line]) -> COCO:
    """Return predictions as pycocotools wants them; it cannot load an empty list itself."""
    if predictions:
        return truth.loadRes([dict(line) for line in predictions])  # it writes into what it is given
    nothing = COCO()
    nothing.dataset = {"images": truth.dataset["images"], "categories": truth.dataset["categories"], "annotations": []}
    nothing.createIndex()
    return nothing
