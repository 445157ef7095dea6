"""PQ of maps computed by hand, and compared with a slow version of panopticapi's definition."""

from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.panoptic_matching import PanopticMap, count_matches
from frozenseg.evaluation.panoptic_quality import PanopticQuality

CLASSES = 3


def segment(number, category, area=0, iscrowd=0):
    return {"id": number, "category_id": category, "area": area, "iscrowd": iscrowd}


def with_areas(ids, segments):
    """Set each segment's area to its pixels."""
    ids = np.array(ids)
    return [{**entry, "area": int((ids == entry["id"]).sum())} for entry in segments]


def count(truth_ids, truth, predicted_ids, predicted):
    return count_matches(
        PanopticMap.from_segments(np.array(truth_ids), truth),
        PanopticMap.from_segments(np.array(predicted_ids), predicted),
        CLASSES,
    )


def region(ids, number):
    """The set of a segment's pixels."""
    return {pixel for pixel in np.ndindex(*ids.shape) if ids[pixel] == number}


def slow_matches(truth_ids, truth, predicted_ids, predicted):
    """All pairs that match, as (true segment, predicted segment, IoU), pair by pair."""
    for true in truth:
        for guess in predicted:
            annotated, guessed = region(truth_ids, true["id"]), region(predicted_ids, guess["id"])
            common = len(annotated & guessed)
            if true["iscrowd"] or true["category_id"] != guess["category_id"] or common == 0:
                continue
            iou = common / (len(guessed) + true["area"] - common - len(guessed & region(truth_ids, 0)))
            if iou > 0.5:
                yield true, guess, iou


def slow_count(truth_ids, truth, predicted_ids, predicted):
    """The definition, segment by segment, on sets of pixels."""
    tp, fp, fn, iou = (defaultdict(float) for _ in range(4))
    matches = list(slow_matches(truth_ids, truth, predicted_ids, predicted))
    for true, _, overlap in matches:
        tp[true["category_id"]] += 1
        iou[true["category_id"]] += overlap
    for true in truth:
        if not true["iscrowd"] and all(true is not actual for actual, _, _ in matches):
            fn[true["category_id"]] += 1
    crowd_of = {true["category_id"]: region(truth_ids, true["id"]) for true in truth if true["iscrowd"]}
    for guess in predicted:
        guessed = region(predicted_ids, guess["id"])
        excused = len(guessed & region(truth_ids, 0)) + len(guessed & crowd_of.get(guess["category_id"], set()))
        if all(guess is not used for _, used, _ in matches) and excused / len(guessed) <= 0.5:
            fp[guess["category_id"]] += 1
    return [[counter[label] for label in range(CLASSES)] for counter in (tp, fp, fn, iou)]


@st.composite
def scenes(draw):
    """Small id maps with everything that occurs: void, crowds, unlisted ids, annotated areas that are off."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    numbers = draw(st.lists(st.sampled_from([1, 2, 7, 300, 70000, 16777215]), min_size=1, max_size=4, unique=True))
    truth_ids = draw(hnp.arrays(np.int64, shape, elements=st.sampled_from([0, *numbers])))
    # near copies make matches likely; free maps make everything else
    free = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 4)))
    keep = draw(hnp.arrays(bool, shape, elements=st.booleans()))
    copy = np.vectorize({number: index for index, number in enumerate([0, *numbers])}.get)(truth_ids)
    predicted_ids = np.where(keep, copy, free)
    labels = st.integers(0, CLASSES - 1)
    unlisted = draw(st.booleans())
    truth = [
        segment(
            number, draw(labels), int((truth_ids == number).sum()) + draw(st.integers(0, 3)) or 1, draw(st.booleans())
        )
        for number in numbers[unlisted:]
    ]
    shared = {index: entry["category_id"] for index, entry in enumerate(truth, start=1 + unlisted)}
    predicted = [
        segment(int(number), shared.get(int(number), 0) if draw(st.booleans()) else draw(labels))
        for number in np.unique(predicted_ids)
        if number != 0
    ]
    return truth_ids, truth, predicted_ids, predicted


@given(scenes())
@settings(max_examples=150, deadline=None)
def test_counts_equal_the_slow_rendering(scene):
    fast, slow = count(*scene), slow_count(*scene)
    for name, ours, theirs in zip(("tp", "fp", "fn"), fast[:3], slow[:3], strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=name)
    np.testing.assert_allclose(fast.iou, slow[3], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("truth_ids", "truth", "predicted_ids", "predicted", "expected"),
    [
        # the same segment under another id: IoU 1
        (
            [[5, 5, 0, 0]],
            [segment(5, 0)],
            [[1, 1, 0, 0]],
            [segment(1, 0)],
            ([1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]),
        ),
        # 2 of 4 pixels: an IoU of exactly one half is no match
        ([[5, 5, 5, 5]], [segment(5, 0)], [[1, 1, 0, 0]], [segment(1, 0)], ([0] * 3, [1, 0, 0], [1, 0, 0], [0] * 3)),
        # 3 of 4 pixels
        ([[5, 5, 5, 5]], [segment(5, 0)], [[1, 1, 1, 0]], [segment(1, 0)], ([1, 0, 0], [0] * 3, [0] * 3, [0.75, 0, 0])),
        # the right place, the wrong class
        ([[5, 5]], [segment(5, 0)], [[1, 1]], [segment(1, 1)], ([0] * 3, [0, 1, 0], [1, 0, 0], [0] * 3)),
        # void pixels are not in the union: 2 / (4 + 2 - 2 - 2)
        ([[5, 5, 0, 0]], [segment(5, 0)], [[1, 1, 1, 1]], [segment(1, 0)], ([1, 0, 0], [0] * 3, [0] * 3, [1, 0, 0])),
        # 2 of 3 pixels in void: no false positive
        ([[0, 0, 5]], [segment(5, 1)], [[1, 1, 1]], [segment(1, 0)], ([0] * 3, [0] * 3, [0, 1, 0], [0] * 3)),
        # exactly half in void: a false positive
        ([[0, 0, 5, 5]], [segment(5, 1)], [[1, 1, 1, 1]], [segment(1, 0)], ([0] * 3, [1, 0, 0], [0, 1, 0], [0] * 3)),
        # in the crowd of its class: nothing, and the crowd is not missed
        ([[9, 9]], [segment(9, 0, iscrowd=1)], [[1, 1]], [segment(1, 0)], ([0] * 3, [0] * 3, [0] * 3, [0] * 3)),
        # in the crowd of another class: a false positive
        ([[9, 9]], [segment(9, 1, iscrowd=1)], [[1, 1]], [segment(1, 0)], ([0] * 3, [1, 0, 0], [0] * 3, [0] * 3)),
        # two crowds of a class: only the last one excuses
        (
            [[8, 8, 9, 9]],
            [segment(8, 0, iscrowd=1), segment(9, 0, iscrowd=1)],
            [[1, 1, 2, 2]],
            [segment(1, 0), segment(2, 0)],
            ([0] * 3, [1, 0, 0], [0] * 3, [0] * 3),
        ),
        # void and crowd together excuse
        (
            [[0, 9, 5, 0, 9, 5]],
            [segment(9, 0, iscrowd=1), segment(5, 1)],
            [[1, 1, 1, 0, 0, 0]],
            [segment(1, 0)],
            ([0] * 3, [0] * 3, [0, 1, 0], [0] * 3),
        ),
        # a true id that is not listed is neither void nor a segment
        ([[5, 5]], [], [[1, 1]], [segment(1, 2)], ([0] * 3, [0, 0, 1], [0] * 3, [0] * 3)),
        # nothing predicted, nothing annotated
        ([[0, 0]], [], [[0, 0]], [], ([0] * 3, [0] * 3, [0] * 3, [0] * 3)),
    ],
)
def test_counts_of_hand_worked_pictures(truth_ids, truth, predicted_ids, predicted, expected):
    counts = count(truth_ids, with_areas(truth_ids, truth), predicted_ids, predicted)
    for ours, right in zip(counts, expected, strict=True):
        np.testing.assert_allclose(ours, right)


def test_the_annotated_area_enters_the_union():
    # 2 shared pixels, annotated 3: 2 / (2 + 3 - 2); with annotated 4 the IoU is one half
    assert count([[5, 5]], [segment(5, 0, area=3)], [[1, 1]], [segment(1, 0)]).iou[0] == pytest.approx(2 / 3)
    assert count([[5, 5]], [segment(5, 0, area=4)], [[1, 1]], [segment(1, 0)]).tp[0] == 0


@pytest.mark.parametrize(
    ("predicted_ids", "predicted", "message"),
    [
        ([[1, 3]], [segment(1, 0)], "pixels of segment 3, which is not among its segments"),
        ([[1, 1]], [segment(1, 0), segment(2, 0)], "lists segment 2, which has no pixel"),
        ([[1, 1]], [segment(1, 0), segment(1, 1)], "lists segment id 1 more than once"),
        ([[1, 1]], [segment(1, 3)], "category 3: expected 0 to 2"),
        ([[1, 1, 1]], [segment(1, 0)], "is 1×3 pixels, its ground truth 1×2"),
        ([[1, -1]], [segment(1, 0)], "segment ids outside 0 .void. to 16777215"),
        ([[1, 256**3]], [segment(1, 0), segment(256**3, 0)], "segment ids outside"),
    ],
)
def test_a_prediction_that_cannot_be_scored_is_refused(predicted_ids, predicted, message):
    with pytest.raises(DataError, match=message):
        count([[5, 5]], [segment(5, 0, area=2)], predicted_ids, predicted)


def test_an_annotated_area_of_zero_is_refused():
    with pytest.raises(DataError, match="segment 5 has an annotated area of 0 and 2 pixels, so that its IoU"):
        count([[5, 5]], [segment(5, 0)], [[1, 1]], [segment(1, 0)])


@pytest.fixture
def evaluator(metadata):
    return PanopticQuality.from_metadata(metadata, seen=[True, False, True])


def predict(ids, segments):
    return [{"panoptic_seg": (torch.tensor(ids, dtype=torch.int32), segments)}]


def test_the_table_of_two_images(evaluator, write_ids):
    # cat: one match of IoU 0.75 and one miss; dog never occurs; sky: one match of IoU 1 and one invention
    first = [[5, 5, 5, 5], [6, 6, 6, 6]]
    second = [[5, 5, 6, 6]]
    evaluator.process(
        [write_ids(first, with_areas(first, [segment(5, 0), segment(6, 2)]), image_id=1)],
        predict([[1, 1, 1, 0], [2, 2, 2, 2]], [segment(1, 0), segment(2, 2)]),
    )
    evaluator.process(
        [write_ids(second, with_areas(second, [segment(5, 0), segment(6, 1)]), image_id=2)],
        predict([[1, 1, 0, 0]], [segment(1, 2)]),
    )
    results = evaluator.evaluate()["panoptic_seg"]
    cat, dog, sky = 0.75 / 1.5, 0.0, 1 / 1.5
    assert results["PQ"] == pytest.approx(100 * (cat + dog + sky) / 3)
    assert results["SQ"] == pytest.approx(100 * (0.75 + 0 + 1) / 3)
    assert results["RQ"] == pytest.approx(100 * (1 / 1.5 + 0 + 1 / 1.5) / 3)
    assert results["PQ_th"] == pytest.approx(100 * (cat + dog) / 2)
    assert results["PQ_st"] == results["S_PQ"] * 2 - 100 * cat == pytest.approx(100 * sky)
    assert results["U_PQ"] == pytest.approx(0)
    assert results["feline_PQ"] == pytest.approx(100 * cat)
    assert evaluator.per_class["PQ"] == pytest.approx({"cat": 50, "dog": 0, "sky": 100 / 1.5})


def test_classes_that_never_occur_are_in_no_mean(evaluator, write_ids):
    evaluator.process([write_ids([[5, 5]], with_areas([[5, 5]], [segment(5, 0)]))], predict([[1, 1]], [segment(1, 0)]))
    results = evaluator.evaluate()["panoptic_seg"]
    assert results["PQ"] == results["PQ_th"] == results["S_PQ"] == 100
    assert np.isnan([results["PQ_st"], results["U_PQ"]]).all()
    assert evaluator.per_class["PQ"] == {"cat": 100}


def test_reset_forgets(evaluator, write_ids):
    record = write_ids([[5, 5]], with_areas([[5, 5]], [segment(5, 0)]))
    evaluator.process([record], predict([[0, 0]], []))
    evaluator.reset()
    evaluator.process([record], predict([[1, 1]], [segment(1, 0)]))
    assert evaluator.evaluate()["panoptic_seg"]["PQ"] == 100


def test_processes_are_merged_by_sums(evaluator, write_ids, monkeypatch):
    record = write_ids([[5, 5]], with_areas([[5, 5]], [segment(5, 0)]))
    evaluator.process([record], predict([[1, 1]], [segment(1, 0)]))
    other = torch.tensor([[0.0, 0, 0], [0, 0, 0], [2, 0, 0], [0, 0, 0]], dtype=torch.float64)  # misses two cats
    monkeypatch.setattr(distributed, "sum_over_ranks", lambda mine: mine + other)
    assert evaluator.evaluate()["panoptic_seg"]["PQ"] == pytest.approx(50)


def test_missing_read_out_or_truth_is_named(evaluator, write_ids):
    record = write_ids([[5]], with_areas([[5]], [segment(5, 0)]), image_id="street_7")
    with pytest.raises(DataError, match="image street_7 has no panoptic_seg: set .*PANOPTIC_ON"):
        evaluator.process([record], [{}])
    with pytest.raises(DataError, match="image street_7 has no pan_seg_file_name"):
        evaluator.process([{**record, "pan_seg_file_name": None}], predict([[0]], []))
    with pytest.raises(DataError, match="nowhere.png does not exist"):
        evaluator.process([{**record, "pan_seg_file_name": "nowhere.png"}], predict([[0]], []))
