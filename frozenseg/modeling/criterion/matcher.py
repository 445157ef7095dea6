"""Hungarian matcher on sampled points (DETR, Carion et al. 2020, sec. 3.1; Mask2Former, sec. 3.3).

Letters: B images, Q queries, C classes, n targets of one image, H×W the padded input, P points.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.modeling.ops.point_sample import point_sample, point_sample_masks
from frozenseg.modeling.types import Prediction, Target
from frozenseg.structures.shapes import check_shape

COST_OF_NAN = 1e6


class MatchedPairs(NamedTuple):
    """Indices of the matched queries and targets of one image; entry i of both is one pair."""

    queries: Tensor  # (min(Q, n),) int64
    targets: Tensor  # (min(Q, n),) int64


class HungarianMatcher:
    """One-to-one assignment of queries to targets with the lowest total cost.

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

        The costs of all images are computed before the first is copied to the CPU: one synchronisation per call.

        Args:
            prediction: logits (B, Q, C + 1) and masks (B, Q, H/4, W/4).
            targets: ground truth of each image.

        Raises:
            ShapeError: a tensor of another shape.
        """
        check_shape("logits", prediction.logits, "B Q C", B=len(targets))
        check_shape("masks", prediction.masks, "B Q H W", B=len(targets), Q=prediction.logits.shape[1])
        costs = [
            self._cost(logits, masks, target)
            for logits, masks, target in zip(prediction.logits, prediction.masks, targets, strict=True)
        ]
        return [_assign(cost.cpu(), cost.device) for cost in costs]

    def _cost(self, logits: Tensor, masks: Tensor, target: Target) -> Tensor:
        """Return the cost of each (query, target) pair, (Q, n) float32."""
        check_shape("target masks", target.masks, "n H W", n=len(target.labels))
        points = torch.rand(1, self.points, 2, device=masks.device, generator=target.generator)
        with torch.autocast(masks.device.type, enabled=False):
            predicted = point_sample(masks[None].float(), points)[0]  # (Q, P)
            actual = point_sample_masks(target.masks, points)  # (n, P)
            class_cost = -logits.float().softmax(dim=-1)[:, target.labels]  # (Q, n)
            cost = (
                self.class_weight * class_cost
                + self.mask_weight * _cross_entropy_cost(predicted, actual)
                + self.dice_weight * _dice_cost(predicted, actual)
            )
        return cost.nan_to_num(nan=COST_OF_NAN, posinf=COST_OF_NAN, neginf=-COST_OF_NAN)


def _cross_entropy_cost(predicted: Tensor, actual: Tensor) -> Tensor:
    """Return the mean binary cross-entropy of every pair: logits x (Q, P), targets y (n, P) → (Q, n).

    The cross-entropy -y log σ(x) - (1 - y) log(1 - σ(x)) is softplus(x) - xy, because log σ(x) = x - softplus(x) and
    log(1 - σ(x)) = -softplus(x).
    """
    outside = F.softplus(predicted).sum(dim=1)  # (Q,)
    return (outside[:, None] - predicted @ actual.T) / predicted.shape[1]


def _dice_cost(predicted: Tensor, actual: Tensor) -> Tensor:
    """Return the dice loss of every pair: logits (Q, P), targets (n, P) → (Q, n)."""
    probabilities = predicted.sigmoid()
    overlap = 2 * probabilities @ actual.T
    area = probabilities.sum(dim=1)[:, None] + actual.sum(dim=1)
    return 1 - (overlap + 1) / (area + 1)


def _assign(cost: Tensor, device: torch.device) -> MatchedPairs:
    from scipy.optimize import linear_sum_assignment  # slow to import, and needed in training only

    queries, targets = linear_sum_assignment(cost.numpy())
    return MatchedPairs(torch.as_tensor(queries, device=device), torch.as_tensor(targets, device=device))
