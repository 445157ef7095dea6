"""Run-length encoding of integer maps, which is faster for annotations: a few thousand runs, not a million pixels.

Letters: H×W the map, n runs.
"""

from typing import NamedTuple

import numpy as np


class Runs(NamedTuple):
    """An (H, W) map of integers as runs of equal values, row by row.

    Attributes:
        size: H, W.
        starts: (n,) int64, flat index of the first pixel of each run; the first is 0.
        values: (n,) integers, the value of each run.
    """

    size: tuple[int, int]
    starts: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, pixels: np.ndarray) -> "Runs":
        """Encode an (H, W) map of integers."""
        flat = np.ascontiguousarray(pixels).ravel()
        changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
        starts = np.concatenate([np.zeros(min(flat.size, 1), dtype=np.int64), changes])
        return cls((pixels.shape[0], pixels.shape[1]), starts, flat[starts])

    def lengths(self) -> np.ndarray:
        """Return the number of pixels of each run, (n,) int64."""
        return np.diff(self.starts, append=self.size[0] * self.size[1])

    def pixels(self) -> np.ndarray:
        """Decode to the (H, W) map."""
        return np.repeat(self.values, self.lengths()).reshape(self.size)


def overlay(first: Runs, second: Runs) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Split two maps of equal size into segments of pixels on which both maps are constant.

    Returns:
        Index of the run in the first map, index of the run in the second map, and number of pixels of each segment,
        (n,) int64 each. Some segments are empty.
    """
    starts = np.concatenate([first.starts, second.starts])
    order = np.argsort(starts, kind="stable")  # stable: timsort merges two sorted lists in linear time
    of_first = order < len(first.starts)
    run_of_first = np.cumsum(of_first) - 1
    run_of_second = np.maximum(np.arange(len(order)) - run_of_first - 1, 0)  # an empty segment precedes the first run
    lengths = np.diff(starts[order], append=first.size[0] * first.size[1])
    return run_of_first, run_of_second, lengths


def count_pairs(first: np.ndarray, second: np.ndarray, pixels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Count pixels by pairs of values.

    Args:
        first: (n,) integers below ``shape[0]``.
        second: (n,) integers below ``shape[1]``.
        pixels: (n,) number of pixels of each pair.
        shape: shape of the returned table.

    Returns:
        int64 table of that shape: number of pixels by first and second value.
    """
    pairs = first.astype(np.int64) * shape[1] + second
    counts = np.bincount(pairs, weights=pixels, minlength=shape[0] * shape[1])  # exact: integers below 2**53
    return counts.astype(np.int64).reshape(shape)
