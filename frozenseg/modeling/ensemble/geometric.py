"""Geometric ensemble of the decoder's and CLIP's class scores (FC-CLIP, Yu et al. 2023, sec. 3.3).

Letters: B images, Q queries, C classes.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from frozenseg.structures.shapes import check_shape

LOG_EPSILON = 1e-8  # keeps the logarithm finite


class EnsembleWeights(NamedTuple):
    """Weights of CLIP's class scores, 0-1."""

    seen: float  # α, for classes seen in training
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
        in_vocabulary: (B, Q, C + 1) logits of the decoder, void last.
        out_of_vocabulary: (B, Q, C + 1) logits of CLIP under each mask; its void is dropped.
        seen: (C,) bool, True for classes seen in training.
        weights: α and β.
        valid: (B, Q) bool; CLIP's scores are not used (w = 0) where it is False. None: valid everywhere.

    Returns:
        (B, Q, C + 1) logarithms of class probabilities, void last.

    Raises:
        ShapeError: a tensor of another shape.
    """
    check_shape("in_vocabulary", in_vocabulary, "B Q C", C=len(seen) + 1)
    batch, queries, classes = in_vocabulary.shape
    check_shape("out_of_vocabulary", out_of_vocabulary, "B Q C", B=batch, Q=queries, C=classes)
    void = in_vocabulary.softmax(dim=-1)[..., -1:]  # (B, Q, 1)
    weight = torch.where(seen, weights.seen, weights.unseen)  # (C,)
    if valid is not None:
        check_shape("valid", valid, "B Q", B=batch, Q=queries)
        weight = weight * valid[..., None]  # (B, Q, C)
    log_in = in_vocabulary[..., :-1].log_softmax(dim=-1)
    log_out = out_of_vocabulary[..., :-1].log_softmax(dim=-1)
    combined = ((1 - weight) * log_in + weight * log_out).softmax(dim=-1) * (1 - void)
    return (torch.cat([combined, void], dim=-1) + LOG_EPSILON).log()
