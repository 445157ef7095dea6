"""The three losses on matched pairs: class, mask and dice, the last two on points (Mask2Former, section 3.3).

Letters: B images, Q queries, C classes, n masks, P points.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from frozenseg.modeling.ops.point_sample import point_sample


def class_loss(logits: Tensor, labels: Tensor, class_weights: Tensor) -> Tensor:
    """Return the weighted cross-entropy over all queries.

    Args:
        logits: (B, Q, C + 1), void last.
        labels: (B, Q) int64, C for queries without a target.
        class_weights: (C + 1,).
    """
    return F.cross_entropy(logits.float().transpose(1, 2), labels, class_weights)


def mask_losses(logits: Tensor, targets: Tensor, mask_count: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy and the dice loss of masks at points.

    Args:
        logits: (n, P) predictions.
        targets: (n, P) in 0 … 1.
        mask_count: scalar that sums are divided by.

    Returns:
        Two scalars.
    """
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(dim=1).sum()
    probabilities = logits.sigmoid()
    overlap = 2 * (probabilities * targets).sum(dim=1)
    area = probabilities.sum(dim=1) + targets.sum(dim=1)
    dice = (1 - (overlap + 1) / (area + 1)).sum()
    return cross_entropy / mask_count, dice / mask_count


def random_points(points: int, counts: Sequence[int], generators: Sequence[Generator | None], like: Tensor) -> Tensor:
    """Draw points uniformly, for the masks of each image from its own generator.

    What an image draws then does not depend on the images beside it.

    Args:
        points: P.
        counts: masks of each image, n in all.
        generators: of each image; where the first is None, the global one draws for all.
        like: a tensor of the device.

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
    """Choose where to compare: mostly where the prediction is least certain (PointRend, section 3.1).

    Args:
        masks: (n, 1, H, W) logits, without gradient.
        count: P.
        oversample: candidates drawn for each point.
        importance: share of the points that are the most uncertain candidates; the rest is uniform.
        draw: a number of points → as many for every mask, (n, number, 2).

    Returns:
        (n, P, 2) x, y in 0 … 1.
    """
    candidates = draw(int(count * oversample))
    certainty = point_sample(masks, candidates)[:, 0].abs()  # (n, candidates)
    chosen = int(importance * count)
    nearest = certainty.topk(chosen, dim=1, largest=False).indices
    points = candidates.gather(1, nearest[:, :, None].expand(-1, -1, 2))
    if chosen < count:
        points = torch.cat([points, draw(count - chosen)], dim=1)
    return points
