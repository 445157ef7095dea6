"""Paired timing of two implementations: they alternate in one process, so that slow phases of the machine hit both."""

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One comparison: median milliseconds per image."""

    what: str
    usual: float
    ours: float
    note: str = ""

    @property
    def ratio(self) -> float:
        """Speed-up of our implementation."""
        return self.usual / self.ours


class PairedTiming:
    """Run times of two implementations, in milliseconds."""

    def __init__(self) -> None:
        self.usual: list[float] = []
        self.ours: list[float] = []

    def time(self, usual: Callable[[], Any], ours: Callable[[], Any]) -> tuple[Any, Any]:
        """Time both implementations; returns their results."""
        results = []
        for work, times in ((usual, self.usual), (ours, self.ours)):
            gc.collect()  # objects of one implementation do not slow down the other
            gc.disable()
            before = time.perf_counter()
            results.append(work())
            times.append(1000 * (time.perf_counter() - before))
            gc.enable()
        return results[0], results[1]

    def row(self, what: str, note: str = "") -> Row:
        """Return the medians without the first image, which also pays for caches and allocations."""
        kept = slice(1 if len(self.ours) > 1 else 0, None)
        return Row(what, statistics.median(self.usual[kept]), statistics.median(self.ours[kept]), note)
