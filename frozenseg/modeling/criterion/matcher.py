"""The Hungarian matching of queries to targets, on points (DETR; Mask2Former, section 3.3).

Letters: Q queries, C classes, n targets of one image, P points.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from frozenseg.modeling.ops.point_sample import point_sample
from frozenseg.modeling.types import Prediction, Target

COST_OF_NAN = 1e6


class MatchedPairs(NamedTuple):
    """Pairs of one image."""

    queries: Tensor  # (min(Q, n),) int64
    targets: Tensor  # (min(Q, n),) int64


class HungarianMatcher:
    """The cheapest one-to-one assignment.

    Args:
        class_weight: weight of the class cost.
        mask_weight: weight of the mask cross-entropy cost.
        dice_weight: weight of the dice cost.
        points: P, drawn uniformly and shared by all masks of an image.
    """

    def __init__(self, *, class_weight: float, mask_weight: float, dice_weight: float, points: int) -> None:
        self.class_weight, self.mask_weight, self.dice_weight = class_weight, mask_weight, dice_weight
        self.points = points

    @torch.no_grad()
    def __call__(self, prediction: Prediction, targets: list[Target]) -> list[MatchedPairs]:
        """Match every image.

        All images' costs are computed before the first is brought to the CPU, so the device is waited for once.
        """
        costs = [
            self._cost(logits, masks, target)
            for logits, masks, target in zip(prediction.logits, prediction.masks, targets, strict=True)
        ]
        return [_assign(cost.cpu(), cost.device) for cost in costs]

    def _cost(self, logits: Tensor, masks: Tensor, target: Target) -> Tensor:
        """Return (Q, n) float32: what each query would cost as the answer for each target."""
        points = torch.rand(1, self.points, 2, device=masks.device, generator=target.generator)
        with torch.autocast(masks.device.type, enabled=False):
            predicted = point_sample(masks[None].float(), points)[0]  # (Q, P)
            wanted = point_sample(target.masks[None].float(), points)[0]  # (n, P)
            class_cost = -logits.float().softmax(dim=-1)[:, target.labels]  # (Q, n)
            cost = (
                self.class_weight * class_cost
                + self.mask_weight * _cross_entropy_cost(predicted, wanted)
                + self.dice_weight * _dice_cost(predicted, wanted)
            )
        return cost.nan_to_num(nan=COST_OF_NAN, posinf=COST_OF_NAN, neginf=-COST_OF_NAN)


def _cross_entropy_cost(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of every pair of rows: (Q, P), (n, P) → (Q, n)."""
    inside, outside = F.softplus(-predicted), F.softplus(predicted)  # -log p, -log (1 - p)
    return (inside @ wanted.T + outside @ (1 - wanted).T) / predicted.shape[1]


def _dice_cost(predicted: Tensor, wanted: Tensor) -> Tensor:
    """Return the dice loss of every pair of rows: (Q, P), (n, P) → (Q, n)."""
    probabilities = predicted.sigmoid()
    overlap = 2 * probabilities @ wanted.T
    area = probabilities.sum(dim=1)[:, None] + wanted.sum(dim=1)
    return 1 - (overlap + 1) / (area + 1)


def _assign(cost: Tensor, device: torch.device) -> MatchedPairs:
    queries, targets = linear_sum_assignment(cost.numpy())
    return MatchedPairs(torch.as_tensor(queries, device=device), torch.as_tensor(targets, device=device))
