"""Predicted class of every pixel, from the semantic output and checked.

Letters: C classes, H×W the image.
"""

import numpy as np
from torch import Tensor

from frozenseg.errors import DataError
from frozenseg.evaluation.required_output import required_output
from frozenseg.structures.argmax import INVALID_CLASS, best_class
from frozenseg.structures.label_runs import Runs
from frozenseg.structures.output_kinds import ModelOutput
from frozenseg.structures.record import Record, image_name


def predicted_labels(record: Record, output: ModelOutput, classes: int, size: tuple[int, int]) -> Runs:
    """Return the class of each pixel of ``sem_seg``.

    Args:
        record: of the image.
        output: of the model; ``sem_seg`` is either (C, H, W) scores or (H, W) integer classes.
        classes: C.
        size: height and width of the ground truth.

    Raises:
        DataError: the prediction is missing, or has another size, unknown classes or NaN scores.
    """
    return Runs.of(_labels(required_output(record, output, "semantic"), classes, size, f"image {image_name(record)}"))


def _labels(sem_seg: Tensor, classes: int, size: tuple[int, int], name: str) -> np.ndarray:
    expected = (classes, *size)
    if tuple(sem_seg.shape) not in (size, expected):
        raise DataError(
            f"sem_seg for {name} has shape {tuple(sem_seg.shape)}, expected {expected}: one map for each class of the "
            "data set, at the size of the original image."
        )
    labels: np.ndarray = (sem_seg if tuple(sem_seg.shape) == size else best_class(sem_seg)).cpu().numpy()
    if INVALID_CLASS in (lowest := labels.min(initial=0), highest := labels.max(initial=0)):
        raise DataError(f"sem_seg for {name} has scores that are not numbers (NaN): the model has diverged.")
    if lowest < 0 or highest >= classes:
        raise DataError(
            f"The prediction for {name} has labels from {lowest} to {highest}: expected 0 to {classes - 1}."
        )
    return labels
