"""Sine position embedding of a map (DETR, Carion et al. 2020, appendix A.4, in the normalised form)."""

import math

import torch
from torch import Tensor

TEMPERATURE = 10000.0
EPSILON = 1e-6


def sine_position(features: Tensor) -> Tensor:
    """Embed the place of every pixel: half of the channels for y, half for x.

    Args:
        features: (B, d, H, W); only its shape, device and dtype matter. d is a multiple of 4.

    Returns:
        (1, d, H, W), values in -1 … 1, float32 arithmetic in the dtype of ``features``.
    """
    _, width, height, length = features.shape
    y = _axis_embedding(height, width // 2, features)  # (H, d/2)
    x = _axis_embedding(length, width // 2, features)  # (W, d/2)
    position = torch.cat(
        [y[:, None, :].expand(-1, length, -1), x[None, :, :].expand(height, -1, -1)], dim=2
    )  # (H, W, d)
    return position.permute(2, 0, 1)[None].to(features.dtype)  # (1, d, H, W)


def _axis_embedding(size: int, channels: int, like: Tensor) -> Tensor:
    """Return (size, channels): sine and cosine alternate, frequencies fall geometrically."""
    place = torch.arange(1, size + 1, dtype=torch.float32, device=like.device)
    place = place / (size + EPSILON) * 2 * math.pi
    index = torch.arange(channels, dtype=torch.float32, device=like.device)
    frequency = TEMPERATURE ** (2 * torch.div(index, 2, rounding_mode="floor") / channels)
    angle = place[:, None] / frequency  # (size, channels)
    return torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], dim=2).flatten(1)
