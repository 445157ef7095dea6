"""Semantic post-processing: every query votes for its classes under its mask (MaskFormer, Cheng et al. 2021, sec. 3.4).

Letters: Q queries, M proposals, C classes, H×W the image.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from frozenseg.modeling.ensemble.mask_proposals import ProposalVotes
from frozenseg.modeling.layers.row_strips import row_strips, values_per_strip
from frozenseg.modeling.postprocess.restore_size import RestoredMasks, mask_rows
from frozenseg.structures.argmax import best_class
from frozenseg.structures.shapes import check_shape


def semantic_inference(logits: Tensor, masks: Tensor | RestoredMasks) -> Tensor:
    """Sum class probability · mask probability over the queries.

    Args:
        logits: (Q, C + 1) class logits, void last.
        masks: (Q, H, W) mask logits.

    Returns:
        (C, H, W) class scores; their argmax is the label map.
    """
    probabilities = _class_probabilities(logits)  # (Q, C)
    scores = logits.new_empty(probabilities.shape[1], *masks.shape[1:])
    for rows in _strips(max(probabilities.shape), masks.shape[1:], logits.device):
        scores[:, rows] = _votes(probabilities, mask_rows(masks, rows).sigmoid())
    return scores


def semantic_labels(
    logits: Tensor,
    masks: Tensor | RestoredMasks,
    proposal_votes: ProposalVotes | None = None,
    *,
    masks_are_probabilities: bool = False,
) -> Tensor:
    """Return the class with the highest score at every pixel, a few rows at a time: memory does not grow with C.

    Args:
        logits: (Q, C + 1) class logits, void last.
        masks: (Q, H, W) mask logits.
        proposal_votes: votes of the SAM proposals; None for none.
        masks_are_probabilities: ``masks`` are mask probabilities instead of logits.

    Returns:
        (H, W) int64, the argmax of :func:`semantic_inference`; -1 where a score is NaN.
    """
    probabilities = _class_probabilities(logits)  # (Q, C)
    proposals = len(proposal_votes.masks) if proposal_votes is not None else 0
    labels = []
    for rows in _strips(max(*probabilities.shape, proposals), masks.shape[1:], logits.device):
        strip = mask_rows(masks, rows)  # (Q, rows, W)
        scores = _votes(probabilities, strip if masks_are_probabilities else strip.sigmoid())
        labels.append(best_class(scores if proposal_votes is None else proposal_votes.mix(scores, rows)))
    return torch.cat(labels)


def add_proposal_votes(scores: Tensor, proposal_votes: ProposalVotes) -> Tensor:
    """Mix the votes of the SAM proposals into (C, H, W) scores in place, a few rows at a time; returns the scores."""
    for rows in _strips(max(len(scores), len(proposal_votes.masks)), scores.shape[1:], scores.device):
        scores[:, rows] = proposal_votes.mix(scores[:, rows], rows)
    return scores


def _class_probabilities(logits: Tensor) -> Tensor:
    check_shape("logits", logits, "Q C")
    return logits.softmax(dim=-1)[:, :-1]  # (Q, C)


def _votes(probabilities: Tensor, masks: Tensor) -> Tensor:
    return torch.einsum("qc,qhw->chw", probabilities, masks)


def _strips(maps: int, size: Sequence[int], device: torch.device) -> Iterator[slice]:
    height, width = size
    return row_strips(height, maps * width, values_per_strip(device))
