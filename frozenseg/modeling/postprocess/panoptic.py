"""Panoptic post-processing: every pixel is assigned to one candidate, candidates become segments.

Letters: Q candidates, C classes, H×W the image, K candidates that are kept.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from frozenseg.errors import ShapeError
from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates

MASK_THRESHOLD = 0.5  # minimum probability of a pixel inside a mask


def panoptic_inference(
    candidates: MaskCandidates, isthing: tuple[bool, ...], score_threshold: float, overlap_threshold: float
) -> tuple[Tensor, list[dict[str, Any]]]:
    """Merge masks into a panoptic map (MaskFormer, Cheng et al. 2021, sec. 3.4).

    Args:
        candidates: the queries, and optionally SAM proposals that compete with them.
        isthing: C flags; all segments of a stuff class are merged into one.
        score_threshold: candidates with a class probability up to this value are dropped.
        overlap_threshold: a segment that wins less than this share of its mask is dropped.

    Returns:
        (H, W) int32 map of segment ids, 0 where there is no segment, and for each id from 1
        ``{"id": int, "isthing": bool, "category_id": int}``.

    Raises:
        ShapeError: another number of flags than classes.
    """
    probabilities = candidates.probabilities()  # (Q, C + 1)
    void = probabilities.shape[-1] - 1
    if len(isthing) != void:
        raise ShapeError(f"isthing has {len(isthing)} flags, expected one for each of the {void} classes.")
    scores, labels = probabilities.max(dim=-1)  # (Q,)
    kept = ((labels != void) & (scores > score_threshold)).nonzero()[:, 0]  # (K,)
    if len(kept) == 0:
        return torch.zeros(candidates.masks.shape[-2:], dtype=torch.int32, device=scores.device), []
    winner, inside, areas = _assign_pixels(scores[kept], candidates.strips(kept))  # (H, W), (H, W), (K,)
    counts = torch.stack([_count(winner, len(kept)), areas, _count(winner[inside], len(kept)), labels[kept]]).tolist()
    segment_ids, segments = _segments(*counts, isthing=isthing, overlap_threshold=overlap_threshold)
    ids = torch.tensor(segment_ids, dtype=torch.int32, device=winner.device)[winner]
    return ids * inside, segments


def _assign_pixels(scores: Tensor, strips: Iterable[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Assign every pixel to the candidate with the highest class score · mask probability.

    Args:
        scores: (K,) class scores.
        strips: mask logits, (K, rows, W) each.

    Returns:
        The winner (H, W) int64; True where the pixel is inside the winner's mask (H, W) bool; the area of each mask
        (K,) int64, in pixels.
    """
    winners, insides, areas = [], [], torch.zeros_like(scores, dtype=torch.int64)
    for logits in strips:
        probabilities = logits.sigmoid()
        winner = (scores[:, None, None] * probabilities).argmax(dim=0)  # (rows, W)
        winners.append(winner)
        insides.append(probabilities.gather(0, winner[None])[0] >= MASK_THRESHOLD)
        areas += (probabilities >= MASK_THRESHOLD).flatten(1).sum(dim=1)
    return torch.cat(winners), torch.cat(insides), areas


def _segments(
    won: list[int],
    areas: list[int],
    won_inside: list[int],
    labels: list[int],
    *,
    isthing: tuple[bool, ...],
    overlap_threshold: float,
) -> tuple[list[int], list[dict[str, Any]]]:
    """Number the surviving candidates from 1, in their order; 0 for the others.

    Args:
        won: pixels assigned to each candidate.
        areas: pixels of the mask of each candidate.
        won_inside: pixels assigned to each candidate that are inside its mask.
        labels: class of each candidate.
        isthing: see :func:`panoptic_inference`.
        overlap_threshold: see :func:`panoptic_inference`.

    Returns:
        The segment id of each candidate, and the segments.
    """
    segment_ids = [0] * len(won)
    segments: list[dict[str, Any]] = []
    stuff_ids: dict[int, int] = {}  # label → segment id
    for index, label in enumerate(labels):
        if won_inside[index] == 0 or won[index] / areas[index] < overlap_threshold:
            continue
        if label in stuff_ids:
            segment_ids[index] = stuff_ids[label]
            continue
        segment_id = len(segments) + 1
        segments.append({"id": segment_id, "isthing": isthing[label], "category_id": label})
        segment_ids[index] = segment_id
        if not isthing[label]:
            stuff_ids[label] = segment_id
    return segment_ids, segments


def _count(values: Tensor, classes: int) -> Tensor:
    """Return the number of occurrences of each of 0 … classes - 1, (classes,) int64."""
    return torch.bincount(values.flatten(), minlength=classes)
