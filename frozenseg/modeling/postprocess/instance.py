"""The instance read-out: the best (query, class) pairs, each with its mask and a score.

Letters: Q queries, C classes, H×W the image, n instances.
"""

import torch
from torch import Tensor
from torchvision.ops import box_iou

from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates
from frozenseg.structures.instances import Instances
from frozenseg.structures.masks import boxes_around

EPSILON = 1e-6
REPEATED = 0.7  # IoU of boxes


def instance_inference(candidates: MaskCandidates, count: int, isthing: tuple[bool, ...] | None) -> Instances:
    """Take the pairs with the highest class scores.

    A proposal that repeats a query (same class, boxes with an IoU above 0.7) is dropped after the choice.

    Args:
        candidates: the queries, and proposals beside them.
        count: the most pairs to take.
        isthing: pairs of other classes are dropped after the choice; None keeps all.

    Returns:
        Instances with ``pred_masks`` (n, H, W) bool, ``pred_boxes`` (n, 4) float32 x0, y0, x1, y1, ``scores`` (n,)
        class score times mean mask probability inside the mask, ``pred_classes`` (n,) int64.
    """
    scores = candidates.probabilities()[:, :-1]  # (Q, C)
    classes = scores.shape[1]
    scores, pairs = scores.flatten().topk(min(count, scores.numel()))
    queries, labels = pairs // classes, pairs % classes
    if isthing is not None:
        things = torch.tensor(isthing, device=labels.device)[labels]
        scores, queries, labels = scores[things], queries[things], labels[things]
    inside, certainty = _masks(candidates, queries)
    instances = Instances(
        tuple(candidates.masks.shape[-2:]),
        pred_masks=inside,
        pred_boxes=boxes_around(inside),
        scores=scores * certainty,
        pred_classes=labels,
    )
    return instances if candidates.proposed is None else _without_repeated(instances, candidates.is_proposed(queries))


def _masks(candidates: MaskCandidates, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (n, H, W) bool masks of (n,) queries, and the mean probability inside each, (n,)."""
    insides = []
    area, certainty = torch.zeros(2, len(queries), device=queries.device)
    for logits in candidates.strips(queries):  # (n, rows, W)
        inside = logits > 0
        insides.append(inside)
        area += inside.sum(dim=(1, 2))
        certainty += (logits.sigmoid() * inside).sum(dim=(1, 2))
    return torch.cat(insides, dim=1), certainty / (area + EPSILON)


def _without_repeated(instances: Instances, proposed: Tensor) -> Instances:
    """Drop those of the (n,) proposed instances that a query has found as well."""
    boxes, labels = instances.pred_boxes, instances.pred_classes
    alike = (box_iou(boxes, boxes) > REPEATED) & (labels[:, None] == labels) & ~proposed  # (n, n)
    return instances[~(proposed & alike.any(dim=1))]
