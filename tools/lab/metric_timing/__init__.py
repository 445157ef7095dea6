"""Timing of this project's metrics against the usual implementations, on synthetic predictions and ground truth."""

TIMING_NAMES = ("pq", "miou150", "miou847", "memory", "ap")  # in the order of ``comparisons.TIMINGS``
