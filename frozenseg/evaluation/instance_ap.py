"""Instance segmentation: COCO's average precision of masks."""

from typing import Any

from frozenseg.evaluation.annotated_instances import AnnotatedInstances
from frozenseg.evaluation.class_table import PERCENT, ClassTable
from frozenseg.evaluation.coco_ap import ResultLine, ap_package_version, coco_ap
from frozenseg.evaluation.instance_evaluator import Scores
from frozenseg.registry import EVALUATOR


@EVALUATOR.register()
class InstanceAP(AnnotatedInstances):
    """AP, AP50, AP75, APs, APm, APl and AR of masks; AP, AP50, AP75 over subsets. Object size is that of the mask."""

    evaluator_types = frozenset({"coco", "coco_panoptic_seg", "ade20k_panoptic_seg", "mapillary_vistas_panoptic_seg"})

    def __init__(self, table: ClassTable, json_file: str, dataset_ids: dict[int, int]) -> None:
        self.rule = (
            f"AP of masks as COCO defines it, computed by {ap_package_version()}: 10 IoU thresholds from 0.5 to "
            "0.95, the 100 best instances of an image."
        )
        super().__init__(table, json_file, dataset_ids)

    def _compare(self, images: list[Any], predictions: list[ResultLine]) -> Scores:
        categories = sorted(self.dataset_ids.values())
        found = coco_ap(self.json_file, predictions, images, categories)
        results = {metric: PERCENT * value for metric, value in found.metrics.items()}
        return results, self._by_class(found.precision, found.thresholds, categories)
