"""Average precision of a COCO result file against instance annotations, over all images and categories."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT
from frozenseg.evaluation.coco_ap import precision_by_category, read_coco_annotations, score_masks
from frozenseg.evaluation.json_files import read_json
from frozenseg.evaluation.prediction_file_metrics.scores import FileScores, by_category
from frozenseg.evaluation.result_lines import ResultLine
from frozenseg.structures.record import ImageId

NO_LINES = "The result file has no line: every object is missed, and AP is 0."
ZERO_AP = (
    "AP is 0: no mask overlaps an object of its category with an IoU of 0.5. Likely causes: category ids of another "
    "list, image ids in another order, masks shifted or transposed."
)
HAS_BOXES = (
    "The lines have boxes: as in pycocotools, the areas of the boxes, not those of the masks, decide which predictions "
    "are small, medium and large (APs, APm, APl)."
)
LINE_FIELDS = ("image_id", "category_id", "segmentation", "score")
OBJECT_FIELDS = ("id", "image_id", "category_id", "segmentation", "area", "iscrowd")


def score_instance_files(annotation_json: str | Path, json_file: str | Path) -> FileScores:
    """Score instance predictions.

    Args:
        annotation_json: COCO's instance annotations; all their images and categories are evaluated.
        json_file: the predictions: a list of image_id, category_id, segmentation (compressed run lengths) and score.

    Returns:
        The metrics of pycocotools for masks; for each category AP, AP50, AP75.

    Raises:
        DataError: a file is missing, invalid, or does not match the other.
    """
    content = read_coco_annotations(annotation_json)
    lines = read_json(json_file, "predictions")
    sizes, categories = _sizes_and_categories(content, annotation_json)
    _check_annotations(content["annotations"], sizes, annotation_json)
    _check_lines(lines, sizes, set(categories), json_file)
    scores = score_masks(content, lines, list(sizes), categories)
    by_metric = {
        metric: {
            str(category): PERCENT * value
            for category, value in zip(categories, values.tolist(), strict=True)
            if not math.isnan(value)
        }
        for metric, values in precision_by_category(scores.precision, scores.thresholds).items()
    }
    results = {"segm": {metric: PERCENT * value for metric, value in scores.metrics.items()}}
    return FileScores(results, by_category(categories, by_metric), len(sizes), _notes(lines, scores.metrics["AP"]))


def _notes(lines: Sequence[ResultLine], precision: float) -> list[str]:
    if not lines:
        return [NO_LINES]
    return [HAS_BOXES] * bool(lines[0].get("bbox")) + [ZERO_AP] * (precision == 0)


def _sizes_and_categories(content: Mapping[str, Any], path: str | Path) -> tuple[dict[ImageId, list[int]], list[int]]:
    """Return image id → height, width; and the sorted category ids."""
    try:
        sizes = {image["id"]: [image["height"], image["width"]] for image in content["images"]}
        categories = sorted({category["id"] for category in content["categories"]})
    except (KeyError, TypeError) as error:
        raise DataError(f"The instance annotations {path} are not COCO's JSON format: no {error}.") from error
    if not (sizes and categories and content["annotations"]):
        raise DataError(f"The instance annotations {path} have no image, category or object: nothing can be scored.")
    return sizes, categories


def _check_annotations(
    objects: Sequence[Mapping[str, Any]], sizes: Mapping[ImageId, list[int]], path: str | Path
) -> None:
    for index, item in enumerate(objects):
        name = f"Object {item.get('id', f'number {index}')} of {path}"
        if missing := [field for field in OBJECT_FIELDS if field not in item]:
            raise DataError(f"{name} has no {missing[0]}: expected COCO's instance annotations.")
        if item["image_id"] not in sizes:
            raise DataError(f"{name} is in image {item['image_id']}, which is not among its images.")
        if isinstance(item["segmentation"], dict):
            _check_size(item["segmentation"], sizes[item["image_id"]], name)


def _check_lines(lines: object, sizes: Mapping[ImageId, list[int]], categories: set[int], path: str | Path) -> None:
    if not isinstance(lines, list):
        raise DataError(f"The predictions {path} are not a COCO result file: expected a list.")
    for number, line in enumerate(lines, start=1):
        name = f"Prediction {number} of {path}"
        if missing := [field for field in LINE_FIELDS if not isinstance(line, dict) or field not in line]:
            raise DataError(f"{name} has no {missing[0]}: expected {', '.join(LINE_FIELDS)}.")
        if line["image_id"] not in sizes:
            raise DataError(f"{name} is for image {line['image_id']}, which the ground truth does not have.")
        if line["category_id"] not in categories:
            raise DataError(f"{name} has category {line['category_id']}, which the ground truth does not have.")
        if not isinstance(line["score"], (int, float)) or not math.isfinite(line["score"]):
            raise DataError(f"{name} has the score {line['score']}: expected a finite number.")
        runs = line["segmentation"]
        if not isinstance(runs, dict) or not isinstance(runs.get("counts"), str):
            raise DataError(f"{name} has a segmentation that is not compressed run lengths (size and counts).")
        _check_size(runs, sizes[line["image_id"]], name)


def _check_size(runs: Mapping[str, Any], size: list[int], name: str) -> None:
    if list(runs.get("size", ())) != size:
        raise DataError(
            f"{name} has a mask of size {runs.get('size')}, but its image is {size[0]}×{size[1]} (height × width): "
            "predict at the size of the original image."
        )
