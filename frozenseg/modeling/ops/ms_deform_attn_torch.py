"""Multi-scale deformable attention in plain PyTorch, forward and backward on any device.

Letters: B images, S pixels of all levels together, L queries, h heads, k = d/h channels per head, n levels, P points.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

from frozenseg.modeling.ops.level_parts import level_parts


def ms_deform_attn_torch(
    value: Tensor, shapes: Sequence[tuple[int, int]], locations: Tensor, weights: Tensor
) -> Tensor:
    """Sample the values of each level and sum them by weight (Deformable DETR, Zhu et al. 2021, eq. 3).

    Args:
        value: (B, S, h, k), the levels concatenated, each in row-major order.
        shapes: (height, width) of each of the n levels; their areas sum to S.
        locations: (B, L, h, n, P, 2) x, y in 0 … 1 of the level's extent; values outside are zero.
        weights: (B, L, h, n, P) attention weights.

    Returns:
        (B, L, h·k).
    """
    batch, _, heads, channels = value.shape
    queries, points = locations.shape[1], locations.shape[4]
    output = value.new_zeros(batch * heads, channels, queries)
    for level, (part, (height, width)) in enumerate(zip(level_parts(value, shapes), shapes, strict=True)):
        maps = part.permute(0, 2, 3, 1).reshape(batch * heads, channels, height, width)
        grid = 2 * locations[:, :, :, level].transpose(1, 2).reshape(batch * heads, queries, points, 2) - 1
        samples = F.grid_sample(
            maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False
        )  # (B·h, k, L, P)
        level_weights = weights[:, :, :, level].transpose(1, 2).reshape(batch * heads, 1, queries, points)
        output = output + (samples * level_weights).sum(dim=-1)
    return output.view(batch, heads * channels, queries).transpose(1, 2)  # (B, L, h·k)
