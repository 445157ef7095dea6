"""Recall of regions: squares counted by hand, and random masks compared with every region."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation import mask_recall
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.mask_recall import MaskRecall, _by_product, _by_runs
from frozenseg.structures.label_runs import Runs

IGNORE = 255
TABLE = ClassTable(("a", "b", "c"), np.zeros(3, dtype=bool), {})
TRUTHS = hnp.arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 2, IGNORE]))
MASKS = st.integers(0, 4).flatmap(lambda count: hnp.arrays(bool, (count, 4, 5)))


@pytest.fixture
def evaluator(metadata):
    return MaskRecall.from_metadata(metadata, seen=[True, True, False])


def proposes(*masks):
    return {"recall_seg": torch.tensor(masks, dtype=torch.bool)}


def test_a_region_counts_at_every_iou_that_a_proposal_exceeds(evaluator, write_labels):
    # cat: 4 pixels, of two animals, 3 met by a proposal of 3: IoU 3/4. dog: 2 pixels in one of 3: 2/3. sky: missed
    truth = [[0, 0, 2, 0, 0], [1, 1, IGNORE, 2, 2]]
    cat, dog = [[1, 1, 0, 1, 0], [0] * 5], [[0] * 5, [1, 1, 1, 0, 0]]
    evaluator.process([write_labels(truth)], [proposes(cat, dog)])
    results = evaluator.evaluate()["recall_seg"]
    assert results["Recall@IoU=0.50"] == pytest.approx(100 * 2 / 3)
    assert results["Recall@IoU=0.75"] == results["Recall@IoU=0.90"] == 0  # 3/4 does not exceed 0.75
    assert (results["S_Recall@IoU=0.50"], results["U_Recall@IoU=0.50"]) == (100, 0)
    assert results["feline_Recall@IoU=0.50"] == 100
    assert evaluator.per_class == {"Recall@IoU=0.50": {"cat": 100, "dog": 100, "sky": 0}}


@pytest.mark.parametrize(("hit", "expected"), [(10, [100, 100, 100]), (9, [100, 100, 0]), (5, [0, 0, 0])])
def test_thresholds_must_be_exceeded(evaluator, write_labels, hit, expected):
    evaluator.process([write_labels([[0] * 10])], [proposes([[1] * hit + [0] * (10 - hit)])])
    results = evaluator.evaluate()["recall_seg"]
    assert [results[f"Recall@IoU={threshold}"] for threshold in ("0.50", "0.75", "0.90")] == expected


def test_logits_are_masks_where_they_are_positive(evaluator, write_labels):
    logits = torch.tensor([[[0.1, 9.0, 0.0, -3.0]]])
    actual = evaluator.describe(write_labels([[0, 0, 1, 1]]), {"recall_seg": logits})
    assert actual == {"classes": [0, 1], "iou": [1.0, 0.0]}
    assert evaluator.image_score(actual) == 0.5


def test_every_region_of_every_process_counts_alike(metadata, write_labels, monkeypatch):
    first, second = (MaskRecall.from_metadata(metadata, [True, True, False]) for _ in range(2))
    first.process([write_labels([[0, 1]], image_id=1)], [proposes([[1, 0]])])
    second.process([write_labels([[0, 0]], image_id=2)], [proposes([[1, 1]])])
    second.process([write_labels([[0, 2]], image_id=3)], [{"recall_seg": torch.zeros(0, 1, 2)}])
    shares = iter([torch.from_numpy(second._regions), torch.from_numpy(second._matched)])
    monkeypatch.setattr(distributed, "sum_over_ranks", lambda mine: mine + next(shares))
    results = first.evaluate()["recall_seg"]
    assert results["Recall@IoU=0.50"] == pytest.approx(100 * 2 / 5)
    assert (results["S_Recall@IoU=0.90"], results["U_Recall@IoU=0.90"]) == (pytest.approx(50), 0)
    assert first.per_class["Recall@IoU=0.50"] == pytest.approx({"cat": 200 / 3, "dog": 0, "sky": 0})


def test_sam_masks_meet_what_queries_have_missed(evaluator, write_labels):
    both = proposes([[1, 0, 0, 0]]) | {"sam_masks": torch.tensor([[[-1.0, -1.0, 5.0, 5.0]], [[-1.0, 5.0, 5.0, 5.0]]])}
    actual = evaluator.describe(write_labels([[0, 1, 2, 2]], image_id=1), both)
    assert actual == {"classes": [0, 1, 2], "iou": [1, 0, 0], "iou_with_sam_masks": [1, pytest.approx(1 / 3), 1]}
    evaluator.add(actual)
    evaluator.process([write_labels([[0, 2, 2, 2]], image_id=2)], [proposes([[1, 0, 0, 0]])])  # SAM found nothing here
    results = evaluator.evaluate()
    assert results["recall_seg"]["Recall@IoU=0.90"] == pytest.approx(100 * 2 / 5)
    assert results["recall_seg_with_sam_masks"]["Recall@IoU=0.90"] == pytest.approx(100 * 3 / 5)
    assert results["recall_seg_with_sam_masks"]["U_Recall@IoU=0.50"] == 50
    evaluator.reset()
    evaluator.process([write_labels([[0, 2, 2, 2]], image_id=2)], [proposes([[1, 0, 0, 0]])])
    assert evaluator.evaluate().keys() == {"recall_seg"}


def test_nothing_at_all_has_no_recall(evaluator, write_labels):
    actual = evaluator.describe(write_labels([[IGNORE, IGNORE]]), proposes([[1, 0]]))
    assert actual == {"classes": [], "iou": []}
    evaluator.add(actual)
    assert np.isnan(evaluator.image_score(actual))
    assert np.isnan(list(evaluator.evaluate()["recall_seg"].values())).all()
    assert evaluator.per_class == {"Recall@IoU=0.50": {}}


@given(TRUTHS, MASKS)
def test_the_best_iou_of_every_region(truth, masks):
    evaluator = MaskRecall(TABLE)
    record = {"ground_truth": {"labels": Runs.of(truth)}}
    actual = evaluator.describe(record, {"recall_seg": torch.from_numpy(masks)})
    expected = {}
    for label in {0, 1, 2} & set(truth.ravel().tolist()):
        region = truth == label
        expected[label] = max([(mask & region).sum() / (mask | region).sum() for mask in masks], default=0)
    assert dict(zip(actual["classes"], actual["iou"], strict=True)) == expected
    assert json.loads(json.dumps(actual)) == actual


@given(TRUTHS, MASKS)
def test_both_ways_of_counting_agree(truth, masks):
    regions, proposals = Runs.of((truth % 4).astype(np.int64)), torch.from_numpy(masks)  # ignored: 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mask_recall, "PIXELS_AT_ONCE", 7)
        product = _by_product(proposals, regions, 4)
    assert (product == _by_runs(proposals, regions, 4)).all()


def test_bad_truth_and_proposals_are_named(evaluator, write_labels):
    record = write_labels([[0, 9]], image_id="street_7")
    with pytest.raises(DataError, match="image of image street_7 holds the value 9: expected 0 to 2, or 255"):
        evaluator.describe(record, proposes([[1, 1]]))
    good = write_labels([[0, 1]], image_id="street_8")
    with pytest.raises(DataError, match=r"recall_seg for image street_8 has shape \(1, 1, 1\), expected .*, 1, 2\)"):
        evaluator.describe(good, proposes([[1]]))
    with pytest.raises(DataError, match=r"sam_masks for image street_8 has shape \(1, 2\)"):
        evaluator.describe(good, proposes([[1, 0]]) | {"sam_masks": torch.ones(1, 2)})
    with pytest.raises(DataError, match="image street_7 has no recall_seg: set .*RECALL_ON"):
        evaluator.describe(record, {})
    with pytest.raises(DataError, match="no sem_seg_file_name"):
        evaluator.describe({"image_id": 3}, proposes([[1]]))
