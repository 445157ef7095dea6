"""Candidate masks at every point of a grid, and their filters: thresholds, duplicates, small regions.

Letters: P points, B points at once, m masks of each point (three), M masks, h×w low resolution, H×W the image, S side
of SAM's input, T tokens of a point, c channels.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from segment_anything.utils.amg import build_point_grid, calculate_stability_score
from torch import Tensor
from torchvision.ops import nms

from frozenseg.modeling.sam.automatic_masks.mask_filters import pixel_boxes, remove_small_regions
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.point_decoder import PointDecoder
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.modeling.sam.base import FrozenSAM

# the package compares boxes a second time with the larger of its thresholds for points and crops, even without crops
SECOND_NMS = 0.7
CELLS_ON_CPU, POINTS_ELSEWHERE = 2**13, 64  # of the embedding, for all points at once: as many as fit into the cache
VALUES_ON_CPU, VALUES_ELSEWHERE = 2**23, 2**26  # of full-size logits at once


class ScoredMasks(NamedTuple):
    """Masks that passed the thresholds."""

    logits: Tensor  # (M, h, w)
    predicted_ious: Tensor  # (M,)
    stability: Tensor  # (M,)
    boxes: Tensor  # (M, 4)


def find_candidates(
    sam: FrozenSAM, embedding: Tensor, placement: Placement, settings: ProposalSettings
) -> Iterator[ScoredMasks]:
    """Decode masks at every point and yield those that pass the thresholds, batch by batch of points.

    Args:
        sam: any SAM.
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
    on_cpu = max(1, CELLS_ON_CPU // embedding[0, 0].numel())
    batch = settings.points_per_batch or (on_cpu if device.type == "cpu" else POINTS_ELSEWHERE)
    for chunk in prompts.split(batch):
        tokens, image_tokens = decoder.attend(chunk)
        quality = decoder.quality(tokens)  # (B, m)
        good = quality > (settings.pred_iou_threshold or -torch.inf)
        passing = good.any(dim=1)
        if passing.all():  # no copy of the image tokens
            logits = decoder.masks(tokens, image_tokens)[good]
        else:
            logits = decoder.masks(tokens[passing], image_tokens[passing])[good[passing]]
        yield keep_stable(logits, quality[good], placement, settings)


def keep_stable(logits: Tensor, quality: Tensor, placement: Placement, settings: ProposalSettings) -> ScoredMasks:
    """Measure stability at image size, some masks at a time, and return the stable ones with their boxes.

    Args:
        logits: (M, h, w).
        quality: (M,) predicted IoUs.
        placement: of the image.
        settings: threshold and offset.
    """
    stability, boxes = [quality.new_zeros(0)], [quality.new_zeros(0, 4)]
    for chunk in torch.split(logits, masks_at_a_time(placement, logits.device)):
        full = placement.at_image_size(chunk)
        stability.append(calculate_stability_score(full, 0.0, settings.stability_offset))
        boxes.append(pixel_boxes(full > 0))
    scores = torch.cat(stability)
    stable = scores >= settings.stability_threshold if settings.stability_threshold else torch.ones_like(scores).bool()
    return ScoredMasks(logits[stable], quality[stable], scores[stable], torch.cat(boxes)[stable])


def masks_at_a_time(placement: Placement, device: torch.device) -> int:
    """Return the number of masks that are resized to image size together."""
    values = VALUES_ON_CPU if device.type == "cpu" else VALUES_ELSEWHERE
    return max(1, values // (placement.size[0] * placement.size[1]))


def suppress_duplicates(batches: list[ScoredMasks], threshold: float) -> ScoredMasks:
    """Keep the masks with boxes that do not overlap with a better mask's box, the best first.

    Args:
        batches: from :func:`find_candidates`; the list is emptied, so that the masks are not in memory twice.
        threshold: IoU of boxes.
    """
    quality = torch.cat([batch.predicted_ious for batch in batches])
    stability = torch.cat([batch.stability for batch in batches])
    boxes = torch.cat([batch.boxes for batch in batches])
    kept = nms(boxes, quality, threshold)
    chosen = torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    chosen[kept] = True
    chosen_of_batches = torch.split(chosen, [len(batch.boxes) for batch in batches])
    logits = torch.cat([batch.logits[flags] for batch, flags in zip(batches, chosen_of_batches, strict=True)])
    batches.clear()
    return ScoredMasks(logits[chosen.cumsum(0)[kept] - 1], quality[kept], stability[kept], boxes[kept])


def without_small_regions(
    candidates: ScoredMasks, placement: Placement, settings: ProposalSettings
) -> tuple[ScoredMasks, Tensor]:
    """Measure the areas of masks without their small regions, and drop masks that become duplicates without them.

    Args:
        candidates: after the first suppression.
        placement: of the image.
        settings: area of the smallest region.

    Returns:
        The remaining masks, and their areas (M,) int64 pixels.
    """
    device = candidates.boxes.device
    areas: list[int] = []
    boxes, intact = [candidates.boxes[:0]], []
    for logits in torch.split(candidates.logits, masks_at_a_time(placement, device)):
        masks = (placement.at_image_size(logits) > 0).cpu().numpy()
        for index, mask in enumerate(masks):
            if settings.min_region_area:
                masks[index], changed = remove_small_regions(mask, settings.min_region_area)
                intact.append(not changed)
        areas.extend(int(np.count_nonzero(mask)) for mask in masks)
        boxes.append(pixel_boxes(torch.from_numpy(masks)).to(device))
    measured = torch.tensor(areas, dtype=torch.int64, device=device)
    if not settings.min_region_area:
        return candidates, measured
    order = torch.tensor(intact, dtype=torch.float32, device=device)
    kept = nms(torch.cat(boxes), order, max(settings.nms_threshold, SECOND_NMS))
    return ScoredMasks(*(values[kept] for values in candidates)), measured[kept]
