"""Mask pooling: the mean of a feature map under each mask (FC-CLIP, Yu et al. 2023, sec. 3.2).

Letters: B images, Q queries, c channels, H×W the feature map, h×w the masks.
"""

import torch
from torch import Tensor

from frozenseg.modeling.layers.resize import resize
from frozenseg.structures.shapes import check_shape

POOLING_EPSILON = 1e-8  # keeps the mean of an empty mask finite


def binary_masks(mask_logits: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Resize mask logits, then threshold them at 0 (without gradient).

    Args:
        mask_logits: (B, Q, h, w).
        size: target height and width.

    Returns:
        (B, Q, height, width) bool.
    """
    return resize(mask_logits.detach(), size) > 0


def mask_pooling(features: Tensor, mask_logits: Tensor) -> Tensor:
    """Average features under masks; no gradient flows through the masks.

    Args:
        features: (B, c, H, W).
        mask_logits: (B, Q, h, w), resized to H×W; a pixel is inside the mask if its logit is above 0.

    Returns:
        (B, Q, c); zeros for an empty mask.

    Raises:
        ShapeError: a tensor of another rank, or batches of different sizes.
    """
    check_shape("features", features, "B c H W")
    check_shape("mask_logits", mask_logits, "B Q h w", B=features.shape[0])
    masks = binary_masks(mask_logits, features.shape[-2:]).to(features.dtype)  # (B, Q, H, W)
    masks /= masks.sum(dim=(-2, -1), keepdim=True) + POOLING_EPSILON  # in place: masks at full size are large
    return torch.einsum("bchw,bqhw->bqc", features, masks)
