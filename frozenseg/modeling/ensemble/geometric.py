"""Geometric ensemble of the decoder's and CLIP's class scores (FC-CLIP, Yu et al. 2023, sec. 3.3).

With objectness from CLIP (OVRCOAT, Kormushev et al. 2026), the void probability of a query is reduced where CLIP is
sure of a class, so that objects that training has not shown are kept.

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
    void_discount: float = 0.0  # γ, of the void probability where CLIP is sure of a class


class EnsembleLogits(NamedTuple):
    """Class scores of the queries, (B, Q, C + 1) logarithms of probabilities, void last."""

    semantic: Tensor  # for semantic segmentation
    objects: Tensor  # for panoptic and instance segmentation, with the void discount; the same tensor without one

    def of_image(self, index: int) -> "EnsembleLogits":
        """Return the class scores of an image of the batch, (Q, C + 1)."""
        return EnsembleLogits(self.semantic[index], self.objects[index])


def geometric_ensemble(
    in_vocabulary: Tensor,
    out_of_vocabulary: Tensor,
    seen: Tensor,
    weights: EnsembleWeights,
    valid: Tensor | None = None,
) -> EnsembleLogits:
    """Combine two sets of class scores: p_in^(1-w) · p_out^w, with w = α for seen and β for unseen classes.

    The void probability is that of the decoder. Panoptic and instance segmentation multiply it by 1 - γ · max p_out,
    where the maximum is over the classes; semantic segmentation does not, as it gets slightly worse by it.

    Args:
        in_vocabulary: (B, Q, C + 1) logits of the decoder, void last.
        out_of_vocabulary: (B, Q, C + 1) logits of CLIP under each mask; its void is dropped.
        seen: (C,) bool, True for classes seen in training.
        weights: α, β and γ.
        valid: (B, Q) bool; CLIP's scores are not used (w = 0) where it is False. None: valid everywhere.

    Raises:
        ShapeError: a tensor of another shape.
    """
    check_shape("in_vocabulary", in_vocabulary, "B Q C", C=seen.shape[0] + 1)
    batch, queries, classes = in_vocabulary.shape
    check_shape("out_of_vocabulary", out_of_vocabulary, "B Q C", B=batch, Q=queries, C=classes)
    void = in_vocabulary.softmax(dim=-1)[..., -1:]  # (B, Q, 1)
    weight = torch.where(seen, weights.seen, weights.unseen)  # (C,)
    if valid is not None:
        check_shape("valid", valid, "B Q", B=batch, Q=queries)
        weight = weight * valid[..., None]  # (B, Q, C)
    log_in = in_vocabulary[..., :-1].log_softmax(dim=-1)
    log_out = out_of_vocabulary[..., :-1].log_softmax(dim=-1)
    combined = ((1 - weight) * log_in + weight * log_out).softmax(dim=-1)  # (B, Q, C)
    semantic = _with_void(combined, void)
    if weights.void_discount == 0:
        return EnsembleLogits(semantic, semantic)
    certainty = log_out.exp().amax(dim=-1, keepdim=True)  # (B, Q, 1)
    if valid is not None:
        certainty = certainty * valid[..., None]  # CLIP has seen nothing under an empty mask
    return EnsembleLogits(semantic, _with_void(combined, void * (1 - weights.void_discount * certainty)))


def _with_void(classes: Tensor, void: Tensor) -> Tensor:
    """Return log-probabilities (B, Q, C + 1) from those of the classes, which sum to 1, and of void (B, Q, 1)."""
    return (torch.cat([classes * (1 - void), void], dim=-1) + LOG_EPSILON).log()
