"""Argmax over the class dimension that marks pixels with invalid scores."""

from torch import Tensor

INVALID_CLASS = -1


def best_class(scores: Tensor) -> Tensor:
    """Return the class with the highest score at each pixel, the first one if several are equal.

    Args:
        scores: (C, H, W) floats.

    Returns:
        (H, W) int64; -1 where any score is NaN.
    """
    best, labels = scores.max(dim=0)
    return labels.masked_fill_(best.isnan(), INVALID_CLASS)
