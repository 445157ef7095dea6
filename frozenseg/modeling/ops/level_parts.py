"""Split of concatenated feature levels."""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from frozenseg.modeling.tracing import is_exported


def level_parts(features: Tensor, shapes: Sequence[tuple[int, int]]) -> Sequence[Tensor]:
    """Return the part (B, H_l·W_l, …) of each level.

    Args:
        features: (B, S, …), the levels concatenated.
        shapes: (height, width) of each level; their areas sum to S.
    """
    areas = [height * width for height, width in shapes]
    if not is_exported():
        return torch.split(features, areas, dim=1)
    # in files, slices: few runtimes split into parts whose sizes they learn at run time
    return [features[:, end - area : end] for area, end in zip(areas, accumulate(areas), strict=True)]
