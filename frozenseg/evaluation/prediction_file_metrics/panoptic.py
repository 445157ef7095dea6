"""Panoptic quality of files in COCO panoptic format: a JSON of segments and a folder of PNGs, twice.

The counts are those of panopticapi's ``pq_compute``; beyond it, predictions for unknown images and ids that stand twice
are refused.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.panoptic_quality import PanopticQuality
from frozenseg.evaluation.prediction_file_metrics.pairs import PanopticFile, match_panoptic_files
from frozenseg.evaluation.prediction_file_metrics.scores import (
    FileScores,
    by_category,
    check_folder,
    check_same_images,
    compare_all,
    first_double,
    read_json,
)

TRUTH, GUESS = "ground truth", "predictions"
NO_MATCH = (
    "PQ is 0: no segment matches one of its category. Likely causes: category ids of another list, PNGs that belong to "
    "other images, ids that are not written as R + 256·G + 65536·B."
)


def score_panoptic_files(
    truth_json: str | Path,
    truth_folder: str | Path,
    json_file: str | Path,
    folder: str | Path,
    workers: int = 0,
    quiet: bool = False,
) -> FileScores:
    """Score panoptic predictions.

    Args:
        truth_json: the ground truth; its categories (id, isthing) are those that count.
        truth_folder: its PNGs.
        json_file: the predictions: ``annotations`` with image_id, file_name, and segments_info of id and category_id.
        folder: their PNGs.
        workers: processes; 0 chooses.
        quiet: no progress bar.

    Returns:
        PQ, SQ, RQ; for each category also tp, fp, fn and the sum of IoU over its matches, ``iou``.

    Raises:
        DataError: something is missing, wrong, or does not fit.
    """
    folders = check_folder(truth_folder, TRUTH), check_folder(folder, GUESS)
    content = read_json(truth_json, TRUTH)
    table, contiguous = _categories(content, truth_json)
    truth = dict(_images(content, truth_json, folders[0], contiguous, areas=True))
    guesses = dict(_images(read_json(json_file, GUESS), json_file, folders[1], contiguous))
    check_same_images(truth, guesses, json_file)
    if not any(image.segments for image in truth.values()):
        raise DataError(f"The {TRUTH} {truth_json} annotates no segment: there is nothing to score.")
    for file in (*truth.values(), *guesses.values()):
        if not file.path.is_file():
            raise DataError(f"The picture {file.path}, which the JSON names, does not exist.")
    tasks = [(image, file, guesses[image], len(table)) for image, file in truth.items()]
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
    return FileScores(results, per_category, len(tasks), [] if counts.tp.any() else [NO_MATCH])


def _categories(content: Any, path: str | Path) -> tuple[ClassTable, dict[Any, int]]:
    """Return the classes, called by their ids, and category id → contiguous class."""
    try:
        things = {category["id"]: bool(category["isthing"]) for category in content["categories"]}
        double = first_double(category["id"] for category in content["categories"])
    except (KeyError, TypeError) as error:
        raise DataError(f"The {TRUTH} {path} is not in COCO panoptic format: {error} in its categories.") from error
    if double is not None or not things:
        problem = f"category {double} twice" if things else "no category"
        raise DataError(f"The {TRUTH} {path} has {problem}: nothing can be scored.")
    table = ClassTable(tuple(map(str, things)), np.array(list(things.values())), {})
    return table, {category: index for index, category in enumerate(things)}


def _images(
    content: Any, path: str | Path, folder: Path, contiguous: Mapping[Any, int], areas: bool = False
) -> Iterator[tuple[Any, PanopticFile]]:
    """Go through the images of a JSON; each with its PNG and its segments, of contiguous classes."""
    try:
        double = first_double(entry["image_id"] for entry in content["annotations"])
        if double is not None:
            raise DataError(f"{path} has image {double} twice: keep one of them.")
        for entry in content["annotations"]:
            segments = [_segment(segment, entry, path, contiguous, areas) for segment in entry["segments_info"]]
            yield entry["image_id"], PanopticFile(folder / entry["file_name"], segments)
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not in COCO panoptic format: {error}. Expected annotations with image_id, file_name and "
            "segments_info; their segments with id and category_id, and those of the ground truth with area."
        ) from error


def _segment(
    segment: Mapping[str, Any], entry: Mapping[str, Any], path: str | Path, contiguous: Mapping[Any, int], areas: bool
) -> dict[str, Any]:
    if segment["category_id"] not in contiguous:
        raise DataError(
            f"{path}, image {entry['image_id']}: segment {segment['id']} has category {segment['category_id']}, which "
            "is not among the categories of the ground truth."
        )
    described = {"id": segment["id"], "category_id": contiguous[segment["category_id"]]}
    if areas:
        described |= {"area": segment["area"], "iscrowd": segment.get("iscrowd", 0) == 1}
    return described
