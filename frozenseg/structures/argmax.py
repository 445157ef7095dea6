"""The best class of every pixel: an argmax over the classes, several times faster on a CPU than torch's own.

A maximum along neighbouring pixels runs at the speed of the memory; an argmax along the classes is twenty times slower.
Labels lie in regions. So the highest score of each class is taken in blocks of neighbouring pixels, in one pass, and
then, as in Fagin's threshold algorithm (2001), only those classes of a block are looked at whose highest score is not
below what every pixel of it has already.

Letters: C classes, H×W the map, n blocks, B pixels of a block, m blocks that are undecided.
"""

import torch
from torch import Tensor

BLOCK = 64  # B
ROUNDS = 12  # classes of a block that are looked at one by one, before all are
SCATTERED = 0.5  # share of undecided blocks from which on blocks are no help
GROUP = 24  # classes whose maximum is taken together; small enough for their ranks to fit into a byte
STRIP = 2**16  # pixels at once
NO_CLASS = -1


def best_class(scores: Tensor) -> Tensor:
    """Return the class with the highest score at each pixel, the first of several equal ones.

    No copy of ``scores`` is made.

    Args:
        scores: (C, H, W) floats.

    Returns:
        (H, W) int64; -1 where a score is not a number.
    """
    if scores.is_cuda or len(scores) <= GROUP:
        return _argmax(scores)
    flat = scores.reshape(len(scores), -1)
    whole = flat.shape[1] // BLOCK * BLOCK
    labels = torch.empty(flat.shape[1], dtype=torch.int64)
    labels[:whole] = _of_blocks(torch.unflatten(flat[:, :whole], 1, (-1, BLOCK))).flatten() if whole else 0
    labels[whole:] = _argmax(flat[:, whole:])
    return labels.reshape(scores.shape[1:])


def _argmax(scores: Tensor) -> Tensor:
    """Return the best class, plainly."""
    best, labels = scores.max(dim=0)
    return labels.masked_fill_(best.isnan(), NO_CLASS)


def _of_blocks(scores: Tensor) -> Tensor:
    """Return (n, B) labels for (C, n, B) scores."""
    tops = scores.amax(dim=2)  # (C, n), the highest of each class
    if tops.amax().isnan():
        return _argmax(scores)
    best = torch.full(scores.shape[1:], -torch.inf, dtype=scores.dtype)  # (n, B)
    labels = torch.zeros(scores.shape[1:], dtype=torch.int64)
    undecided, classes = torch.arange(scores.shape[1]), torch.arange(scores.shape[0])  # (m,), (C,)
    for searched in range(ROUNDS):
        if searched > 1 and len(undecided) > SCATTERED * len(best):
            flat = scores.flatten(1)
            return torch.cat([_argmax_in_groups(strip) for strip in torch.split(flat, STRIP, dim=1)]).view(best.shape)
        first = _argmax_in_groups(tops)  # (m,), of the classes that have not been looked at
        leader = classes[first]
        challenger = scores[leader, undecided]  # (m, B)
        holder, of_holder = best[undecided], labels[undecided]
        wins = (challenger > holder) | ((challenger == holder) & (leader[:, None] < of_holder))
        best[undecided] = holder = torch.where(wins, challenger, holder)
        labels[undecided] = torch.where(wins, leader[:, None], of_holder)
        tops[first, torch.arange(len(first))] = -torch.inf
        in_question = tops >= holder.amin(dim=1)  # (C, m), what could still win somewhere
        rows, columns = (in_question.any(dim=1 - axis).nonzero()[:, 0] for axis in (0, 1))
        classes, undecided = classes[rows], undecided[columns]
        if len(undecided) == 0:
            return labels
        tops = tops.index_select(0, rows).index_select(1, columns)
    for part in torch.split(undecided, STRIP // BLOCK):
        labels[part] = _argmax_in_groups(scores[:, part].flatten(1)).view(-1, BLOCK)
    return labels


def _argmax_in_groups(scores: Tensor) -> Tensor:
    """Return (n,) labels for (C, n) scores: only groups of classes that hold a best one are searched."""
    groups = torch.split(scores, GROUP)
    tops = torch.stack([group.amax(dim=0) for group in groups])
    best = tops.amax(dim=0)  # (n,)
    labels = torch.zeros(len(best), dtype=torch.int64)
    winners = (tops == best).any(dim=1).nonzero()[:, 0].tolist()
    for index in reversed(winners):  # so that the first of equal ones has the last word
        ranks = torch.arange(len(groups[index]), 0, -1, dtype=torch.uint8)  # highest for the first class
        hit = (groups[index] == best).view(torch.uint8).mul_(ranks[:, None]).amax(dim=0)  # (n,), 0 for none
        torch.where(hit > 0, index * GROUP + len(ranks) - hit.to(torch.int64), labels, out=labels)
    return labels
