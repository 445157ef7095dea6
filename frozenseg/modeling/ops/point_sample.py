"""Point sampling of maps at continuous coordinates (PointRend, Kirillov et al. 2020)."""

import torch.nn.functional as F
from torch import Tensor

from frozenseg.structures.shapes import check_shape


def point_sample(maps: Tensor, points: Tensor) -> Tensor:
    """Sample maps bilinearly at points; zero outside of the map.

    Args:
        maps: (N, c, H, W) floating point.
        points: (N, P, 2) x, y in 0 … 1 of the map's extent.

    Returns:
        (N, c, P).

    Raises:
        ShapeError: a tensor of another rank, or different N.
    """
    check_shape("maps", maps, "N c H W")
    check_shape("points", points, "N P 2", N=maps.shape[0])
    grid = 2.0 * points[:, :, None, :] - 1.0  # (N, P, 1, 2)
    return F.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False).squeeze(3)
