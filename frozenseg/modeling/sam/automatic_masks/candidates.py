"""Masks at every point of a grid, and which of them stay: thresholds, duplicates, small regions.

Letters: P points, B of them at once, m masks of each (three), M masks, h×w low resolution, H×W the image, S side of
SAM's input, c channels.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from segment_anything.utils.amg import build_point_grid, calculate_stability_score
from torch import Tensor
from torchvision.ops import nms

from frozenseg.modeling.sam.automatic_masks.mask_filters import pixel_boxes, remove_small_regions
from frozenseg.modeling.sam.automatic_masks.placement import Placement, rows_at_a_time
from frozenseg.modeling.sam.automatic_masks.point_decoder import PointDecoder
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.base import FrozenSAM

SECOND_NMS = 0.7  # the package compares again with its threshold for crops where that is larger, with or without crops
POINTS_ON_CPU, POINTS_ELSEWHERE = 2, 64
VALUES_ON_CPU, VALUES_ELSEWHERE = 2**23, 2**26  # of full-size logits at once


class Candidates(NamedTuple):
    """Masks that passed the thresholds: logits (M, h, w), predicted IoUs (M,), stability (M,), boxes (M, 4)."""

    logits: Tensor
    predicted_ious: Tensor
    stability: Tensor
    boxes: Tensor


def find_candidates(
    sam: FrozenSAM, embedding: Tensor, placement: Placement, settings: ProposalSettings
) -> Iterator[Candidates]:
    """Ask SAM at every point and keep the good masks, batch by batch of points.

    Args:
        sam: any.
        embedding: (1, c, S/16, S/16).
        placement: of the image.
        settings: grid and thresholds.
    """
    device = embedding.device
    points = torch.as_tensor(placement.to_input(build_point_grid(settings.points_per_side)), device=device)[:, None]
    labels = torch.ones(len(points), 1, dtype=torch.int, device=device)
    prompts, no_mask = sam.prompt_encoder(points=(points, labels), boxes=None, masks=None)  # (P, 2, c), (P, c, h, w)
    dtype = torch.bfloat16 if settings.bf16 else torch.float32
    decoder = PointDecoder(sam.mask_decoder, embedding + no_mask[:1], sam.prompt_encoder.get_dense_pe(), dtype)
    batch = settings.points_per_batch or (POINTS_ON_CPU if device.type == "cpu" else POINTS_ELSEWHERE)
    for some in prompts.split(batch):
        tokens, seen = decoder.attend(some)
        quality = decoder.quality(tokens)  # (B, m)
        good = quality > (settings.pred_iou_threshold or -torch.inf)
        asked = good.any(dim=1)
        if asked.all():  # no copy of the image tokens
            logits = decoder.masks(tokens, seen)[good]
        else:
            logits = decoder.masks(tokens[asked], seen[asked])[good[asked]]
        yield keep_stable(logits, quality[good], placement, settings)


def keep_stable(logits: Tensor, quality: Tensor, placement: Placement, settings: ProposalSettings) -> Candidates:
    """Judge masks at image size, some at a time, and return the stable ones with their boxes.

    Args:
        logits: (M, h, w).
        quality: (M,) predicted IoUs.
        placement: of the image.
        settings: threshold and offset.
    """
    stability, boxes = [quality.new_zeros(0)], [quality.new_zeros(0, 4)]
    for some in logits.split(masks_at_a_time(placement, logits.device)):
        full = placement.at_image_size(some)
        stability.append(calculate_stability_score(full, 0.0, settings.stability_offset))
        boxes.append(pixel_boxes(full > 0))
    scores = torch.cat(stability)
    stable = scores >= settings.stability_threshold if settings.stability_threshold else torch.ones_like(scores).bool()
    return Candidates(logits[stable], quality[stable], scores[stable], torch.cat(boxes)[stable])


def masks_at_a_time(placement: Placement, device: torch.device) -> int:
    """Return how many masks are looked at together at image size."""
    values = VALUES_ON_CPU if device.type == "cpu" else VALUES_ELSEWHERE
    return rows_at_a_time(values, placement.size[0] * placement.size[1])


def suppress_duplicates(found: list[Candidates], threshold: float) -> Candidates:
    """Keep the masks whose boxes do not overlap with a better one's, the best first.

    Args:
        found: batches; emptied on the way, so that they are not held twice.
        threshold: IoU of boxes.
    """
    quality = torch.cat([some.predicted_ious for some in found])
    stability = torch.cat([some.stability for some in found])
    boxes = torch.cat([some.boxes for some in found])
    kept = nms(boxes, quality, threshold)
    chosen = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    chosen[kept] = True
    of_batches = chosen.split([len(some.boxes) for some in found])
    logits = torch.cat([some.logits[mine] for some, mine in zip(found, of_batches, strict=True)])
    found.clear()
    return Candidates(logits[chosen.cumsum(0)[kept] - 1], quality[kept], stability[kept], boxes[kept])


def without_small_regions(
    candidates: Candidates, placement: Placement, settings: ProposalSettings
) -> tuple[Candidates, Tensor]:
    """Measure masks without their small regions, and drop those that become duplicates by that.

    Args:
        candidates: after the first suppression.
        placement: of the image.
        settings: the least region.

    Returns:
        Those that stay, and their areas (M,) int64 pixels.
    """
    device = candidates.boxes.device
    areas, boxes, intact = [], [candidates.boxes[:0]], []
    for logits in candidates.logits.split(masks_at_a_time(placement, device)):
        masks = (placement.at_image_size(logits) > 0).cpu().numpy()
        for index, mask in enumerate(masks):
            if settings.min_region_area:
                masks[index], changed = remove_small_regions(mask, settings.min_region_area)
                intact.append(not changed)
        areas.extend(np.count_nonzero(mask) for mask in masks)
        boxes.append(pixel_boxes(torch.from_numpy(masks)).to(device))
    measured = torch.tensor(areas, dtype=torch.int64, device=device)
    if not settings.min_region_area:
        return candidates, measured
    order = torch.tensor(intact, dtype=torch.float32, device=device)
    kept = nms(torch.cat(boxes), order, max(settings.nms_threshold, SECOND_NMS))
    return Candidates(*(values[kept] for values in candidates)), measured[kept]
