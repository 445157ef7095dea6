"""Discrete outputs: equal, or different where the margin is below the tolerance."""

import numpy as np
import pytest
import torch

from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates
from frozenseg.modeling.postprocess.instance import instance_inference
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from lab.parity.compare import Comparer
from lab.parity.discrete import Scored, compare_instances, compare_label_counts, compare_panoptic

COMPARE = Comparer("case")
READ_OUT = Postprocessor(overlap_threshold=0.6)
THINGS = (True, False)


def scored(difference: float = 0.0, score_gap: float = 2.0) -> Scored:
    """Two queries of classes 0 and 1 share one row of four pixels; on pixel 1 they are ``difference`` apart."""
    logits = torch.tensor([[score_gap, 0.0, -9.0], [0.0, score_gap, -9.0]])
    masks = torch.tensor([[[5.0, 1.0 + difference, -5.0, -5.0]], [[-5.0, 1.0, 5.0, 5.0]]])
    return Scored(logits, masks, 1e-4, 1e-4)


SEGMENTS = [{"id": 1, "isthing": True, "category_id": 0}, {"id": 2, "isthing": False, "category_id": 1}]


@pytest.mark.parametrize(
    ("difference", "golden", "differences", "ties"),
    [
        (0.5, [1, 1, 2, 2], 0, 0),
        (0.5, [1, 2, 2, 2], 1, 0),  # a sure pixel on the other side
        (1e-5, [1, 1, 2, 2], 0, 0),
        (1e-5, [1, 2, 2, 2], 0, 1),  # a tied one
    ],
)
def test_panoptic_pixels(difference: float, golden: list[int], differences: int, ties: int) -> None:
    row = compare_panoptic(
        COMPARE, "pan", scored(difference), READ_OUT, THINGS, np.array([golden], np.uint16), SEGMENTS
    )
    assert (row.maximum, row.ties, row.passed) == (differences, ties, differences == 0)


def test_panoptic_segments() -> None:
    ids = np.array([[1, 1, 2, 2]], np.uint16)
    wrong = [SEGMENTS[0], {"id": 2, "isthing": False, "category_id": 0}]
    assert not compare_panoptic(COMPARE, "pan", scored(0.5), READ_OUT, THINGS, ids, wrong).passed
    undecided = compare_panoptic(COMPARE, "pan", scored(0.5, score_gap=1e-5), READ_OUT, THINGS, ids, wrong)
    assert undecided.passed  # the best class of either query is a tie
    assert undecided.ties == 2


def test_an_undecided_query_excuses_nothing_but_itself() -> None:
    """Two queries tie for class; the third is sure, and a map without it is wrong."""
    logits = torch.tensor([[2.0, 2.0, -9.0], [5.0, 0.0, -9.0]])
    masks = torch.tensor([[[5.0, -5.0, -5.0, -5.0]], [[-5.0, -5.0, 5.0, 5.0]]])
    given = Scored(logits, masks, 1e-4, 1e-4)
    thing = {"isthing": True, "category_id": 0}
    nothing = compare_panoptic(COMPARE, "pan", given, READ_OUT, (True, True), np.zeros((1, 4), np.uint16), [])
    assert (nothing.maximum, nothing.passed) == (3, False)  # two sure pixels, and a segment more than may be missing
    without_the_first = np.array([[0, 0, 1, 1]], np.uint16)
    row = compare_panoptic(COMPARE, "pan", given, READ_OUT, (True, True), without_the_first, [{"id": 1, **thing}])
    assert (row.passed, row.ties) == (True, 1)


def instances_of(given: Scored, count: int = 2) -> tuple:
    found = instance_inference(MaskCandidates(given.logits, given.masks), count, THINGS)
    return found, (found.scores.numpy().copy(), found.pred_classes.numpy().copy(), found.pred_masks.numpy().copy())


def test_instances_as_a_set() -> None:
    given = scored(0.5)
    instances, (scores, classes, masks) = instances_of(given, 4)
    order = [*range(len(scores))][::-1]
    same = (scores[order], classes[order], masks[order])
    assert compare_instances(COMPARE, "inst", instances, same, given, 4).passed
    masks[0, 0, 0] = ~masks[0, 0, 0]
    row = compare_instances(COMPARE, "inst", instances, (scores, classes, masks), given, 4)
    assert (row.maximum, row.passed) == (1, False)


def test_an_instance_too_few_is_a_difference_unless_it_ties_at_the_cut() -> None:
    given = scored(0.5)
    instances, (scores, classes, masks) = instances_of(given, 4)
    fewer = (scores[:1], classes[:1], masks[:1])
    assert not compare_instances(COMPARE, "inst", instances, fewer, given, 4).passed
    even = Scored(torch.tensor([[1.0, 0.0, -9.0], [1.0, 0.0, -9.0]]), given.masks, 1e-4, 1e-4)
    one, golden = instances_of(even, 1)
    other = (golden[0] * 0 + 0.5, golden[1], ~golden[2])  # the other query came out on top
    row = compare_instances(COMPARE, "inst", one, other, even, 1)
    assert (row.passed, row.ties) == (True, 1)


@pytest.mark.parametrize(("counts", "differences", "ties"), [([2, 1], 0, 0), ([1, 2], 0, 1), ([0, 3], 1, 1)])
def test_label_counts(counts: list[int], differences: int, ties: int) -> None:
    scores = torch.tensor([[[1.0, 1.0, 0.0]], [[0.0, 1.0 - 1e-6, 1.0]]])  # the middle pixel ties
    row = compare_label_counts(COMPARE, "labels", scores, counts, margin=1e-4)
    assert (row.maximum, row.ties) == (differences, ties)
