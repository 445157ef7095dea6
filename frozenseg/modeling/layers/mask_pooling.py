"""The mean of a feature map under each mask."""

import torch
from torch import Tensor

from frozenseg.modeling.layers.resize import resize

EPSILON = 1e-8


def binary_masks(mask_logits: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    """Return where mask logits (B, Q, h, w), resized to ``size``, are positive: (B, Q, height, width) bool."""
    return resize(mask_logits.detach(), size) > 0


def mask_pooling(features: Tensor, mask_logits: Tensor) -> Tensor:
    """Average features under masks (the masks carry no gradient).

    Args:
        features: (B, c, H, W).
        mask_logits: (B, Q, h, w), resized to H×W; a pixel counts where its logit is above 0.

    Returns:
        (B, Q, c); zeros for an empty mask.
    """
    masks = binary_masks(mask_logits, features.shape[-2:]).to(features.dtype)  # (B, Q, H, W)
    masks = masks / (masks.sum(dim=(-2, -1), keepdim=True) + EPSILON)
    return torch.einsum("bchw,bqhw->bqc", features, masks)
