"""The semantic read-out: every query votes for its classes, under its mask.

Letters: Q queries, C classes, H×W the image.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from frozenseg.modeling.ensemble.mask_proposals import ProposalVotes
from frozenseg.modeling.postprocess.restore_size import Masks, mask_rows
from frozenseg.structures.argmax import best_class

SCORES_AT_ONCE = 2**24  # numbers of one strip: 64 MiB


def semantic_inference(logits: Tensor, masks: Masks) -> Tensor:
    """Add up votes.

    Args:
        logits: (Q, C + 1) class scores as logits, void last.
        masks: (Q, H, W) mask logits.

    Returns:
        (C, H, W) class scores; their argmax is the label map.
    """
    probabilities = logits.softmax(dim=-1)[:, :-1]  # (Q, C)
    scores = logits.new_empty(probabilities.shape[1], *masks.shape[1:])
    for rows in _strips(max(probabilities.shape), *masks.shape[1:]):
        scores[:, rows] = _votes(probabilities, mask_rows(masks, rows).sigmoid())
    return scores


def semantic_labels(
    logits: Tensor, masks: Masks, proposal_votes: ProposalVotes | None = None, *, masks_are_probabilities: bool = False
) -> Tensor:
    """Return the class with the most votes at every pixel, a few rows at a time: memory does not grow with C.

    Args:
        logits: (Q, C + 1) class scores as logits, void last.
        masks: (Q, H, W) mask logits.
        proposal_votes: votes of SAM's masks.
        masks_are_probabilities: ``masks`` are mask probabilities instead.

    Returns:
        (H, W) int64, the argmax of :func:`semantic_inference`; -1 where a score is not a number.
    """
    probabilities = logits.softmax(dim=-1)[:, :-1]  # (Q, C)
    proposed = len(proposal_votes.masks) if proposal_votes is not None else 0
    labels = []
    for rows in _strips(max(*probabilities.shape, proposed), *masks.shape[1:]):
        inside = mask_rows(masks, rows) if masks_are_probabilities else mask_rows(masks, rows).sigmoid()  # (Q, rows, W)
        scores = _votes(probabilities, inside)
        labels.append(best_class(scores if proposal_votes is None else proposal_votes.mix(scores, rows)))
    return torch.cat(labels)


def add_proposal_votes(scores: Tensor, proposal_votes: ProposalVotes) -> Tensor:
    """Mix the votes of SAM's masks into (C, H, W) scores, which are written over, a few rows at a time."""
    for rows in _strips(max(len(scores), len(proposal_votes.masks)), *scores.shape[1:]):
        scores[:, rows] = proposal_votes.mix(scores[:, rows], rows)
    return scores


def _votes(probabilities: Tensor, inside: Tensor) -> Tensor:
    return torch.einsum("qc,qhw->chw", probabilities, inside)


def _strips(maps: int, height: int, width: int) -> Iterator[slice]:
    step = max(1, SCORES_AT_ONCE // (maps * width))
    return (slice(start, start + step) for start in range(0, height, step))
