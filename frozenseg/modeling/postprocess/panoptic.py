"""The panoptic read-out: every pixel goes to one query, queries become segments.

Letters: Q queries, C classes, H×W the image, K queries that are kept.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates

INSIDE = 0.5


def panoptic_inference(
    candidates: MaskCandidates, isthing: tuple[bool, ...], score_threshold: float, overlap_threshold: float
) -> tuple[Tensor, list[dict[str, Any]]]:
    """Turn queries into a panoptic map (MaskFormer, Cheng et al. 2021, section 3.4).

    Args:
        candidates: the queries, and proposals that compete with them.
        isthing: one flag a class; segments of one stuff class become one.
        score_threshold: queries whose best class scores no higher are dropped.
        overlap_threshold: a segment that wins less than this share of its own mask is dropped.

    Returns:
        An (H, W) int32 map of ids, 0 where nothing is, and for each id from 1
        ``{"id": int, "isthing": bool, "category_id": int}``.
    """
    probabilities = candidates.probabilities()  # (Q, C + 1)
    scores, labels = probabilities.max(dim=-1)  # (Q,)
    kept = ((labels != probabilities.shape[-1] - 1) & (scores > score_threshold)).nonzero()[:, 0]  # (K,)
    if len(kept) == 0:
        return torch.zeros(candidates.masks.shape[-2:], dtype=torch.int32, device=scores.device), []
    winner, inside, own = _compete(scores[kept], candidates.strips(kept))  # (H, W), (H, W), (K,)
    counts = torch.stack([_count(winner, len(kept)), own, _count(winner[inside], len(kept)), labels[kept]]).tolist()
    id_of_query, segments = _segments(*counts, isthing=isthing, overlap_threshold=overlap_threshold)
    ids = torch.tensor(id_of_query, dtype=torch.int32, device=winner.device)[winner]
    return ids * inside, segments


def _compete(scores: Tensor, strips: Iterable[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Give every pixel to the candidate with the highest score · mask probability.

    Args:
        scores: (K,) class scores.
        strips: the mask logits, (K, rows, W) each.

    Returns:
        The winner (H, W) int64; whether the pixel lies inside its mask (H, W) bool; pixels of each mask (K,) int64.
    """
    winners, insides, own = [], [], torch.zeros_like(scores, dtype=torch.int64)
    for logits in strips:
        probabilities = logits.sigmoid()
        winner = (scores[:, None, None] * probabilities).argmax(dim=0)  # (rows, W)
        winners.append(winner)
        insides.append(probabilities.gather(0, winner[None])[0] >= INSIDE)
        own += (probabilities >= INSIDE).flatten(1).sum(dim=1)
    return torch.cat(winners), torch.cat(insides), own


def _segments(
    won: list[int],
    own: list[int],
    won_inside: list[int],
    labels: list[int],
    *,
    isthing: tuple[bool, ...],
    overlap_threshold: float,
) -> tuple[list[int], list[dict[str, Any]]]:
    """Give every surviving query an id, in the order of the queries; 0 to the others."""
    id_of_query, segments = [0] * len(won), []
    id_of_stuff: dict[int, int] = {}
    for query, label in enumerate(labels):
        if won_inside[query] == 0 or won[query] / own[query] < overlap_threshold:
            continue
        if label in id_of_stuff:
            id_of_query[query] = id_of_stuff[label]
            continue
        segment = {"id": len(segments) + 1, "isthing": isthing[label], "category_id": label}
        segments.append(segment)
        id_of_query[query] = segment["id"]
        if not isthing[label]:
            id_of_stuff[label] = segment["id"]
    return id_of_query, segments


def _count(values: Tensor, classes: int) -> Tensor:
    """Return how often each of 0 … classes - 1 occurs, (classes,) int64."""
    return torch.bincount(values.flatten(), minlength=classes)
