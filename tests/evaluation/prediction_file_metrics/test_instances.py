"""AP of result files: equal to pycocotools, and invalid files."""

import contextlib
import io
import json
import math

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from frozenseg.errors import DataError
from frozenseg.evaluation.prediction_file_metrics.instances import score_instance_files
from frozenseg.structures.masks import encode_rle
from tests.evaluation.squares import SIZE, annotation, square


def line(image, category, mask, score):
    segmentation = encode_rle(mask[None])[0]
    return {"image_id": image, "category_id": category, "segmentation": segmentation, "score": score}


@pytest.fixture
def truth():
    return {
        "images": [{"id": image, "height": SIZE, "width": SIZE} for image in (1, 2, 3)],
        "categories": [{"id": 18, "name": "dog"}, {"id": 17, "name": "cat"}, {"id": 90, "name": "never seen"}],
        "annotations": [
            annotation(1, 1, 17, square(0, 0, 20)),
            annotation(2, 1, 18, square(60, 0, 50)),
            annotation(3, 2, 17, square(0, 0, 20)),
        ],
    }


@pytest.fixture
def lines():
    shorter = square(0, 0, 20) & (np.arange(SIZE)[:, None] < 12)
    return [line(1, 17, shorter, 0.9), line(1, 18, square(60, 0, 50), 0.5), line(3, 90, square(0, 0, 9), 0.1)]


@pytest.fixture
def score(tmp_path):
    def write_and_score(truth, lines):
        for name, content in (("truth", truth), ("lines", lines)):
            (tmp_path / f"{name}.json").write_text(json.dumps(content))
        return score_instance_files(tmp_path / "truth.json", tmp_path / "lines.json")

    return write_and_score


def test_counts_that_are_worked_out_by_hand(truth, lines, score):
    scores = score(truth, lines)
    # cat: one of two, IoU 0.6: precision 1 up to a recall of one half, at three of ten thresholds; dog: found
    half = 100 * 51 / 101
    assert scores.per_category == {
        "17": pytest.approx({"AP": half * 3 / 10, "AP50": half, "AP75": 0}),
        "18": pytest.approx({"AP": 100, "AP50": 100, "AP75": 100}),
        "90": {"AP": None, "AP50": None, "AP75": None},
    }
    assert scores.results["segm"]["AP"] == pytest.approx((half * 3 / 10 + 100) / 2)
    assert (scores.images, scores.notes) == (3, [])


@pytest.mark.parametrize("boxes", [False, True])
def test_it_is_pycocotools_to_the_last_digit(truth, lines, score, tmp_path, boxes):
    if boxes:  # their areas decide what is small, as strange as it is
        lines = [{**entry, "bbox": [0, 0, 100, 100]} for entry in lines]
    scores = score(truth, lines)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "truth.json"))
        evaluation = COCOeval(coco, coco.loadRes(str(tmp_path / "lines.json")), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    ours = [-1 if math.isnan(value) else value / 100 for value in scores.results["segm"].values()]
    assert ours == pytest.approx(evaluation.stats.tolist(), abs=1e-15)
    assert ("boxes" in "".join(scores.notes)) is boxes


def test_boxes_in_some_lines_are_not_used(truth, lines, score):
    expected = score(truth, lines)
    lines = [{**lines[0], "bbox": [0, 0, 100, 100]}, {**lines[1], "bbox": None}, {**lines[2], "bbox": []}]
    for order in (lines, lines[::-1]):
        scores = score(truth, order)
        assert scores.results["segm"] == pytest.approx(expected.results["segm"], abs=0, nan_ok=True)
        assert "1 of 3 lines have a box: the boxes are not used" in scores.notes[0]


UNUSUAL_SCORES = {
    "The result file has no line: every object is missed, and AP is 0.": [],
    "AP is 0: no mask overlaps an object of its category": [line(1, 18, square(0, 0, 20), 0.9)],
    "AP is 0: no predicted object has a category that is annotated": [line(1, 90, square(0, 0, 20), 0.9)],
}


@pytest.mark.parametrize("note", UNUSUAL_SCORES)
def test_scores_of_0_have_the_cause_that_fits(truth, score, note):
    scores = score(truth, UNUSUAL_SCORES[note])
    assert scores.results["segm"]["AP"] == 0
    assert scores.notes[0].startswith(note)


def test_crowds_only_have_no_score(truth, lines, score):
    crowds = [{**item, "iscrowd": 1} for item in truth["annotations"]]
    scores = score({**truth, "annotations": crowds}, lines)
    assert math.isnan(scores.results["segm"]["AP"])
    assert scores.notes == ["AP has no value: all objects of the ground truth are crowds, which are not scored."]


def runs(**fields):
    return {"segmentation": {**encode_rle(square(0, 0, 20)[None])[0], **fields}}


SPELLINGS = [
    {"image_id": "1"},
    {"image_id": 1.0, "category_id": 17.0},
    {"category_id": "17"},
    {"score": 1, "bbox": None, "area": "odd", "id": None},
    runs(size=[120.0, 120.0]),
]


def test_lines_that_are_written_differently_are_read(truth, score):
    truth["annotations"] = truth["annotations"][:1]
    plain = {"image_id": 1, "category_id": 17, "score": 0.5} | runs()
    expected = score(truth, [plain])
    counts = [0, 20] + [100, 20] * 19 + [100 + 120 * 100]
    for fields in [*SPELLINGS, runs(counts=counts), runs(counts=counts[:-1])]:
        scores = score(truth, [{**plain, **fields}])
        assert scores.results["segm"] == pytest.approx(expected.results["segm"], abs=0, nan_ok=True)
        assert scores.results["segm"]["AP"] == pytest.approx(100)
    assert scores.notes[0].startswith("1 of ")
    assert scores.notes[0].endswith("lines.json end before the last pixel: the missing run was read as background.")
    assert (
        score(truth, [{**plain, "image_id": "1"}])
        .notes[0]
        .startswith("1 image ids of the predictions are written differently, such as '1' for 1")
    )


def test_images_without_a_size_and_areas_that_are_none_are_scored(truth, lines, score):
    expected = score(truth, lines)
    del truth["images"][1]["height"], truth["images"][2]["width"]
    truth["annotations"][1]["area"] = "large"
    scores = score(truth, lines)
    assert scores.results["segm"] == pytest.approx(expected.results["segm"], abs=0, nan_ok=True)
    assert "1 of 3 objects of" in scores.notes[-1]
    assert "have no valid area (first: object 2): the number of pixels of the mask is used." in scores.notes[-1]


def test_repeated_lines_are_named(truth, lines, score):
    scores = score(truth, [*lines, lines[1], {**lines[1], "score": 0.1}, {**lines[1], "category_id": 17}])
    assert "2 lines of" in scores.notes[0]
    assert "(such as lines 2 and 4): at most one of them can match" in scores.notes[0]


BAD_LINES = {
    "has the image_id 404, which the ground truth does not have: expected one of its 3 image ids": {"image_id": 404},
    r"has the image_id \[1\]: expected an integer or a text": {"image_id": [1]},
    "has the image_id True: expected an integer or a text": {"image_id": True},
    "has the image_id 1.5: expected an integer": {"image_id": 1.5},
    "has the category_id 5, which the ground truth does not have": {"category_id": 5},
    "has the score nan: expected a finite number": {"score": math.nan},
    "has the score inf: expected a finite number": {"score": math.inf},
    "has the score 'high': expected a finite number": {"score": "high"},
    "has the score True: expected a finite number": {"score": True},
    r"has the score 9+\.\.\.9+: expected a finite number": {"score": int("9" * 400)},
    r"invalid mask: its size is \[5, 120\], expected \[120, 120\]": runs(size=[5, SIZE]),
    "invalid mask: its size is None": runs(size=None),
    "invalid mask: its string of run lengths has the character 'é'": runs(counts="éé"),
    "invalid mask: its runs have 50100 pixels": runs(counts=[100, 50000]),
    "invalid mask: its run 1 is -50": runs(counts=[100, -50, SIZE * SIZE - 50]),
    "a segmentation that is polygons, not run lengths": {"segmentation": [[0, 0, 9, 0, 9, 9]]},
    "a segmentation that is None, not run lengths": {"segmentation": None},
    r"has the bbox \[1, 2, 3\]: expected left, top, width, height": {"bbox": [1, 2, 3]},
    r"has the bbox \[1, 2, 3, nan\]": {"bbox": [1, 2, 3, math.nan]},
    r"has the bbox \[1, 2, -3, 4\]: .* the last two not negative": {"bbox": [1, 2, -3, 4]},
}


@pytest.mark.parametrize("message", BAD_LINES)
def test_bad_lines_are_named(truth, lines, score, message):
    with pytest.raises(DataError, match=f"^Prediction 2 of .*lines.json (has|has an) {message.removeprefix('has ')}"):
        score(truth, [lines[0], {**lines[0], **BAD_LINES[message]}])


def test_ids_are_compared_with_their_type_first(truth, score):
    truth["images"].append({"id": "1", "height": SIZE, "width": SIZE})
    scores = score(truth, [line(image, 17, square(0, 0, 20), 0.9) for image in ("1", "2", 3)])
    assert scores.results["segm"]["AP50"] == pytest.approx(100 * 25 / 101, rel=0.2)
    assert "such as '2' for 2 of the ground truth" in scores.notes[0]


def test_files_of_another_form_are_named(truth, lines, score, tmp_path):
    with pytest.raises(DataError, match="Prediction 1 of .* has no score: expected a finite number"):
        score(truth, [{key: value for key, value in lines[0].items() if key != "score"}])
    with pytest.raises(DataError, match="Prediction 1 of .* is 3: expected an object with image_id"):
        score(truth, [3])
    with pytest.raises(DataError, match="not a COCO result file: expected a list"):
        score(truth, {"annotations": lines})
    with pytest.raises(DataError, match="has no object with a mask, expected polygons or run lengths"):
        score({**truth, "annotations": []}, lines)
    with pytest.raises(DataError, match="object 1 has the image_id 9, expected one of its images"):
        score({**truth, "annotations": [{**truth["annotations"][0], "image_id": 9}]}, lines)
    with pytest.raises(DataError, match="nowhere.json do not exist"):
        score_instance_files(tmp_path / "nowhere.json", tmp_path / "lines.json")
    score(truth, lines)
    with pytest.raises(DataError, match="The predictions .*nowhere.json cannot be read"):
        score_instance_files(tmp_path / "truth.json", tmp_path / "nowhere.json")
