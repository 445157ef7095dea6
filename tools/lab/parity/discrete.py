"""Comparison of discrete outputs (label maps, segments, instances), with ties counted separately.

Letters: Q queries, C classes, H×W the image, n instances.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates
from frozenseg.modeling.postprocess.panoptic import MASK_THRESHOLD, panoptic_inference
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.structures.instances import Instances
from lab.parity.compare import Array, Comparer, Row

SEGMENT_KEYS = ("id", "isthing", "category_id")  # of a recorded segment; the reference has no scores


class Scored(NamedTuple):
    """Inputs of post-processing, with their tolerances."""

    logits: Tensor  # (Q, C + 1) log-probabilities, void last
    masks: Tensor  # (Q, H, W) logits
    logit_tolerance: float
    mask_tolerance: float

    @property
    def relative(self) -> float:
        """Relative difference of two products of class and mask probability that is a tie."""
        return 2 * (self.logit_tolerance + self.mask_tolerance)


def compare_label_counts(compare: Comparer, stage: str, scores: Tensor, counts: Sequence[int], margin: float) -> Row:
    """Compare the number of pixels of each class in the label map.

    Args:
        compare: of the case.
        stage: name of the map.
        scores: (C, H, W) semantic scores.
        counts: C pixel counts of the reference.
        margin: difference of scores that is a tie.
    """
    best = scores.topk(2, dim=0).values if len(scores) > 1 else scores.expand(2, -1, -1)
    tied = int((best[0] - best[1] <= margin).sum())
    actual = torch.bincount(scores.argmax(dim=0).flatten(), minlength=len(scores))
    moved = int((actual - torch.tensor(counts)).abs().sum()) // 2
    return compare.equal(stage, max(moved - tied, 0), ties=min(moved, tied))


def compare_panoptic(
    compare: Comparer,
    stage: str,
    scored: Scored,
    postprocessor: Postprocessor,
    isthing: tuple[bool, ...],
    golden: Array,
    segments: Sequence[Mapping[str, Any]],
) -> Row:
    """Compare a panoptic map (H, W) and its segments.

    Args:
        compare: of the case.
        stage: name of the map.
        scored: class scores and masks at output size.
        postprocessor: with the thresholds.
        isthing: True for thing classes.
        golden: (H, W) map of the reference.
        segments: of the reference.
    """
    thresholds = postprocessor.score_threshold, postprocessor.overlap_threshold
    ids, our_segments = panoptic_inference(MaskCandidates(scored.logits, scored.masks), isthing, *thresholds)
    tied, undecided, queries = _panoptic_ties(scored, *thresholds)
    reference = torch.from_numpy(golden.astype(np.int32))
    if recorded_segments(our_segments) == list(segments):
        different = reference != ids
        return compare.equal(stage, int((different & ~tied).sum()), ties=int((different & tied).sum()))
    # a query is a segment in one of the outputs only, so ids are shifted: pixels are compared by their segments
    certain = ~(tied | undecided)
    different = ids != _renamed(reference, segments, ids, our_segments, certain)
    wrong = int((different & certain).sum()) + max(abs(len(our_segments) - len(segments)) - queries, 0)
    return compare.equal(stage, wrong if queries else max(wrong, 1), ties=queries)


def compare_instances(
    compare: Comparer,
    stage: str,
    instances: Instances,
    golden: tuple[Array, Array, Array],
    scored: Scored,
    detections: int,
) -> Row:
    """Compare instances as a set.

    Args:
        compare: of the case.
        stage: name of the instances.
        instances: our instances.
        golden: scores (n,), classes (n,) and masks (n, H, W) bool of the reference.
        scored: class scores and masks at output size.
        detections: number of selected (query, class) pairs.
    """
    near_threshold = (scored.masks.abs() <= scored.mask_tolerance).flatten(1).sum(dim=1)
    unmatched = list(range(len(instances)))
    missing, ties = 0, 0
    for score, label, mask in zip(*golden, strict=True):
        match = None
        for index in unmatched:
            close = abs(float(instances.scores[index]) - score) <= scored.relative * abs(score) + 1e-6
            if close and int(instances.pred_classes[index]) == label:
                pixels = int((instances.pred_masks[index].numpy() != mask).sum())
                if pixels <= int(near_threshold.max()):
                    match, ties = index, ties + pixels
                    break
        if match is None:
            missing += 1
        else:
            unmatched.remove(match)
    tied_pairs = _tied_pairs(scored, detections)
    different = max(missing, len(unmatched))
    return compare.equal(stage, max(different - tied_pairs, 0), ties=ties + min(different, tied_pairs))


def recorded_segments(segments: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return segments as goldens have them, with :data:`SEGMENT_KEYS` only."""
    return [{key: segment[key] for key in SEGMENT_KEYS} for segment in segments]


def _renamed(
    reference: Tensor,
    segments: Sequence[Mapping[str, Any]],
    ids: Tensor,
    our_segments: Sequence[Mapping[str, Any]],
    certain: Tensor,
) -> Tensor:
    """Return the map of the reference (H, W) with our segment ids.

    Each of its segments gets the id of our segment with the same class and the most common certain pixels, or -1
    without such a segment.
    """
    category = {segment["id"]: segment["category_id"] for segment in our_segments}
    renamed = torch.where(reference == 0, 0, -1)
    for segment in segments:
        inside = reference == segment["id"]
        shared = ids[inside & certain]
        candidates = [label for label in sorted(set(shared.tolist())) if category.get(label) == segment["category_id"]]
        if candidates:
            renamed[inside] = max(candidates, key=lambda label: int((shared == label).sum()))
    return renamed


def _panoptic_ties(scored: Scored, score_threshold: float, overlap_threshold: float) -> tuple[Tensor, Tensor, int]:
    """Return the ties of panoptic post-processing.

    Returns:
        Tied pixels (H, W) between two queries, pixels (H, W) of queries that are a segment or not by a tie, and the
        number of these queries.
    """
    scores, labels = scored.logits.softmax(dim=-1).max(dim=-1)  # (Q,)
    kept = (labels != scored.logits.shape[-1] - 1) & (scores > score_threshold)
    masks, scores = scored.masks[kept], scores[kept]
    if len(scores) == 0:
        nothing = torch.zeros(masks.shape[-2:], dtype=torch.bool)
        return nothing, nothing, 0
    probabilities = masks.sigmoid()
    votes = scores[:, None, None] * probabilities
    best, winner = votes.topk(min(2, len(votes)), dim=0)
    tied = best[0] - best[-1] <= scored.relative * best[0] if len(votes) > 1 else torch.zeros_like(best[0]).bool()
    near = masks.abs() <= scored.mask_tolerance
    tied = tied | near.gather(0, winner[:1])[0]
    won = torch.bincount(winner[0].flatten(), minlength=len(votes))
    areas = (probabilities >= MASK_THRESHOLD).flatten(1).sum(dim=1)
    pixels = torch.bincount(winner[:, tied].flatten(), minlength=len(votes))  # tied pixels that a query may win or lose
    overlap_tied = (won - overlap_threshold * areas).abs() <= pixels + near.flatten(1).sum(dim=1)
    top = scored.logits[kept].topk(2, dim=-1).values
    class_tied = top[:, 0] - top[:, 1] <= 2 * scored.logit_tolerance
    undecided = (overlap_tied | class_tied) & (won > 0)
    return tied, undecided[winner[0]], int(undecided.sum())


def _tied_pairs(scored: Scored, detections: int) -> int:
    """Return the number of (query, class) pairs with the same score as the last selected one."""
    scores = scored.logits.softmax(dim=-1)[:, :-1].flatten().sort(descending=True).values
    if len(scores) <= detections:
        return 0
    last = scores[detections - 1]
    return int(((scores - last).abs() <= scored.relative * last).sum()) - 1
