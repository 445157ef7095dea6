"""The semantic read-out: every query votes for its classes, under its mask.

Letters: Q queries, C classes, H×W the image.
"""

import torch
from torch import Tensor

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
    return torch.einsum("qc,qhw->chw", logits.softmax(dim=-1)[:, :-1], masks.sigmoid())


def semantic_labels(logits: Tensor, inside: Tensor) -> Tensor:
    """Return the class with the most votes at every pixel, a few rows at a time: memory does not grow with C.

    Args:
        logits: (Q, C + 1) class scores as logits, void last.
        inside: (Q, H, W) mask probabilities.

    Returns:
        (H, W) int64, the argmax of :func:`semantic_readout`; -1 where a score is not a number.
    """
    probabilities = logits.softmax(dim=-1)[:, :-1]  # (Q, C)
    rows = max(1, SCORES_AT_ONCE // (probabilities.shape[1] * inside.shape[2]))
    strips = inside.split(rows, dim=1)
    return torch.cat([best_class(torch.einsum("qc,qhw->chw", probabilities, strip)) for strip in strips])
