"""Sine position embedding of a map (DETR, Carion et al. 2020, appendix A.4), in its normalised form.

Letters: B images, d channels, H×W the map.
"""

import math

import torch
from torch import Tensor

from frozenseg.errors import ShapeError
from frozenseg.structures.shapes import check_shape

TEMPERATURE = 10000.0
POSITION_EPSILON = 1e-6


def sine_position(features: Tensor) -> Tensor:
    """Embed the position of every pixel: half of the channels encode y, the other half x.

    Args:
        features: (B, d, H, W), d a multiple of 4; only its shape, device and dtype are read.

    Returns:
        (1, d, H, W) in -1 … 1, computed in float32 and converted to the dtype of ``features``.

    Raises:
        ShapeError: another rank, or a number of channels that is not a multiple of 4.
    """
    check_shape("features", features, "B d H W")
    _, width, rows, columns = features.shape
    if width % 4:
        raise ShapeError(f"features has {width} channels; the sine position embedding needs a multiple of 4.")
    y = _axis_embedding(rows, width // 2, features)  # (H, d/2)
    x = _axis_embedding(columns, width // 2, features)  # (W, d/2)
    position = torch.cat(
        [y[:, None, :].expand(-1, columns, -1), x[None, :, :].expand(rows, -1, -1)], dim=2
    )  # (H, W, d)
    return position.permute(2, 0, 1)[None].to(features.dtype)  # (1, d, H, W)


def _axis_embedding(size: int, channels: int, like: Tensor) -> Tensor:
    """Return (size, channels): alternating sine and cosine, with geometrically decreasing frequencies."""
    # the cumulative-sum form of DETR: positions count from 1, the last one becomes 2π
    position = torch.arange(1, size + 1, dtype=torch.float32, device=like.device)
    position = position / (size + POSITION_EPSILON) * 2 * math.pi
    index = torch.arange(channels, dtype=torch.float32, device=like.device)
    frequency = TEMPERATURE ** (2 * torch.div(index, 2, rounding_mode="floor") / channels)
    angle = position[:, None] / frequency  # (size, channels)
    return torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], dim=2).flatten(1)
