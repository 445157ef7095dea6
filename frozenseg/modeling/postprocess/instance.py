"""Instance post-processing: the best (query, class) pairs, each with its mask and score (Mask2Former).

Letters: Q candidates, C classes, H×W the image, n instances.
"""

import torch
from torch import Tensor
from torchvision.ops import box_iou

from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates
from frozenseg.structures.instances import Instances
from frozenseg.structures.masks import boxes_around

MASK_AREA_EPSILON = 1e-6
DUPLICATE_IOU = 0.7  # of boxes


def instance_inference(candidates: MaskCandidates, count: int, isthing: tuple[bool, ...] | None) -> Instances:
    """Select the (candidate, class) pairs with the highest class probabilities.

    A proposal that duplicates a query (same class, boxes with an IoU above 0.7) is dropped after the selection.

    Args:
        candidates: the queries, and optionally SAM proposals.
        count: maximum number of pairs.
        isthing: C flags; pairs of stuff classes are dropped after the selection. None keeps all.

    Returns:
        Instances with ``pred_masks`` (n, H, W) bool, ``pred_boxes`` (n, 4) float32 x0, y0, x1, y1, ``scores`` (n,)
        class probability times mean mask probability inside the mask, ``pred_classes`` (n,) int64.
    """
    scores = candidates.probabilities()[:, :-1]  # (Q, C)
    classes = scores.shape[1]
    scores, pairs = scores.flatten().topk(min(count, scores.numel()))
    selected, labels = pairs // classes, pairs % classes  # (n,), (n,)
    if isthing is not None:
        things = torch.tensor(isthing, device=labels.device)[labels]
        scores, selected, labels = scores[things], selected[things], labels[things]
    masks, mask_scores = _binary_masks(candidates, selected)
    height, width = candidates.masks.shape[-2:]
    instances = Instances(
        (height, width),
        pred_masks=masks,
        pred_boxes=boxes_around(masks),
        scores=scores * mask_scores,
        pred_classes=labels,
    )
    return instances if candidates.proposals is None else _drop_duplicates(instances, candidates.is_proposal(selected))


def _binary_masks(candidates: MaskCandidates, selected: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (n, H, W) bool masks of (n,) candidates, and the mean mask probability inside each, (n,)."""
    binary = torch.empty(len(selected), *candidates.masks.shape[-2:], dtype=torch.bool, device=selected.device)
    top = 0
    area, total = torch.zeros(2, len(selected), device=selected.device)
    for logits in candidates.strips(selected):  # (n, rows, W)
        inside = logits > 0
        binary[:, top : top + inside.shape[1]] = inside
        top += inside.shape[1]
        area += inside.sum(dim=(1, 2))
        total += (logits.sigmoid() * inside).sum(dim=(1, 2))
    return binary, total / (area + MASK_AREA_EPSILON)


def _drop_duplicates(instances: Instances, is_proposal: Tensor) -> Instances:
    """Drop the proposals, (n,) bool, that overlap a query of the same class."""
    boxes, labels = instances.pred_boxes, instances.pred_classes
    same = (box_iou(boxes, boxes) > DUPLICATE_IOU) & (labels[:, None] == labels) & ~is_proposal  # (n, n)
    return instances[~(is_proposal & same.any(dim=1))]
