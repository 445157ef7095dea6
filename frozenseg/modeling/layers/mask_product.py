"""Mask logits as products of embeddings and mask features (MaskFormer, Cheng et al. 2021, sec. 3.2).

Letters: B images, Q queries, d width, h×w the mask features.
"""

import torch
from torch import Tensor


def mask_product(embeddings: Tensor, features: Tensor) -> Tensor:
    """Return mask logits (B, Q, h, w) of embeddings (B, Q, d) on mask features (B, d, h, w)."""
    return torch.einsum("bqd,bdhw->bqhw", embeddings, features)
