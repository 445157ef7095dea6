"""Semantic scores of two folders of label images with the same names."""

from pathlib import Path

import numpy as np

from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import PERCENT, ClassTable
from frozenseg.evaluation.label_counts import LabelPairs, LabelValues
from frozenseg.evaluation.prediction_file_metrics.pairs import compare_label_files
from frozenseg.evaluation.prediction_file_metrics.scores import (
    FileScores,
    by_category,
    check_folder,
    check_same_images,
    compare_all,
)
from frozenseg.evaluation.semantic_iou import SemanticIoU
from frozenseg.structures.label_files import LABEL_SUFFIXES, files_by_name

ZERO_MIOU = (
    "mIoU is 0: no labelled pixel is predicted correctly. Likely causes: another value of the first class, classes in "
    "another order, label images that belong to other images."
)


def score_semantic_files(
    annotation_folder: str | Path, folder: str | Path, values: LabelValues, workers: int = 0, quiet: bool = False
) -> FileScores:
    """Score semantic predictions.

    Two label images belong together if their paths below the folders are equal up to the suffix. A labelled pixel that
    is predicted with the value of unlabelled pixels is wrong: it counts against its annotated class only.

    Args:
        annotation_folder: annotated label images.
        folder: predicted label images: one channel, 8 or 16 bits.
        values: meaning of the values of both.
        workers: number of processes; 0 is automatic.
        quiet: show no progress bar.

    Returns:
        mIoU, fwIoU, mACC, pACC; for each class IoU and ACC, with the class's value in the label images as id.

    Raises:
        DataError: a file is missing, invalid, or does not match the other.
    """
    annotated = files_by_name(check_folder(annotation_folder, "ground truth"), LABEL_SUFFIXES)
    predicted = files_by_name(check_folder(folder, "predictions"), LABEL_SUFFIXES)
    if not annotated:
        raise DataError(f"There is no label image ({', '.join(sorted(LABEL_SUFFIXES))}) in {annotation_folder}.")
    check_same_images(annotated, predicted, folder)
    tasks = [(name, path, predicted[name], values) for name, path in annotated.items()]
    categories = range(values.first, values.first + values.classes)
    table = ClassTable(tuple(map(str, categories)), np.ones(values.classes, dtype=bool), {})
    evaluator = SemanticIoU(table, values.ignore, values.first)
    comparisons = compare_all(compare_label_files, tasks, workers, quiet)
    compared = [comparison.pairs for comparison in comparisons]
    for contribution in compared:
        evaluator.add(contribution)
    labelled = sum(sum(pairs["pixels"]) for pairs in compared)
    if not labelled:
        raise DataError(
            f"The ground truth {annotation_folder} has no labelled pixel: check --ignore, which is {values.ignore}."
        )
    results = evaluator.evaluate()
    notes = _unpredicted(compared, values, labelled)
    notes += _binary_masks(compared, values, sum(comparison.unlabelled for comparison in comparisons))
    notes += [ZERO_MIOU] * (results["sem_seg"]["mIoU"] == 0)
    return FileScores(results, by_category(categories, evaluator.per_class), len(tasks), notes)


def _unpredicted(compared: list[LabelPairs], values: LabelValues, labelled: int) -> list[str]:
    """Return a note with the number of labelled pixels without a predicted class; empty if there are none."""
    count = sum(
        amount
        for pairs in compared
        for label, amount in zip(pairs["predicted"], pairs["pixels"], strict=True)
        if label == values.classes
    )
    share = f"{PERCENT * count / labelled:.2f} %"
    note = f"{count} labelled pixels ({share}) are predicted as {values.ignore}, no class: they count as wrong."
    return [note] if count else []


def _binary_masks(compared: list[LabelPairs], values: LabelValues, unlabelled: int) -> list[str]:
    """Return a note if one class only is annotated beside unlabelled pixels, as in binary masks of 0 and 255."""
    annotated = {label for pairs in compared for label in pairs["true"]}
    if values.classes < 2 or len(annotated) != 1 or not unlabelled:
        return []
    (label,) = annotated
    return [
        f"{values.first + label} is the only annotated class; {unlabelled} pixels with the value {values.ignore} are "
        f"unlabelled and not scored. If {values.ignore} is a class, as in binary masks with the values 0 and 255, "
        "write it as 1 in both folders and set --ignore -1."
    ]
