"""The geometric ensemble of the decoder's and CLIP's class scores (FC-CLIP, Yu et al. 2023, section 3.3).

Letters: B images, Q queries, C classes.
"""

from typing import NamedTuple

import torch
from torch import Tensor

EPSILON = 1e-8


class EnsembleWeights(NamedTuple):
    """How much CLIP's own scores weigh."""

    seen: float  # α, for classes that training has shown
    unseen: float  # β, for all others


def geometric_ensemble(
    in_vocabulary: Tensor,
    out_of_vocabulary: Tensor,
    seen: Tensor,
    weights: EnsembleWeights,
    valid: Tensor | None = None,
) -> Tensor:
    """Combine two sets of class scores: p_in^(1-w) · p_out^w, with w = α for seen and β for unseen classes.

    Args:
        in_vocabulary: (B, Q, C + 1) the decoder's logits, void last.
        out_of_vocabulary: (B, Q, C + 1) CLIP's logits under each mask; its void is dropped.
        seen: (C,) bool.
        weights: α and β.
        valid: (B, Q) bool; CLIP is not asked (w = 0) where it is false. None: valid everywhere.

    Returns:
        (B, Q, C + 1) logarithms of class probabilities, void last.
    """
    void = in_vocabulary.softmax(dim=-1)[..., -1:]  # (B, Q, 1)
    weight = torch.where(seen, weights.seen, weights.unseen)  # (C,)
    if valid is not None:
        weight = weight * valid[..., None]  # (B, Q, C)
    inside = in_vocabulary[..., :-1].log_softmax(dim=-1)
    outside = out_of_vocabulary[..., :-1].log_softmax(dim=-1)
    combined = ((1 - weight) * inside + weight * outside).softmax(dim=-1) * (1 - void)
    return (torch.cat([combined, void], dim=-1) + EPSILON).log()
