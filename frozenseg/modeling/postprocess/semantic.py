"""The semantic read-out: every query votes for its classes, under its mask.

Letters: Q queries, C classes, H×W the image.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from frozenseg.modeling.ensemble.mask_proposals import ProposalVotes
from frozenseg.modeling.postprocess.restore_size import Masks, rows_of
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
        scores[:, rows] = _votes(probabilities, rows_of(masks, rows).sigmoid())
    return scores


def semantic_labels(
    logits: Tensor, masks: Masks, more: ProposalVotes | None = None, *, of_probabilities: bool = False
) -> Tensor:
    """Return the class with the most votes at every pixel, a few rows at a time: memory does not grow with C.

    Args:
        logits: (Q, C + 1) class scores as logits, void last.
        masks: (Q, H, W) mask logits.
        more: votes of SAM's masks.
        of_probabilities: ``masks`` are mask probabilities instead.

    Returns:
        (H, W) int64, the argmax of :func:`semantic_inference`; -1 where a score is not a number.
    """
    probabilities = logits.softmax(dim=-1)[:, :-1]  # (Q, C)
    proposed = len(more.masks) if more is not None else 0
    labels = []
    for rows in _strips(max(*probabilities.shape, proposed), *masks.shape[1:]):
        inside = rows_of(masks, rows) if of_probabilities else rows_of(masks, rows).sigmoid()  # (Q, rows, W)
        scores = _votes(probabilities, inside)
        labels.append(best_class(scores if more is None else more.mix(scores, rows)))
    return torch.cat(labels)


def with_more_votes(scores: Tensor, more: ProposalVotes) -> Tensor:
    """Mix the votes of SAM's masks into (C, H, W) scores, which are written over, a few rows at a time."""
    for rows in _strips(max(len(scores), len(more.masks)), *scores.shape[1:]):
        scores[:, rows] = more.mix(scores[:, rows], rows)
    return scores


def _votes(probabilities: Tensor, inside: Tensor) -> Tensor:
    return torch.einsum("qc,qhw->chw", probabilities, inside)


def _strips(maps: int, height: int, width: int) -> Iterator[slice]:
    step = max(1, SCORES_AT_ONCE // (maps * width))
    return (slice(start, start + step) for start in range(0, height, step))
