"""The instance read-out: the best (query, class) pairs, each with its mask and a score.

Letters: Q queries, C classes, H×W the image, n instances.
"""

import torch
from torch import Tensor

from frozenseg.structures.instances import Instances
from frozenseg.structures.masks import boxes_around

EPSILON = 1e-6


def instance_readout(logits: Tensor, masks: Tensor, count: int, isthing: tuple[bool, ...] | None) -> Instances:
    """Take the pairs with the highest class scores.

    Args:
        logits: (Q, C + 1) class scores as logits, void last.
        masks: (Q, H, W) mask logits.
        count: the most pairs to take.
        isthing: pairs of other classes are dropped after the choice; None keeps all.

    Returns:
        Instances with ``pred_masks`` (n, H, W) bool, ``pred_boxes`` (n, 4) float32 x0, y0, x1, y1, ``scores`` (n,)
        class score times mean mask probability inside the mask, ``pred_classes`` (n,) int64.
    """
    scores = logits.softmax(dim=-1)[:, :-1]  # (Q, C)
    classes = scores.shape[1]
    scores, pairs = scores.flatten().topk(min(count, scores.numel()))
    queries, labels = pairs // classes, pairs % classes
    if isthing is not None:
        things = torch.tensor(isthing, device=labels.device)[labels]
        scores, queries, labels = scores[things], queries[things], labels[things]
    chosen = masks[queries]  # (n, H, W)
    inside = chosen > 0
    area = inside.sum(dim=(1, 2))
    certainty = (chosen.sigmoid() * inside).sum(dim=(1, 2)) / (area + EPSILON)
    return Instances(
        tuple(masks.shape[-2:]),
        pred_masks=inside,
        pred_boxes=boxes_around(inside),
        scores=scores * certainty,
        pred_classes=labels,
    )
