"""The best class of every pixel: an argmax over the classes, several times faster on a CPU than torch's own.

Letters: C classes, H×W the map, G groups of classes.
"""

import torch
from torch import Tensor

GROUP = 24  # classes whose maximum is taken together; small enough for the ranks to fit into a byte
STRIP = 2**16  # pixels at once


def best_class(scores: Tensor) -> Tensor:
    """Return the class with the highest score at each pixel, the first of several equal ones.

    A maximum along the classes runs at the speed of the memory, where an argmax is ten times slower. So the maximum of
    each group is taken first; only the groups that hold a pixel's best are searched for it. No copy of ``scores`` is
    made.

    Args:
        scores: (C, H, W) floats; NaN counts as highest.

    Returns:
        (H, W) int64.
    """
    if scores.is_cuda or len(scores) <= GROUP:
        return scores.argmax(dim=0)
    flat = scores.reshape(len(scores), -1)
    labels = (
        torch.cat([_best_of_strip(strip) for strip in torch.split(flat, STRIP, dim=1)]) if flat.numel() else flat[0]
    )
    return labels.reshape(scores.shape[1:]).to(torch.int64)


def _best_of_strip(scores: Tensor) -> Tensor:
    """Return (n,) int16 for (C, n) scores."""
    groups = torch.split(scores, GROUP)
    tops = torch.stack([group.amax(dim=0) for group in groups])  # (G, n)
    best = tops.amax(dim=0)  # (n,)
    if best.isnan().any():
        return scores.argmax(dim=0).to(torch.int16)
    labels = torch.zeros(len(best), dtype=torch.int16)
    winners = (tops == best).any(dim=1).nonzero()[:, 0].tolist()
    for index in reversed(winners):  # so that the first of equal ones has the last word
        first = index * GROUP
        rank = torch.arange(len(groups[index]), 0, -1, dtype=torch.uint8)[:, None]  # highest for the first class
        hit = (groups[index] == best).view(torch.uint8).mul_(rank).amax(dim=0)  # (n,), 0 where the best is elsewhere
        torch.where(hit > 0, first + len(rank) - hit.to(torch.int16), labels, out=labels)
    return labels
