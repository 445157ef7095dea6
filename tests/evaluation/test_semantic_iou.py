"""mIoU and the other semantic scores of images of a few pixels."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.semantic_iou import SemanticIoU
from frozenseg.structures.label_runs import Runs

IGNORE = 255


def scores(labels):
    """Return (3, H, W) scores whose best class is ``labels``."""
    return [{"sem_seg": torch.nn.functional.one_hot(torch.tensor(labels), 3).permute(2, 0, 1).float()}]


def test_labels_count_like_scores(metadata, write_labels):
    truth, guess = [[0, 0, 0], [1, 1, IGNORE]], [[0, 0, 1], [1, 0, 2]]
    results = []
    for outputs in (scores(guess), [{"sem_seg": torch.tensor(guess)}]):
        evaluator = SemanticIoU.from_metadata(metadata, seen=[True, True, False])
        evaluator.process([write_labels(truth)], outputs)
        results.append(evaluator.evaluate()["sem_seg"]["mIoU"])
    assert results[0] == results[1] > 0


@pytest.fixture
def evaluator(metadata):
    return SemanticIoU.from_metadata(metadata, seen=[True, True, False])


def test_the_table_of_a_hand_worked_picture(evaluator, write_labels):
    # cat: 3 true, 2 hit, 1 taken from dog; dog: 2 true, 1 hit, 1 taken from cat; sky: only predicted; one ignored
    truth = [[0, 0, 0], [1, 1, IGNORE]]
    guess = [[0, 0, 1], [1, 0, 2]]
    evaluator.process([write_labels(truth)], scores(guess))
    results = evaluator.evaluate()["sem_seg"]
    cat, dog = 2 / 4, 1 / 3
    assert results["mIoU"] == pytest.approx(100 * (cat + dog) / 2)
    assert results["fwIoU"] == pytest.approx(100 * (cat * 3 + dog * 2) / 5)
    assert results["mACC"] == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)
    assert results["pACC"] == pytest.approx(100 * 3 / 5)
    assert results["S_mIoU"] == results["mIoU"]
    assert np.isnan(results["U_mIoU"])
    assert results["feline_mIoU"] == pytest.approx(100 * cat)
    assert evaluator.per_class == {
        "IoU": pytest.approx({"cat": 50, "dog": 100 / 3}),
        "ACC": pytest.approx({"cat": 200 / 3, "dog": 50}),
    }


def test_a_class_predicted_but_never_annotated_hurts_only_where_it_lies(evaluator, write_labels):
    evaluator.process([write_labels([[0, 0]])], scores([[0, 2]]))
    results = evaluator.evaluate()["sem_seg"]
    assert results["mIoU"] == results["pACC"] == pytest.approx(50)
    assert results["mIoU_occurring"] == pytest.approx(25)  # the older rule
    assert (results["S_mIoU_occurring"], results["U_mIoU_occurring"]) == (pytest.approx(50), 0)


def test_images_are_summed_before_division(evaluator, write_labels, monkeypatch):
    evaluator.process([write_labels([[0, 0]], image_id=1)], scores([[0, 0]]))
    evaluator.process([write_labels([[0, 0]], image_id=2)], scores([[1, 1]]))
    assert evaluator.evaluate()["sem_seg"]["mIoU"] == pytest.approx(50)
    monkeypatch.setattr(distributed, "sum_over_ranks", lambda mine: 2 * mine)
    assert evaluator.evaluate()["sem_seg"]["mIoU"] == pytest.approx(50)
    evaluator.reset()
    assert np.isnan(list(evaluator.evaluate()["sem_seg"].values())).all()


@given(
    hnp.arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 2, IGNORE])),
    hnp.arrays(np.int64, (4, 5), elements=st.integers(0, 2)),
)
def test_pixels_are_counted_by_pairs_of_classes(truth, predicted):
    evaluator = SemanticIoU(ClassTable(("a", "b", "c"), np.zeros(3, dtype=bool), {}))
    counted = evaluator.describe({"ground_truth": {"labels": Runs.of(truth)}}, {"sem_seg": torch.from_numpy(predicted)})
    expected = {}
    for true, guess in zip(truth.ravel().tolist(), predicted.ravel().tolist(), strict=True):
        if true != IGNORE:
            expected[true, guess] = expected.get((true, guess), 0) + 1
    actual = zip(counted["true"], counted["predicted"], counted["pixels"], strict=True)
    assert {(true, guess): pixels for true, guess, pixels in actual} == expected
    assert json.loads(json.dumps(counted)) == counted
    evaluator.add(counted)
    score = evaluator.evaluate()["sem_seg"]["mIoU"] / 100
    assert evaluator.image_score(counted) == pytest.approx(score, nan_ok=True)


def test_labels_that_begin_at_one(evaluator, write_labels):
    other = SemanticIoU(evaluator.table, ignore_label=0, first_label=1)
    other.process([write_labels([[0, 1, 2, 3]])], scores([[0, 0, 1, 0]]))
    assert other.evaluate()["sem_seg"]["pACC"] == pytest.approx(100 * 2 / 3)
    with pytest.raises(DataError, match="holds the value 4: expected 1 to 3, or 0"):
        other.process([write_labels([[4]])], scores([[0]]))


def test_bad_truth_and_prediction_are_named(evaluator, write_labels):
    record = write_labels([[0, 9]], image_id="street_7")
    with pytest.raises(DataError, match="image of image street_7 holds the value 9: expected 0 to 2, or 255"):
        evaluator.process([record], scores([[0, 0]]))
    with pytest.raises(DataError, match=r"sem_seg for image street_7 has shape \(3, 1, 1\), expected \(3, 1, 2\)"):
        evaluator.process([record], scores([[0]]))
    with pytest.raises(DataError, match="prediction for image street_7 has labels from 0 to 3: expected 0 to 2"):
        evaluator.process([write_labels([[0, 1]], image_id="street_7")], [{"sem_seg": torch.tensor([[0, 3]])}])
    with pytest.raises(DataError, match=r"sem_seg for image street_7 has scores that are not numbers \(NaN\)"):
        evaluator.process(
            [write_labels([[0, 1]], image_id="street_7")], [{"sem_seg": scores([[0, 0]])[0]["sem_seg"] * float("nan")}]
        )
    with pytest.raises(DataError, match="no sem_seg: set .*SEMANTIC_ON"):
        evaluator.process([record], [{}])
    with pytest.raises(DataError, match="no sem_seg_file_name"):
        evaluator.process([{"image_id": 3}], scores([[0]]))
