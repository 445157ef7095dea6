"""Average precision of a COCO result file against instance annotations, over all images and categories."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT
from frozenseg.evaluation.coco_ap import precision_by_category, score_masks
from frozenseg.evaluation.json_files import read_json
from frozenseg.evaluation.prediction_file_metrics.entries import Entry
from frozenseg.evaluation.prediction_file_metrics.result_file import read_result_lines
from frozenseg.evaluation.prediction_file_metrics.scores import FileScores, by_category, first_duplicate
from frozenseg.evaluation.result_lines import ResultLine
from frozenseg.structures.record import ImageId

NO_LINES = "The result file has no line: every object is missed, and AP is 0."
ZERO_AP = (
    "AP is 0: no mask overlaps an object of its category with an IoU of 0.5. Likely causes: category ids of another "
    "list, image ids in another order, masks shifted or transposed."
)
NO_COMMON_CATEGORY = (
    "AP is 0: no predicted object has a category that is annotated. Likely cause: category ids of another list."
)
UNKNOWN_AP = "AP has no value: all objects of the ground truth are crowds, which are not scored."
OBJECT_FIELDS = ("id", "image_id", "category_id", "segmentation", "area", "iscrowd")
LARGEST_SIDE = 10**6  # pixels
LARGEST_IMAGE = 2**31 - 1  # pixels: pycocotools counts in 32 bits


def score_instance_files(annotation_json: str | Path, json_file: str | Path) -> FileScores:
    """Score instance predictions.

    Args:
        annotation_json: COCO's instance annotations; all their images and categories are evaluated.
        json_file: the predictions: a list of image_id, category_id, segmentation (run lengths) and score.

    Returns:
        The metrics of pycocotools for masks; for each category AP, AP50, AP75.

    Raises:
        DataError: a file is missing, invalid, or does not match the other.
    """
    content = read_json(annotation_json, "ground truth")
    top = Entry.of(content, f"The instance annotations {annotation_json}", "images, categories and annotations")
    sizes, categories = _sizes(top, annotation_json), _categories(top, annotation_json)
    _check_annotations(content["annotations"], sizes, annotation_json)
    predictions = read_result_lines(read_json(json_file, "predictions"), json_file, sizes, categories)
    scores = score_masks(content, predictions.lines, list(sizes), categories)
    by_metric = {
        metric: {
            str(category): PERCENT * value
            for category, value in zip(categories, values.tolist(), strict=True)
            if not math.isnan(value)
        }
        for metric, values in precision_by_category(scores.precision, scores.thresholds).items()
    }
    results = {"segm": {metric: PERCENT * value for metric, value in scores.metrics.items()}}
    notes = [*predictions.notes, *_unusual_precision(scores.metrics["AP"], content["annotations"], predictions.lines)]
    return FileScores(results, by_category(categories, by_metric), len(sizes), notes)


def _unusual_precision(
    precision: float, objects: Sequence[Mapping[str, Any]], lines: Sequence[ResultLine]
) -> list[str]:
    """Return a note with the likely causes of an AP that is 0 or NaN; empty for others."""
    if math.isnan(precision):
        return [UNKNOWN_AP]
    if precision > 0:
        return []
    if not lines:
        return [NO_LINES]
    labels, annotated = ({item["category_id"] for item in items} for items in (lines, objects))
    return [ZERO_AP if labels & annotated else NO_COMMON_CATEGORY]


def _sizes(top: Entry, path: str | Path) -> dict[ImageId, tuple[int, int]]:
    """Return image id → height, width."""
    sizes: dict[ImageId, tuple[int, int]] = {}
    for entry in top.entries("images", "Image", path, "id, height and width"):
        image = entry.identifier("id")
        if image in sizes:
            raise DataError(f"{entry.name} repeats an earlier id: keep one of them.")
        height, width = (entry.integer(side, 1, LARGEST_SIDE, "pixels") for side in ("height", "width"))
        if height * width > LARGEST_IMAGE:
            raise DataError(f"{entry.name} has {height}×{width} pixels: expected at most {LARGEST_IMAGE}.")
        sizes[image] = height, width
    if not sizes:
        raise DataError(f"{top.name} have no image, category or object: nothing can be scored.")
    return sizes


def _categories(top: Entry, path: str | Path) -> list[int]:
    """Return the sorted category ids."""
    categories = [entry.integer("id", 0) for entry in top.entries("categories", "Category", path, "id and name")]
    if (repeated := first_duplicate(categories)) is not None:
        raise DataError(f"{top.name} have the category {repeated} twice: ids of categories must differ.")
    if not categories:
        raise DataError(f"{top.name} have no image, category or object: nothing can be scored.")
    return sorted(categories)


def _check_annotations(
    objects: Sequence[Mapping[str, Any]], sizes: Mapping[ImageId, tuple[int, int]], path: str | Path
) -> None:
    if not objects:
        raise DataError(f"The instance annotations {path} have no image, category or object: nothing can be scored.")
    for index, item in enumerate(objects):
        name = f"Object {item.get('id', f'number {index}')} of {path}"
        if missing := [field for field in OBJECT_FIELDS if field not in item]:
            raise DataError(f"{name} has no {missing[0]}: expected COCO's instance annotations.")
        if item["image_id"] not in sizes:
            raise DataError(f"{name} is in image {item['image_id']}, which is not among its images.")
        if isinstance(item["segmentation"], dict):
            pass
