"""Instance post-processing: the best (query, class) pairs, each with its mask and score (Mask2Former).

Benchmarks score the published rule, ``InstanceRule()``: all pairs, so that an object can occur under several names. For
people, a rule keeps one class a query, drops empty and doubled masks, and sorts by score.

Letters: Q candidates, C classes, H×W the image, n instances.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from frozenseg.config import CfgNode
from frozenseg.modeling.layers.row_strips import row_strips
from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates
from frozenseg.structures.instances import Instances
from frozenseg.structures.masks import boxes_around

MASK_AREA_EPSILON = 1e-6
DUPLICATE_IOU = 0.7  # of boxes


@dataclass(frozen=True)
class InstanceRule:
    """Choice among the instances; the defaults are the published rule, which keeps all.

    Attributes:
        one_class: keep the best class of each candidate only.
        clean: drop empty masks, and sort by score.
        mask_nms: with ``clean``, IoU with a better instance of any class above which an instance is dropped; 1: off.
        min_score: with ``clean``, smallest score.
    """

    one_class: bool = False
    clean: bool = False
    mask_nms: float = 1.0
    min_score: float = 0.0

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "InstanceRule":
        """Build the rule of the segmenter from the keys of ``PREDICT``."""
        keys = cfg.PREDICT
        return cls(not keys.SEVERAL_CLASSES_PER_QUERY, True, keys.MASK_NMS, keys.MIN_SCORE)


PUBLISHED_RULE = InstanceRule()
DISTINCT_OBJECTS = InstanceRule(one_class=True, clean=True, mask_nms=0.8)  # the defaults of PREDICT


def instance_inference(
    candidates: MaskCandidates, count: int, isthing: tuple[bool, ...] | None, rule: InstanceRule = PUBLISHED_RULE
) -> Instances:
    """Select the (candidate, class) pairs with the highest class probabilities.

    A proposal that duplicates a query (same class, boxes with an IoU above 0.7) is dropped after the selection.

    Args:
        candidates: the queries, and optionally SAM proposals.
        count: maximum number of pairs.
        isthing: C flags; pairs of stuff classes are dropped after the selection. None keeps all.
        rule: choice among the instances.

    Returns:
        Instances with ``pred_masks`` (n, H, W) bool, ``pred_boxes`` (n, 4) float32 x0, y0, x1, y1, ``scores`` (n,)
        class probability times mean mask probability inside the mask, ``pred_classes`` (n,) int64.
    """
    scores = candidates.probabilities()[:, :-1]  # (Q, C)
    classes = scores.shape[1]
    if rule.one_class:
        scores, best = scores.max(dim=1)  # (Q,), (Q,)
        scores, selected = scores.topk(min(count, len(scores)))
        labels = best[selected]
    else:
        scores, pairs = scores.flatten().topk(min(count, scores.numel()))
        selected, labels = pairs // classes, pairs % classes  # (n,), (n,)
    if isthing is not None:
        things = torch.tensor(isthing, device=labels.device)[labels]
        scores, selected, labels = scores[things], selected[things], labels[things]
    distinct, index = torch.unique(selected, return_inverse=True)  # a candidate can occur under several classes
    masks, mask_scores = _binary_masks(candidates, distinct)
    height, width = candidates.masks.shape[-2:]
    instances = Instances(
        (height, width),
        pred_masks=masks[index],
        pred_boxes=boxes_around(masks)[index],
        scores=scores * mask_scores[index],
        pred_classes=labels,
    )
    if candidates.proposals is not None:
        instances = _drop_duplicates(instances, candidates.is_proposal(selected))
    return _cleaned(instances, rule) if rule.clean else instances


def _binary_masks(candidates: MaskCandidates, selected: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (n, H, W) bool masks of (n,) candidates, and the mean mask probability inside each, (n,)."""
    binary = torch.empty(len(selected), *candidates.masks.shape[-2:], dtype=torch.bool, device=selected.device)
    top = 0
    area, total = torch.zeros(2, len(selected), device=selected.device)
    for logits in candidates.strips(selected):  # (n, rows, W)
        inside = logits > 0
        binary[:, top : top + inside.shape[1]] = inside
        top += inside.shape[1]
        area += inside.sum(dim=(1, 2), dtype=torch.int32)
        total += (logits.sigmoid() * inside).sum(dim=(1, 2))
    return binary, total / (area + MASK_AREA_EPSILON)


def _drop_duplicates(instances: Instances, is_proposal: Tensor) -> Instances:
    """Drop the proposals, (n,) bool, that overlap a query of the same class."""
    from torchvision.ops import box_iou  # slow to import, and rarely used

    boxes, labels = instances.pred_boxes, instances.pred_classes
    same = (box_iou(boxes, boxes) > DUPLICATE_IOU) & (labels[:, None] == labels) & ~is_proposal  # (n, n)
    return instances[~(is_proposal & same.any(dim=1))]


def _cleaned(instances: Instances, rule: InstanceRule) -> Instances:
    """Return the instances by falling score, without empty, weak and doubled ones."""
    instances = instances[instances.scores.argsort(descending=True, stable=True)]
    instances = instances[instances.pred_masks.flatten(1).any(dim=1) & (instances.scores >= rule.min_score)]
    if rule.mask_nms >= 1 or len(instances) < 2:
        return instances
    doubled = (_mask_iou(instances.pred_masks) > rule.mask_nms).tolist()
    kept: list[int] = []
    for index, overlaps in enumerate(doubled):
        if not any(overlaps[better] for better in kept):
            kept.append(index)
    return instances[torch.tensor(kept, device=instances.scores.device)]


def _mask_iou(masks: Tensor) -> Tensor:
    """Return the IoU of each two of (n, H, W) bool masks, none of which is empty, (n, n)."""
    intersections = torch.zeros(len(masks), len(masks), dtype=torch.int64, device=masks.device)
    for rows in row_strips(masks.shape[1], len(masks) * masks.shape[2]):
        strip = masks[:, rows].flatten(1).float()  # (n, pixels)
        intersections += (strip @ strip.T).long()  # exact: a strip has at most 2^24 values
    areas = intersections.diagonal()
    return intersections / (areas[:, None] + areas - intersections)
