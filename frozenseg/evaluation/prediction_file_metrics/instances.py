"""Average precision of a COCO result file against instance annotations, over all images and categories."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT
from frozenseg.evaluation.coco_ap import precision_by_category, score_masks
from frozenseg.evaluation.coco_ground_truth import read_coco_ground_truth
from frozenseg.evaluation.prediction_file_metrics.result_file import read_result_lines
from frozenseg.evaluation.prediction_file_metrics.scores import FileScores, by_category
from frozenseg.evaluation.result_lines import ResultLine
from frozenseg.structures.json_files import garbage_collection_paused, read_json

NO_LINES = "The result file has no line: every object is missed, and AP is 0."
ZERO_AP = (
    "AP is 0: no mask overlaps an object of its category with an IoU of 0.5. Likely causes: category ids of another "
    "list, image ids in another order, masks shifted or transposed."
)
NO_COMMON_CATEGORY = (
    "AP is 0: no predicted object has a category that is annotated. Likely cause: category ids of another list."
)
UNKNOWN_AP = "AP has no value: all objects of the ground truth are crowds, which are not scored."


@garbage_collection_paused()
def score_instance_files(annotation_json: str | Path, json_file: str | Path, strict: bool = False) -> FileScores:
    """Score instance predictions.

    Args:
        annotation_json: COCO's instance annotations; all their images and categories are evaluated.
        json_file: the predictions: a list of image_id, category_id, segmentation (run lengths) and score.
        strict: refuse objects of the ground truth without a mask instead of leaving them out.

    Returns:
        The metrics of pycocotools for masks; for each category AP, AP50, AP75.

    Raises:
        DataError: a file is missing, invalid, or does not match the other.
    """
    ground_truth = read_coco_ground_truth(annotation_json, strict)
    if not ground_truth.annotations:
        reason = " ".join(ground_truth.notes) or "Its list of annotations is empty."
        raise DataError(
            f"{annotation_json} has no object with a mask, expected polygons or run lengths to score against. {reason}"
        )
    sizes, categories = ground_truth.sizes, sorted(ground_truth.categories)
    predictions = read_result_lines(read_json(json_file, "predictions"), json_file, sizes, categories)
    scores = score_masks(ground_truth, predictions.lines, list(sizes), categories)
    by_metric = {
        metric: {
            str(category): PERCENT * value
            for category, value in zip(categories, values.tolist(), strict=True)
            if not math.isnan(value)
        }
        for metric, values in precision_by_category(scores.precision, scores.thresholds).items()
    }
    results = {"segm": {metric: PERCENT * value for metric, value in scores.metrics.items()}}
    notes = [*ground_truth.notes, *predictions.notes]
    notes += _unusual_precision(scores.metrics["AP"], ground_truth.annotations, predictions.lines)
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
