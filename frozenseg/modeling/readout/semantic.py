"""The semantic read-out: every query votes for its classes, under its mask.

Letters: Q queries, C classes, H×W the image.
"""

import torch
from torch import Tensor


def semantic_readout(logits: Tensor, masks: Tensor) -> Tensor:
    """Add up votes.

    Args:
        logits: (Q, C + 1) class scores as logits, void last.
        masks: (Q, H, W) mask logits.

    Returns:
        (C, H, W) class scores; their argmax is the label map.
    """
    return torch.einsum("qc,qhw->chw", logits.softmax(dim=-1)[:, :-1], masks.sigmoid())
