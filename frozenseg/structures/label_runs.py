"""Maps of integers as runs: an annotated picture is a few thousand stretches of equal pixels, not a million pixels.

Letters: H×W the map, n runs.
"""

from typing import NamedTuple

import numpy as np


class Runs(NamedTuple):
    """An (H, W) map of integers, as stretches of equal values in reading order.

    Attributes:
        size: H, W.
        starts: (n,) int64, where each stretch begins; the first is 0.
        values: (n,) integers.
    """

    size: tuple[int, int]
    starts: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray) -> "Runs":
        """Find the runs of an (H, W) map."""
        flat = np.ascontiguousarray(pixels).ravel()
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        starts = np.concatenate([np.zeros(min(flat.size, 1), dtype=np.int64), changes])
        return cls((pixels.shape[0], pixels.shape[1]), starts, flat[starts])

    def lengths(self) -> np.ndarray:
        """Return the pixels of each run, (n,) int64."""
        return np.diff(self.starts, append=self.size[0] * self.size[1])

    def pixels(self) -> np.ndarray:
        """Return the map itself, (H, W)."""
        return np.repeat(self.values, self.lengths()).reshape(self.size)


def overlay(first: Runs, second: Runs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut two maps of one size into stretches on which both are constant.

    Returns:
        The first map's run, the second one's run, and the pixels of each stretch, (n,) int64 each. Some stretches are
        empty.
    """
    starts = np.concatenate([first.starts, second.starts])
    order = np.argsort(starts, kind="stable")  # merges what is sorted already
    of_first = order < len(first.starts)
    run_of_first = np.cumsum(of_first) - 1
    run_of_second = np.maximum(np.arange(len(order)) - run_of_first - 1, 0)  # before its first run: an empty stretch
    lengths = np.diff(starts[order], append=first.size[0] * first.size[1])
    return run_of_first, run_of_second, lengths


def count_pairs(first: np.ndarray, second: np.ndarray, pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Count pixels by pairs of numbers.

    Args:
        first: (n,) integers below ``shape[0]``.
        second: (n,) integers below ``shape[1]``.
        pixels: (n,) how many pixels have each pair.
        shape: of the table.

    Returns:
        int64 table.
    """
    pairs = first.astype(np.int64) * shape[1] + second
    counts = np.bincount(pairs, weights=pixels, minlength=shape[0] * shape[1])  # exact: whole numbers below 2**53
    return counts.astype(np.int64).reshape(shape)
