"""GroupNorm with the 32 groups of Mask2Former's pixel decoder."""

from torch import nn


def group_norm(width: int) -> nn.GroupNorm:
    """Return a GroupNorm over ``width`` channels: 32 groups, or the largest smaller power of two that divides width."""
    groups = next(groups for groups in (32, 16, 8, 4, 2, 1) if width % groups == 0)
    return nn.GroupNorm(groups, width)
