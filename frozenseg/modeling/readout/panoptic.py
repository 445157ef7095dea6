"""The panoptic read-out: every pixel goes to one query, queries become segments.

Letters: Q queries, C classes, H×W the image, K queries that are kept.
"""

from typing import Any

import torch
from torch import Tensor

INSIDE = 0.5


def panoptic_readout(
    logits: Tensor, masks: Tensor, isthing: tuple[bool, ...], score_threshold: float, overlap_threshold: float
) -> tuple[Tensor, list[dict[str, Any]]]:
    """Turn queries into a panoptic map (MaskFormer, Cheng et al. 2021, section 3.4).

    Args:
        logits: (Q, C + 1) class scores as logits, void last.
        masks: (Q, H, W) mask logits.
        isthing: one flag a class; segments of one stuff class become one.
        score_threshold: queries whose best class scores no higher are dropped.
        overlap_threshold: a segment that wins less than this share of its own mask is dropped.

    Returns:
        An (H, W) int32 map of ids, 0 where nothing is, and for each id from 1
        ``{"id": int, "isthing": bool, "category_id": int}``.
    """
    scores, labels = logits.softmax(dim=-1).max(dim=-1)  # (Q,)
    kept = (labels != logits.shape[-1] - 1) & (scores > score_threshold)
    scores, labels, probabilities = scores[kept], labels[kept], masks[kept].sigmoid()  # (K,), (K,), (K, H, W)
    if len(scores) == 0:
        return torch.zeros(masks.shape[-2:], dtype=torch.int32, device=masks.device), []
    winner = (scores[:, None, None] * probabilities).argmax(dim=0)  # (H, W)
    inside = probabilities.gather(0, winner[None])[0] >= INSIDE  # (H, W)
    counts = torch.stack(
        [
            _count(winner, len(scores)),  # pixels won
            (probabilities >= INSIDE).flatten(1).sum(dim=1),  # pixels of the mask itself
            _count(winner[inside], len(scores)),  # pixels won inside the mask
            labels,
        ]
    ).tolist()
    id_of_query, segments = _segments(*counts, isthing=isthing, overlap_threshold=overlap_threshold)
    ids = torch.tensor(id_of_query, dtype=torch.int32, device=masks.device)[winner]
    return ids * inside, segments


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
