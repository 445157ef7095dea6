"""Labels compared pixel by pixel, as counts of pairs of classes. Letters: C classes, n pixels or runs."""

from typing import NamedTuple

import numpy as np

from frozenseg.errors import DataError

IGNORED = -1
LabelPairs = dict[str, list[int]]


class LabelValues(NamedTuple):
    """What the values of label pictures mean.

    Attributes:
        classes: C.
        ignore: value of unlabelled pixels.
        first: value of the first class.
    """

    classes: int
    ignore: int = 255
    first: int = 0

    def true_classes(self, values: np.ndarray, name: str) -> np.ndarray:
        """Return the contiguous classes of (n,) values of a true picture, int64, -1 for ignored ones.

        Args:
            values: integers.
            name: what holds them, for the message.

        Raises:
            DataError: a value is none of them.
        """
        classes = np.where(values == self.ignore, IGNORED, values.astype(np.int64) - self.first)
        wrong = values[(classes != IGNORED) & ((classes < 0) | (classes >= self.classes))]
        if wrong.size:
            raise DataError(
                f"{name} holds the value {wrong[0]}: expected {self.first} to {self.first + self.classes - 1}, or "
                f"{self.ignore} for unlabelled pixels."
            )
        return classes


def count_labels(true: np.ndarray, predicted: np.ndarray, pixels: np.ndarray, classes: int) -> LabelPairs:
    """Count the pixels of each pair of classes.

    Args:
        true: (n,) int64 classes, -1 where pixels do not count.
        predicted: (n,) int64 classes, C where there is no answer.
        pixels: (n,) int64, how many pixels each pair has.
        classes: C.

    Returns:
        ``true``, ``predicted`` and ``pixels``: how many pixels of a true class are predicted as which.
    """
    width = classes + 1
    counted = (true != IGNORED) & (pixels > 0)
    pairs, place = np.unique(true[counted] * width + predicted[counted], return_inverse=True)
    amounts = np.bincount(place, weights=pixels[counted], minlength=len(pairs)).astype(np.int64)
    return {
        "true": (pairs // width).tolist(),
        "predicted": (pairs % width).tolist(),
        "pixels": amounts.tolist(),
    }
