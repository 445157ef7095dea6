"""One image of two sets of files compared; other processes run this, so it imports little.

Letters: C classes.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from frozenseg.errors import DataError
from frozenseg.evaluation.label_counts import IGNORED, LabelPairs, LabelValues, count_labels
from frozenseg.evaluation.panoptic_matching import PanopticMap, count_matches
from frozenseg.structures.label_files import read_labels, read_segment_runs
from frozenseg.structures.label_runs import Runs, overlay


class PanopticFile(NamedTuple):
    """What is said of an image.

    Attributes:
        path: of the PNG of segment ids.
        segments: ``id`` and ``category_id`` (contiguous); of the truth also ``area`` and ``iscrowd``.
    """

    path: Path
    segments: list[dict[str, Any]]

    def read(self) -> PanopticMap:
        """Read the PNG."""
        return PanopticMap.from_segments(read_segment_runs(self.path), self.segments)


def match_panoptic_files(image: Any, truth: PanopticFile, guess: PanopticFile, classes: int) -> list[list[float]]:
    """Match the segments of an image.

    Args:
        image: its id, for messages.
        truth: the ground truth.
        guess: the prediction.
        classes: C.

    Returns:
        ``[class, tp, fp, fn, sum of IoU]`` for each class that occurs.

    Raises:
        DataError: a PNG cannot be read, or the two cannot be compared.
    """
    return count_matches(truth.read(), guess.read(), classes, f"image {image}").occurring()


def compare_label_files(name: str, truth: Path, guess: Path, values: LabelValues) -> LabelPairs:
    """Compare two label pictures.

    Args:
        name: what the image is called in messages.
        truth: the true one.
        guess: the predicted one.
        values: what the values mean, in both.

    Returns:
        ``true``, ``predicted`` and ``pixels``, see :func:`count_labels`; a labelled pixel whose prediction is the value
        of unlabelled pixels has no answer.

    Raises:
        DataError: a picture cannot be read, their sizes differ, or one holds a value that is no class.
    """
    true, guessed = (Runs.of(read_labels(path)) for path in (truth, guess))
    if true.size != guessed.size:
        raise DataError(
            f"The prediction for image {name} is {guessed.size[0]}×{guessed.size[1]} pixels, its ground truth "
            f"{true.size[0]}×{true.size[1]}: predict at the size of the original image."
        )
    run_of_truth, run_of_guess, pixels = overlay(true, guessed)
    true_classes = values.true_classes(true.values, f"The ground truth {truth}")[run_of_truth]
    answers = guessed.values.astype(np.int64) - values.first
    known = (answers >= 0) & (answers < values.classes)
    answered = guessed.values != values.ignore
    wrong = (true_classes != IGNORED) & (pixels > 0) & (answered & ~known)[run_of_guess]
    if wrong.any():
        raise DataError(
            f"The prediction {guess} holds the value {guessed.values[run_of_guess[wrong][0]]} on labelled pixels: "
            f"expected {values.first} to {values.first + values.classes - 1}."
        )
    answers = np.where(answered, answers, values.classes)[run_of_guess]
    return count_labels(true_classes, answers, pixels, values.classes)
