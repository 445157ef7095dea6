"""The semantic read-out as metrics want it: one checked class for every pixel.

Letters: C classes, H×W the image.
"""

from typing import Any

import numpy as np
from torch import Tensor

from frozenseg.errors import DataError
from frozenseg.structures.argmax import NO_CLASS, best_class
from frozenseg.structures.label_files import image_name
from frozenseg.structures.label_runs import Runs


def predicted_labels(record: dict[str, Any], output: dict[str, Any], classes: int, size: tuple[int, int]) -> Runs:
    """Return the best class of each pixel of ``sem_seg``.

    Args:
        record: of the image.
        output: the model's; ``sem_seg`` is either the scores (C, H, W) or the best class itself, (H, W) integers.
        classes: C.
        size: height and width of the ground truth.

    Raises:
        DataError: the prediction is missing, of another size, of unknown classes, or not a number.
    """
    name = f"image {image_name(record)}"
    if "sem_seg" not in output:
        raise DataError(f"The output for {name} has no sem_seg: set MODEL.MASK_FORMER.TEST.SEMANTIC_ON to True.")
    return Runs.of(_labels(output["sem_seg"], classes, size, name))


def _labels(sem_seg: Tensor, classes: int, size: tuple[int, int], name: str) -> np.ndarray:
    expected = (classes, *size)
    if tuple(sem_seg.shape) not in (size, expected):
        raise DataError(
            f"sem_seg for {name} has shape {tuple(sem_seg.shape)}, expected {expected}: one map a class of the "
            "data set, at the size of the original image."
        )
    labels = (sem_seg if tuple(sem_seg.shape) == size else best_class(sem_seg)).cpu().numpy()
    if NO_CLASS in (lowest := labels.min(initial=0), highest := labels.max(initial=0)):
        raise DataError(f"sem_seg for {name} has scores that are not numbers (NaN): the model has diverged.")
    if lowest < 0 or highest >= classes:
        raise DataError(
            f"The prediction for {name} has labels from {lowest} to {highest}: expected 0 to {classes - 1}."
        )
    return labels
