"""Panoptic quality of files in COCO panoptic format: a JSON of segments and a folder of PNGs for either side.

The counts are those of panopticapi's ``pq_compute``; in addition, predictions for unknown images and duplicate ids are
errors.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.json_files import read_json
from frozenseg.evaluation.panoptic_quality import PanopticQuality
from frozenseg.evaluation.prediction_file_metrics.pairs import PanopticFile, match_panoptic_files
from frozenseg.evaluation.prediction_file_metrics.scores import (
    FileScores,
    by_category,
    check_folder,
    check_same_images,
    compare_all,
    first_duplicate,
)
from frozenseg.structures.record import ImageId

GROUND_TRUTH, PREDICTIONS = "ground truth", "predictions"
ZERO_PQ = (
    "PQ is 0: no segment matches an annotated one of its category. Likely causes: category ids of another list, PNGs "
    "that belong to other images, ids that are not encoded as R + 256·G + 65536·B."
)


def score_panoptic_files(
    annotation_json: str | Path,
    annotation_folder: str | Path,
    json_file: str | Path,
    folder: str | Path,
    workers: int = 0,
    quiet: bool = False,
) -> FileScores:
    """Score panoptic predictions.

    Args:
        annotation_json: the ground truth; all its categories (id, isthing) are evaluated.
        annotation_folder: PNGs of the ground truth.
        json_file: the predictions: ``annotations`` with image_id, file_name, and segments_info of id and category_id.
        folder: PNGs of the predictions.
        workers: number of processes; 0 is automatic.
        quiet: show no progress bar.

    Returns:
        PQ, SQ, RQ; for each category also tp, fp, fn and the sum of IoU over its matches, ``iou``.

    Raises:
        DataError: a file is missing, invalid, or does not match the other.
    """
    folders = check_folder(annotation_folder, GROUND_TRUTH), check_folder(folder, PREDICTIONS)
    content = read_json(annotation_json, GROUND_TRUTH)
    table, contiguous = _categories(content, annotation_json)
    annotated = dict(_images(content, annotation_json, folders[0], contiguous, areas=True))
    predicted = dict(_images(read_json(json_file, PREDICTIONS), json_file, folders[1], contiguous))
    check_same_images(annotated, predicted, json_file)
    if not any(image.segments for image in annotated.values()):
        raise DataError(f"The {GROUND_TRUTH} {annotation_json} has no segment: there is nothing to score.")
    for file in (*annotated.values(), *predicted.values()):
        if not file.path.is_file():
            raise DataError(f"The image {file.path}, which the JSON file names, does not exist.")
    tasks = [(image, file, predicted[image], len(table)) for image, file in annotated.items()]
    evaluator = PanopticQuality(table)
    for contribution in compare_all(match_panoptic_files, tasks, workers, quiet):
        evaluator.add(contribution)
    results, counts = evaluator.evaluate(), evaluator.counts()
    qualities = by_category(list(contiguous), evaluator.per_class)
    per_category = {
        str(category): {name: values[index].item() for name, values in counts._asdict().items()}
        | qualities[str(category)]
        for category, index in contiguous.items()
    }
    return FileScores(results, per_category, len(tasks), [] if counts.tp.any() else [ZERO_PQ])


def _categories(content: Any, path: str | Path) -> tuple[ClassTable, dict[int, int]]:
    """Return the classes, with their category ids as names, and category id → contiguous class."""
    try:
        things = {category["id"]: bool(category["isthing"]) for category in content["categories"]}
        duplicate = first_duplicate(category["id"] for category in content["categories"])
    except (KeyError, TypeError) as error:
        raise DataError(
            f"The {GROUND_TRUTH} {path} is not in COCO panoptic format: {error} in its categories."
        ) from error
    if duplicate is not None or not things:
        problem = f"category {duplicate} twice" if things else "no category"
        raise DataError(f"The {GROUND_TRUTH} {path} has {problem}: nothing can be scored.")
    table = ClassTable(tuple(map(str, things)), np.array(list(things.values())), {})
    return table, {category: index for index, category in enumerate(things)}


def _images(
    content: Any, path: str | Path, folder: Path, contiguous: Mapping[int, int], areas: bool = False
) -> Iterator[tuple[ImageId, PanopticFile]]:
    """Yield the images of a JSON file, each with its PNG and its segments with contiguous classes."""
    try:
        duplicate = first_duplicate(entry["image_id"] for entry in content["annotations"])
        if duplicate is not None:
            raise DataError(f"{path} has image {duplicate} twice: keep one of them.")
        for entry in content["annotations"]:
            segments = [_segment(segment, entry, path, contiguous, areas) for segment in entry["segments_info"]]
            yield entry["image_id"], PanopticFile(folder / entry["file_name"], segments)
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not in COCO panoptic format: {error}. Expected annotations with image_id, file_name and "
            "segments_info; their segments with id and category_id, and those of the ground truth with area."
        ) from error


def _segment(
    segment: Mapping[str, Any], entry: Mapping[str, Any], path: str | Path, contiguous: Mapping[int, int], areas: bool
) -> dict[str, Any]:
    """Return a segment with its contiguous class, and its area and crowd flag if ``areas`` is True."""
    if segment["category_id"] not in contiguous:
        raise DataError(
            f"{path}, image {entry['image_id']}: segment {segment['id']} has category {segment['category_id']}, which "
            "is not among the categories of the ground truth."
        )
    converted = {"id": segment["id"], "category_id": contiguous[segment["category_id"]]}
    if areas:
        converted |= {"area": segment["area"], "iscrowd": segment.get("iscrowd", 0) == 1}
    return converted
