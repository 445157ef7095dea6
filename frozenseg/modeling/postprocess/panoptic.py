"""Panoptic post-processing: every pixel is assigned to one candidate, candidates become segments.

Letters: Q candidates, C classes, H×W the image, K candidates that are kept.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from frozenseg.errors import ShapeError
from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates
from frozenseg.structures.argmax import first_largest

MASK_THRESHOLD = 0.5  # minimum probability of a pixel inside a mask
PROBABILITY_UNIT = 2**20  # sums of mask probabilities are in whole 2^-20, so that they are exact in any order


class _Competitor(NamedTuple):
    """A candidate after the assignment of the pixels.

    Attributes:
        won: pixels assigned to it.
        area: pixels of its mask.
        inside: pixels assigned to it that are inside its mask.
        mask_sum: sum of its mask probabilities over these, in units of 1 / ``PROBABILITY_UNIT``.
        label: its class.
    """

    won: int
    area: int
    inside: int
    mask_sum: int
    label: int


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
        (H, W) int32 map of segment ids, 0 where there is no segment, and for each id from 1 ``{"id": int, "isthing":
        bool, "category_id": int, "label_id": int, "score": float}``. ``label_id`` is ``category_id`` under its name in
        transformers. The score is class probability · mask probability, averaged over the pixels of the segment:
        for a segment of one query that keeps its whole mask, the score of the instance post-processing.

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
    winner, inside, areas, sums = _assign_pixels(scores[kept], candidates.strips(kept))  # (H, W), (H, W), (K,), (K,)
    counts = [_count(winner, len(kept)), areas, _count(winner[inside], len(kept)), sums, labels[kept]]
    competitors = [_Competitor(*numbers) for numbers in torch.stack(counts, dim=1).tolist()]
    segment_ids, segments = _segments(competitors, scores[kept].tolist(), isthing, overlap_threshold)
    ids = torch.tensor(segment_ids, dtype=torch.int32, device=winner.device)[winner]
    return ids * inside, segments


@torch.no_grad()
def _assign_pixels(scores: Tensor, strips: Iterable[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Assign every pixel to the candidate with the highest class score · mask probability.

    Args:
        scores: (K,) class scores.
        strips: mask logits, (K, rows, W) each; they are overwritten.

    Returns:
        The winner (H, W) int64; True where the pixel is inside the winner's mask (H, W) bool; the area of each mask
        (K,) int64, in pixels; the sum of each candidate's probabilities over the pixels that it wins inside its mask
        (K,) int64, in units of 1 / ``PROBABILITY_UNIT``.
    """
    winners, insides = [], []
    areas, sums = torch.zeros(2, len(scores), dtype=torch.int64, device=scores.device)
    for logits in strips:
        probabilities = logits.sigmoid_()
        products = scores[:, None, None] * probabilities  # (K, rows, W)
        winner = first_largest(products)  # (rows, W)
        winners.append(winner)
        of_winner = probabilities.gather(0, winner[None])[0]  # (rows, W)
        inside = of_winner >= MASK_THRESHOLD
        insides.append(inside)
        is_inside = torch.ge(probabilities, MASK_THRESHOLD, out=products)  # 0 or 1, in floats faster to add
        areas += is_inside.sum(dim=(1, 2), dtype=torch.float32).long()
        units = (of_winner * PROBABILITY_UNIT * inside).round().long()
        sums.index_add_(0, winner.flatten(), units.flatten())
    return torch.cat(winners), torch.cat(insides), areas, sums


def _segments(
    competitors: list[_Competitor], scores: list[float], isthing: tuple[bool, ...], overlap_threshold: float
) -> tuple[list[int], list[dict[str, Any]]]:
    """Number the surviving candidates from 1, in their order; 0 for the others.

    Args:
        competitors: the candidates.
        scores: class probability of each.
        isthing: see :func:`panoptic_inference`.
        overlap_threshold: see :func:`panoptic_inference`.

    Returns:
        The segment id of each candidate, and the segments.
    """
    segment_ids = [0] * len(competitors)
    segments: list[dict[str, Any]] = []
    stuff_ids: dict[int, int] = {}  # label → segment id
    for index, candidate in enumerate(competitors):
        label = candidate.label
        if candidate.inside == 0 or candidate.won / candidate.area < overlap_threshold:
            continue
        if label in stuff_ids:
            segment_ids[index] = stuff_ids[label]
            continue
        segment_id = len(segments) + 1
        segments.append({"id": segment_id, "isthing": isthing[label], "category_id": label, "label_id": label})
        segment_ids[index] = segment_id
        if not isthing[label]:
            stuff_ids[label] = segment_id
    for segment in segments:
        members = [index for index, segment_id in enumerate(segment_ids) if segment_id == segment["id"]]
        total = sum(scores[index] * competitors[index].mask_sum for index in members)
        segment["score"] = total / (PROBABILITY_UNIT * sum(competitors[index].inside for index in members))
    return segment_ids, segments


def _count(values: Tensor, classes: int) -> Tensor:
    """Return the number of occurrences of each of 0 … classes - 1, (classes,) int64."""
    return torch.bincount(values.flatten(), minlength=classes)
