"""The semantic read-out: every query votes for its classes, under its mask.

Letters: Q queries, C classes, H×W the image.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from frozenseg.modeling.ensemble.mask_proposals import ProposalVotes
from frozenseg.structures.best_class import best_class

SCORES_AT_ONCE = 2**24  # numbers of one strip: 64 MiB


def semantic_readout(logits: Tensor, masks: Tensor) -> Tensor:
    """Add up votes.

    Args:
        logits: (Q, C + 1) class scores as logits, void last.
        masks: (Q, H, W) mask logits.

    Returns:
        (C, H, W) class scores; their argmax is the label map.
    """
    return _votes(logits.softmax(dim=-1)[:, :-1], masks.sigmoid())


def semantic_labels(logits: Tensor, inside: Tensor, more: ProposalVotes | None = None) -> Tensor:
    """Return the class with the most votes at every pixel, a few rows at a time: memory does not grow with C.

    Args:
        logits: (Q, C + 1) class scores as logits, void last.
        inside: (Q, H, W) mask probabilities.
        more: votes of SAM's masks.

    Returns:
        (H, W) int64, the argmax of :func:`semantic_readout`; -1 where a score is not a number.
    """
    probabilities = logits.softmax(dim=-1)[:, :-1]  # (Q, C)
    labels = []
    for rows in _strips(probabilities.shape[1], *inside.shape[1:]):
        scores = _votes(probabilities, inside[:, rows])
        labels.append(best_class(scores if more is None else more.mix(scores, rows)))
    return torch.cat(labels)


def with_more_votes(scores: Tensor, more: ProposalVotes) -> Tensor:
    """Mix the votes of SAM's masks into (C, H, W) scores, which are written over, a few rows at a time."""
    for rows in _strips(*scores.shape):
        scores[:, rows] = more.mix(scores[:, rows], rows)
    return scores


def _votes(probabilities: Tensor, inside: Tensor) -> Tensor:
    return torch.einsum("qc,qhw->chw", probabilities, inside)


def _strips(classes: int, height: int, width: int) -> Iterator[slice]:
    step = max(1, SCORES_AT_ONCE // (classes * width))
    return (slice(start, start + step) for start in range(0, height, step))
