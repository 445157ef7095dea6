"""Strips of rows: maps at image size are processed a few rows at a time, in memory that does not grow with them.

Letters: H height.
"""

from collections.abc import Iterator

import torch

VALUES_PER_STRIP = 2**21  # 8 MiB of float32, which stay in the cache of a processor
VALUES_PER_STRIP_ON_GPU = 2**24  # 64 MiB of float32: few kernels, which are large


def row_strips(height: int, values_per_row: int, values: int | None = None) -> Iterator[slice]:
    """Yield the rows 0 to H as slices from top to bottom.

    Args:
        height: H.
        values_per_row: number of values in one row of all maps.
        values: maximum number of values in a strip, which has at least one row; None for ``VALUES_PER_STRIP``.
    """
    step = max(1, (VALUES_PER_STRIP if values is None else values) // max(1, values_per_row))
    return (slice(start, min(start + step, height)) for start in range(0, height, step))


def values_per_strip(device: torch.device) -> int:
    """Return the maximum number of values in a strip that is fast on a device."""
    return VALUES_PER_STRIP if device.type == "cpu" else VALUES_PER_STRIP_ON_GPU
