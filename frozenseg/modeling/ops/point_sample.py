"""Read maps at points between pixels."""

import torch.nn.functional as F
from torch import Tensor


def point_sample(maps: Tensor, points: Tensor) -> Tensor:
    """Sample maps bilinearly, zeros outside (PointRend, Kirillov et al. 2020).

    Args:
        maps: (N, c, H, W) floating point.
        points: (N, P, 2) x, y in 0 … 1 of the map's extent.

    Returns:
        (N, c, P).
    """
    grid = 2.0 * points[:, :, None, :] - 1.0  # (N, P, 1, 2)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False).squeeze(3)
