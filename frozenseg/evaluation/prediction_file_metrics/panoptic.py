"""Panoptic quality of files in COCO panoptic format: a JSON of segments and a folder of PNGs for either side.

The counts are those of panopticapi's ``pq_compute``; in addition, predictions for unknown images and duplicate ids are
errors.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.panoptic_quality import PanopticQuality
from frozenseg.evaluation.prediction_file_metrics.annotation_faults import annotation_notes
from frozenseg.evaluation.prediction_file_metrics.entries import KnownIds
from frozenseg.evaluation.prediction_file_metrics.pairs import PanopticFile, match_panoptic_files
from frozenseg.evaluation.prediction_file_metrics.panoptic_entries import PanopticCategory, PanopticEntries
from frozenseg.evaluation.prediction_file_metrics.panoptic_notes import (
    different_names,
    swapped_files,
    unscored_images,
)
from frozenseg.evaluation.prediction_file_metrics.scores import (
    FileScores,
    by_category,
    check_folder,
    check_same_images,
    compare_all,
)
from frozenseg.structures.json_files import read_json
from frozenseg.structures.record import ImageId

GROUND_TRUTH, PREDICTIONS = "ground truth", "predictions"
ZERO_PQ = (
    "PQ is 0: no segment matches an annotated one of its category. Likely causes: category ids of another list, PNGs "
    "that belong to other images, ids that are not encoded as R + 256·G + 65536·B."
)
NO_PREDICTED_SEGMENT = "PQ is 0: the predictions have no segment, so that every annotated segment is missed."
NO_PREDICTED_CATEGORY = (
    "PQ is 0: no predicted segment has a category that is annotated. Likely cause: category ids of another list."
)
CROWDS_ONLY = (
    "PQ is 0: all segments of the ground truth are crowds, which are not scored, and a prediction is outside of them."
)
UNKNOWN_PQ = "PQ has no value: the ground truth has crowds only, and no prediction is outside of them."

PanopticFiles = Mapping[ImageId, PanopticFile]


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
    ground_truth = PanopticEntries(read_json(annotation_json, GROUND_TRUTH), annotation_json, folders[0], GROUND_TRUTH)
    predictions = PanopticEntries(read_json(json_file, PREDICTIONS), json_file, folders[1], PREDICTIONS)
    categories = ground_truth.categories()
    annotated, predicted, notes = _matching_images(ground_truth, predictions, categories)
    sizes = ground_truth.sizes()
    notes += unscored_images(sizes, annotated, annotation_json)
    tasks = [(image, file, predicted[image], len(categories), sizes.get(image)) for image, file in annotated.items()]
    evaluator = PanopticQuality(
        ClassTable(tuple(map(str, categories)), np.array([category.isthing for category in categories.values()]), {})
    )
    compared = compare_all(match_panoptic_files, tasks, workers, quiet)
    for comparison in compared:
        evaluator.add(comparison.counts)
    notes += annotation_notes([comparison.faults for comparison in compared], annotation_json)
    scores = _scores(evaluator, list(categories), len(tasks), notes)
    notes += _unusual_quality(scores.results["panoptic_seg"]["PQ"], annotated, predicted)
    return scores


def _matching_images(
    ground_truth: PanopticEntries, predictions: PanopticEntries, categories: Mapping[int, PanopticCategory]
) -> tuple[PanopticFiles, PanopticFiles, list[str]]:
    """Return the annotated images, the predicted images (which are the same), and notes."""
    annotated = ground_truth.annotated(categories)
    if not any(image.segments for image in annotated.values()):
        raise DataError(f"The {GROUND_TRUTH} {ground_truth.path} has no segment: there is nothing to score.")
    images, labels = KnownIds(list(annotated), "image"), KnownIds(list(categories), "category")
    notes = different_names(categories, predictions)
    predicted = predictions.predicted(images, labels)
    check_same_images(annotated, predicted, predictions.path)
    notes += [*images.notes(), *labels.notes(), *swapped_files(annotated, predicted, predictions.path)]
    return annotated, predicted, notes


def _scores(evaluator: PanopticQuality, categories: Sequence[int], images: int, notes: list[str]) -> FileScores:
    results, counts = evaluator.evaluate(), evaluator.counts()
    qualities = by_category(categories, evaluator.per_class)
    per_category = {
        str(category): {name: values[index].item() for name, values in counts._asdict().items()}
        | qualities[str(category)]
        for index, category in enumerate(categories)
    }
    return FileScores(results, per_category, images, notes)


def _unusual_quality(quality: float, annotated: PanopticFiles, predicted: PanopticFiles) -> list[str]:
    """Return a note with the likely causes of a PQ that is 0 or NaN; empty for others."""
    if math.isnan(quality):
        return [UNKNOWN_PQ]
    if quality > 0:
        return []
    labels = [
        {segment["category_id"] for file in files.values() for segment in file.segments}
        for files in (annotated, predicted)
    ]
    if not labels[1]:
        return [NO_PREDICTED_SEGMENT]
    if all(segment["iscrowd"] for file in annotated.values() for segment in file.segments):
        return [CROWDS_ONLY]
    return [ZERO_PQ if labels[0] & labels[1] else NO_PREDICTED_CATEGORY]
