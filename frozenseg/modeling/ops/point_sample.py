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


def point_sample_masks(masks: Tensor, points: Tensor) -> Tensor:
    """Sample binary masks as :func:`point_sample` does, without a copy of all their pixels in floating point.

    Args:
        masks: (n, H, W) bool.
        points: (n, P, 2) x, y in 0 … 1 of the mask's extent, or (1, P, 2) for the same points in every mask.

    Returns:
        (n, P) of the dtype of the points, 0-1.

    Raises:
        ShapeError: a tensor of another rank, or points of another number of masks.
    """
    check_shape("masks", masks, "n H W")
    height, width = masks.shape[1:]
    if len(points) != 1:
        check_shape("points", points, "n P 2", n=len(masks))
    (left, left_weight, right_weight), (top, top_weight, bottom_weight) = (
        _neighbours(points[..., axis], size) for axis, size in enumerate((width, height))
    )
    flat = masks.flatten(1)  # (n, H·W)
    sampled = points.new_zeros(len(masks), points.shape[1])
    for y, y_weight in ((top, top_weight), (top + 1, bottom_weight)):
        for x, x_weight in ((left, left_weight), (left + 1, right_weight)):
            index = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
            sampled += flat.gather(1, index.expand(len(masks), -1)) * (y_weight * x_weight)
    return sampled


def _neighbours(coordinates: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the index before each coordinate in 0 … 1, its weight and that of the next index; 0 outside of the map."""
    position = coordinates * size - 0.5
    before = position.floor()
    after_weight = position - before
    before_weight = (1 - after_weight) * ((before >= 0) & (before < size))
    return before.long(), before_weight, after_weight * ((before >= -1) & (before < size - 1))
