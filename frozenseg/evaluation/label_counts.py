"""Label images: meaning of their values, and pixels counted by annotated and predicted class.

Letters: C classes, n pixels or runs.
"""

from typing import NamedTuple, TypedDict

import numpy as np

from frozenseg.errors import DataError

IGNORED_CLASS = -1


class LabelPairs(TypedDict):
    """Number of ``pixels`` by annotated class (``true``) and ``predicted`` class, one entry per pair of classes."""

    true: list[int]
    predicted: list[int]
    pixels: list[int]


class LabelValues(NamedTuple):
    """Meaning of the values of label images.

    Attributes:
        classes: C.
        ignore: value of unlabelled pixels.
        first: value of the first class.
    """

    classes: int
    ignore: int = 255
    first: int = 0

    def true_classes(self, values: np.ndarray, name: str) -> np.ndarray:
        """Convert values of an annotated label image to contiguous classes.

        Args:
            values: (n,) integers.
            name: of the image or file, for the message.

        Returns:
            (n,) int64, -1 for ignored pixels.

        Raises:
            DataError: a value is neither a class nor ``ignore``.
        """
        classes = np.where(values == self.ignore, IGNORED_CLASS, values.astype(np.int64) - self.first)
        wrong = values[(classes != IGNORED_CLASS) & ((classes < 0) | (classes >= self.classes))]
        if wrong.size:
            raise DataError(
                f"{name} holds the value {wrong[0]}: expected {self.first} to {self.first + self.classes - 1}, or "
                f"{self.ignore} for unlabelled pixels."
            )
        return classes


def count_labels(true: np.ndarray, predicted: np.ndarray, pixels: np.ndarray, classes: int) -> LabelPairs:
    """Count the pixels of each pair of classes.

    Args:
        true: (n,) int64 annotated classes, -1 for ignored pixels.
        predicted: (n,) int64 predicted classes, C for pixels without a prediction.
        pixels: (n,) int64 number of pixels of each entry.
        classes: C.
    """
    width = classes + 1
    counted = (true != IGNORED_CLASS) & (pixels > 0)
    pairs, index = np.unique(true[counted] * width + predicted[counted], return_inverse=True)
    amounts = np.bincount(index, weights=pixels[counted], minlength=len(pairs)).astype(np.int64)
    return {
        "true": (pairs // width).tolist(),
        "predicted": (pairs % width).tolist(),
        "pixels": amounts.tolist(),
    }
