"""Losses on matched pairs: class, mask and dice loss, the last two on sampled points (Mask2Former, sec. 3.3).

Letters: B images, Q queries, C classes, n masks, P points.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from frozenseg.modeling.ops.point_sample import point_sample
from frozenseg.structures.shapes import check_shape


def class_loss(logits: Tensor, labels: Tensor, class_weights: Tensor) -> Tensor:
    """Return the weighted cross-entropy over all queries, a scalar.

    Args:
        logits: (B, Q, C + 1), void last.
        labels: (B, Q) int64, C for queries without a target.
        class_weights: (C + 1,).
    """
    check_shape("logits", logits, "B Q C", C=len(class_weights))
    check_shape("labels", labels, "B Q", B=logits.shape[0], Q=logits.shape[1])
    return F.cross_entropy(logits.float().transpose(1, 2), labels, class_weights)


def mask_losses(logits: Tensor, targets: Tensor, mask_count: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy and the dice loss of masks at points, two scalars.

    Args:
        logits: (n, P) predictions.
        targets: (n, P) in 0 … 1.
        mask_count: scalar that the sums are divided by.
    """
    check_shape("logits", logits, "n P")
    check_shape("targets", targets, "n P", n=logits.shape[0], P=logits.shape[1])
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=1).sum()
    probabilities = logits.sigmoid()
    overlap = 2 * (probabilities * targets).sum(dim=1)
    area = probabilities.sum(dim=1) + targets.sum(dim=1)
    dice = (1 - (overlap + 1) / (area + 1)).sum()
    return cross_entropy / mask_count, dice / mask_count


def random_points(points: int, counts: Sequence[int], generators: Sequence[Generator | None], like: Tensor) -> Tensor:
    """Draw points uniformly, for the masks of each image from its own generator.

    The points of an image then do not depend on the other images of the batch.

    Args:
        points: P.
        counts: number of masks of each image, n in total.
        generators: one per image; if the first is None, the global generator draws for all.
        like: a tensor on the target device.

    Returns:
        (n, P, 2) x, y in 0 … 1.
    """
    if generators[0] is None:
        return torch.rand(sum(counts), points, 2, device=like.device)
    drawn = [
        torch.rand(count, points, 2, device=like.device, generator=generator)
        for count, generator in zip(counts, generators, strict=True)
    ]
    return torch.cat(drawn)


def uncertain_points(
    masks: Tensor, count: int, oversample: float, importance: float, draw: Callable[[int], Tensor]
) -> Tensor:
    """Select points, most of them where the prediction is least certain (PointRend, Kirillov et al. 2020, sec. 3.1).

    Args:
        masks: (n, 1, H, W) logits, without gradient.
        count: P.
        oversample: number of candidates drawn per point.
        importance: share of the points that are the most uncertain candidates, 0-1; the rest is uniform.
        draw: number of points → uniform points for every mask, (n, number, 2).

    Returns:
        (n, P, 2) x, y in 0 … 1.
    """
    candidates = draw(int(count * oversample))
    certainty = point_sample(masks, candidates)[:, 0].abs()  # (n, candidates)
    uncertain_count = int(importance * count)
    uncertain = certainty.topk(uncertain_count, dim=1, largest=False, sorted=False).indices
    points = candidates.gather(1, uncertain[:, :, None].expand(-1, -1, 2))
    if uncertain_count < count:
        points = torch.cat([points, draw(count - uncertain_count)], dim=1)
    return points
