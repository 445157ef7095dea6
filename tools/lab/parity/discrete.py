"""Maps, segments and instances: equal to the reference's, but where its own margin is below the tolerance.

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


class Scored(NamedTuple):
    """What read-outs start from, and how exact it is."""

    logits: Tensor  # (Q, C + 1) log-probabilities, void last
    masks: Tensor  # (Q, H, W) logits
    logit_tolerance: float
    mask_tolerance: float

    @property
    def relative(self) -> float:
        """How far two products of class and mask probability may be apart and still tie, as a share of them."""
        return 2 * (self.logit_tolerance + self.mask_tolerance)


def compare_label_counts(compare: Comparer, stage: str, scores: Tensor, counts: Sequence[int], margin: float) -> Row:
    """Compare how many pixels each class has in the label map.

    Args:
        compare: of the case.
        stage: what it is.
        scores: (C, H, W) semantic scores.
        counts: C of them, the reference's.
        margin: of scores that tie.
    """
    best = scores.topk(2, dim=0).values if len(scores) > 1 else scores.expand(2, -1, -1)
    tied = int((best[0] - best[1] <= margin).sum())
    own = torch.bincount(scores.argmax(dim=0).flatten(), minlength=len(scores))
    moved = int((own - torch.tensor(counts)).abs().sum()) // 2
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
        stage: what it is.
        scored: class scores and masks at the output's size.
        postprocessor: the thresholds.
        isthing: one flag a class.
        golden: (H, W) the reference's map.
        segments: the reference's.
    """
    thresholds = postprocessor.score_threshold, postprocessor.overlap_threshold
    ids, own_segments = panoptic_inference(MaskCandidates(scored.logits, scored.masks), isthing, *thresholds)
    tied, undecided, queries = _panoptic_ties(scored, *thresholds)
    reference = torch.from_numpy(golden.astype(np.int32))
    if own_segments == list(segments):
        different = reference != ids
        return compare.equal(stage, int((different & ~tied).sum()), ties=int((different & tied).sum()))
    # some query is a segment on one side only: ids are shifted, so pixels are compared by the segment that they are in
    sure = ~(tied | undecided)
    different = ids != _renamed(reference, segments, ids, own_segments, sure)
    wrong = int((different & sure).sum()) + max(abs(len(own_segments) - len(segments)) - queries, 0)
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
        stage: what it is.
        instances: ours.
        golden: scores (n,), classes (n,) and masks (n, H, W) bool of the reference.
        scored: class scores and masks at the output's size.
        detections: pairs that were chosen.
    """
    near_threshold = (scored.masks.abs() <= scored.mask_tolerance).flatten(1).sum(dim=1)
    left = list(range(len(instances)))
    missing, ties = 0, 0
    for score, label, mask in zip(*golden, strict=True):
        found = None
        for index in left:
            close = abs(float(instances.scores[index]) - score) <= scored.relative * abs(score) + 1e-6
            if close and int(instances.pred_classes[index]) == label:
                pixels = int((instances.pred_masks[index].numpy() != mask).sum())
                if pixels <= int(near_threshold.max()):
                    found, ties = index, ties + pixels
                    break
        if found is None:
            missing += 1
        else:
            left.remove(found)
    at_the_cut = _pairs_at_the_cut(scored, detections)
    different = max(missing, len(left))
    return compare.equal(stage, max(different - at_the_cut, 0), ties=ties + min(different, at_the_cut))


def _renamed(
    reference: Tensor,
    segments: Sequence[Mapping[str, Any]],
    ids: Tensor,
    own_segments: Sequence[Mapping[str, Any]],
    sure: Tensor,
) -> Tensor:
    """Return the reference's map (H, W) in our ids.

    Each of its segments goes by that of ours which is of the same class and shares most sure pixels with it; -1 where
    there is none.
    """
    category = {segment["id"]: segment["category_id"] for segment in own_segments}
    renamed = torch.where(reference == 0, 0, -1)
    for segment in segments:
        inside = reference == segment["id"]
        shared = ids[inside & sure]
        own = [label for label in shared.unique().tolist() if category.get(label) == segment["category_id"]]
        if own:
            renamed[inside] = max(own, key=lambda label: int((shared == label).sum()))
    return renamed


def _panoptic_ties(scored: Scored, score_threshold: float, overlap_threshold: float) -> tuple[Tensor, Tensor, int]:
    """Return what ties.

    That are the pixels (H, W) that two queries share, those of queries that may or may not become a segment, and how
    many such queries there are.
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
    own = (probabilities >= MASK_THRESHOLD).flatten(1).sum(dim=1)
    pixels = torch.bincount(winner[:, tied].flatten(), minlength=len(votes))  # tied ones that a query may win or lose
    overlap_tied = (won - overlap_threshold * own).abs() <= pixels + near.flatten(1).sum(dim=1)
    top = scored.logits[kept].topk(2, dim=-1).values
    class_tied = top[:, 0] - top[:, 1] <= 2 * scored.logit_tolerance
    undecided = (overlap_tied | class_tied) & (won > 0)
    return tied, undecided[winner[0]], int(undecided.sum())


def _pairs_at_the_cut(scored: Scored, detections: int) -> int:
    """Return how many (query, class) pairs score like the last chosen one."""
    scores = scored.logits.softmax(dim=-1)[:, :-1].flatten().sort(descending=True).values
    if len(scores) <= detections:
        return 0
    last = scores[detections - 1]
    return int(((scores - last).abs() <= scored.relative * last).sum()) - 1
