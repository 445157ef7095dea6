"""Bilinear resize of feature maps and mask logits."""

import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.modeling.tracing import same_size


def resize(maps: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Resize maps bilinearly, half-pixel centres (``align_corners=False``).

    Args:
        maps: (B, c, h, w) floating point.
        size: target height and width.

    Returns:
        (B, c, height, width); ``maps`` itself if it has this size already.
    """
    if all(map(same_size, maps.shape[-2:], size)):
        return maps
    return F.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)
