"""Instance segmentation: COCO's average precision of masks, computed by pycocotools.

Letters: n instances, T IoU thresholds, R recall levels, K thing classes, H×W the image.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, ClassTable
from frozenseg.evaluation.evaluator import DatasetEvaluator, Results
from frozenseg.registry import EVALUATOR
from frozenseg.structures.instances import Instances
from frozenseg.structures.label_files import image_name
from frozenseg.structures.masks import encode_rle

METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl")  # the first six numbers of COCOeval's summary


@EVALUATOR.register()
class InstanceAP(DatasetEvaluator):
    """AP, AP50, AP75, APs, APm, APl of masks; AP over subsets.

    Images that were not processed count nowhere; in an image without predictions every object is missed. Object size
    is that of the mask. Masks are kept as run lengths.

    Args:
        table: the classes.
        json_file: COCO instance annotations.
        dataset_ids: contiguous class id → category id in ``json_file``, for things.
    """

    read_out = "instance"
    evaluator_types = frozenset({"coco", "coco_panoptic_seg", "ade20k_panoptic_seg", "mapillary_vistas_panoptic_seg"})

    def __init__(self, table: ClassTable, json_file: str, dataset_ids: dict[int, int]) -> None:
        self.table = table
        self.json_file = json_file
        self.dataset_ids = dataset_ids
        super().__init__()

    @classmethod
    def from_metadata(cls, metadata: Any, seen: Sequence[bool]) -> "InstanceAP":
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
        self._predictions: list[dict[str, Any]] = []

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
        results, self.per_class = outcome
        return {"segm": results}

    def _describe(self, image_id: Any, instances: Instances, name: str) -> list[dict[str, Any]]:
        """Return the instances as lines of a COCO result file."""
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

    def _score(
        self, images: list[Any], predictions: list[dict[str, Any]]
    ) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
        """Return the metrics, and each class's AP by name."""
        truth = _load(self.json_file)
        if unknown := set(images) - set(truth.imgs):
            raise DataError(f"Image {min(map(str, unknown))} is not among the images of {self.json_file}.")
        # pycocotools reports its progress on stdout, which belongs to the caller
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(truth, _results(truth, predictions), "segm")
            evaluation.params.imgIds = sorted(set(images))
            evaluation.params.catIds = sorted(self.dataset_ids.values())
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        values = np.where(evaluation.stats < 0, np.nan, evaluation.stats)  # COCOeval says -1 where there is nothing
        results = {metric: PERCENT * float(value) for metric, value in zip(METRICS, values, strict=False)}
        contiguous = {category: index for index, category in self.dataset_ids.items()}
        precision = np.full(len(self.table), np.nan)
        precision[[contiguous[category] for category in evaluation.params.catIds]] = _class_precision(
            evaluation.eval["precision"]
        )
        return {**results, **self.table.subset_means("AP", precision)}, {"AP": self.table.by_name(precision)}


def _load(json_file: str) -> COCO:
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return COCO(json_file)
    except FileNotFoundError as error:
        raise DataError(f"The instance annotations {json_file} do not exist: prepare the data set anew.") from error
    except (ValueError, KeyError, AssertionError) as error:
        raise DataError(f"The instance annotations {json_file} are not COCO's JSON format ({error}).") from error


def _results(truth: COCO, predictions: list[dict[str, Any]]) -> COCO:
    """Return predictions as pycocotools wants them; it cannot load an empty list itself."""
    if predictions:
        return truth.loadRes([dict(line) for line in predictions])  # it writes into what it is given
    nothing = COCO()
    nothing.dataset = {"images": truth.dataset["images"], "categories": truth.dataset["categories"], "annotations": []}
    nothing.createIndex()
    return nothing


def _class_precision(precision: np.ndarray) -> np.ndarray:
    """Average (T, R, K, sizes, limits) over T and R, for any size and the highest limit: (K,), NaN where none."""
    levels = precision[:, :, :, 0, -1].transpose(2, 0, 1).reshape(precision.shape[2], -1)  # (K, T·R)
    known = levels[:, 0] > -1  # a class without objects is -1 at every level
    return np.where(known, levels.mean(axis=1), np.nan)
