"""Semantic scores of two folders of label pictures, which go by the same names."""

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

NO_MATCH = (
    "mIoU is 0: no labelled pixel is predicted right. Likely causes: another value of the first class, classes in "
    "another order, pictures that belong to other images."
)


def score_semantic_files(
    truth_folder: str | Path, folder: str | Path, values: LabelValues, workers: int = 0, quiet: bool = False
) -> FileScores:
    """Score semantic predictions.

    Two pictures belong together when their paths inside the folders are equal but for the ending. A labelled pixel
    whose prediction is the value of unlabelled pixels is wrong: it counts against its true class and no other.

    Args:
        truth_folder: true label pictures.
        folder: predicted label pictures: one channel, 8 or 16 bits.
        values: what the values mean, in both.
        workers: processes; 0 chooses.
        quiet: no progress bar.

    Returns:
        mIoU, fwIoU, mACC, pACC; for each class IoU and ACC, under the value that it has in the pictures.

    Raises:
        DataError: something is missing, wrong, or does not fit.
    """
    truth = files_by_name(check_folder(truth_folder, "ground truth"), LABEL_SUFFIXES)
    guesses = files_by_name(check_folder(folder, "predictions"), LABEL_SUFFIXES)
    if not truth:
        raise DataError(f"There is no label picture ({', '.join(sorted(LABEL_SUFFIXES))}) in {truth_folder}.")
    check_same_images(truth, guesses, folder)
    tasks = [(name, path, guesses[name], values) for name, path in truth.items()]
    categories = range(values.first, values.first + values.classes)
    everything = np.ones(values.classes, dtype=bool)
    evaluator = SemanticIoU(ClassTable(tuple(map(str, categories)), everything, {}), values.ignore, values.first)
    compared: list[LabelPairs] = compare_all(compare_label_files, tasks, workers, quiet)
    for contribution in compared:
        evaluator.add(contribution)
    labelled = sum(sum(pairs["pixels"]) for pairs in compared)
    if not labelled:
        raise DataError(f"The ground truth {truth_folder} has no labelled pixel: check --ignore, {values.ignore} now.")
    results = evaluator.evaluate()
    notes = _unanswered(compared, values, labelled)
    notes += [NO_MATCH] * (results["sem_seg"]["mIoU"] == 0)
    return FileScores(results, by_category(categories, evaluator.per_class), len(tasks), notes)


def _unanswered(compared: list[LabelPairs], values: LabelValues, labelled: int) -> list[str]:
    """Say how many labelled pixels have no answer."""
    count = sum(
        amount
        for pairs in compared
        for label, amount in zip(pairs["predicted"], pairs["pixels"], strict=True)
        if label == values.classes
    )
    share = PERCENT * count / labelled
    note = f"{count} labelled pixels ({share:.2f} %) are predicted as {values.ignore}, no class: they count as wrong."
    return [note] if count else []
