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


def test_an_empty_file_and_useless_lines_score_0_and_say_so(truth, score):
    empty = score(truth, [])
    assert empty.results["segm"]["AP"] == 0
    assert empty.notes == ["The result file has no line: every object is missed, and AP is 0."]
    useless = score(truth, [line(1, 18, square(0, 0, 20), 0.9)])
    assert useless.results["segm"]["AP"] == 0
    assert "Likely causes: category ids" in useless.notes[0]


BAD_LINES = {
    "Prediction 1 of .*lines.json is for image 404": {"image_id": 404},
    "Prediction 1 of .*lines.json has category 5": {"category_id": 5},
    "has the score nan: expected a finite number": {"score": float("nan")},
    "has the score high: expected a finite number": {"score": "high"},
    r"mask of size \[5, 120\], but its image is 120×120": {"segmentation": {"size": [5, SIZE], "counts": "1"}},
    "not compressed run lengths": {"segmentation": [[0, 0, 9, 0, 9, 9]]},
}


@pytest.mark.parametrize("message", BAD_LINES)
def test_bad_lines_are_named(truth, lines, score, message):
    with pytest.raises(DataError, match=message):
        score(truth, [{**lines[0], **BAD_LINES[message]}])


def test_files_of_another_form_are_named(truth, lines, score, tmp_path):
    with pytest.raises(DataError, match="Prediction 1 of .* has no score: expected image_id, "):
        score(truth, [{key: value for key, value in lines[0].items() if key != "score"}])
    with pytest.raises(DataError, match="has no image_id"):
        score(truth, [3])
    with pytest.raises(DataError, match="not a COCO result file: expected a list"):
        score(truth, {"annotations": lines})
    with pytest.raises(DataError, match="no 'height'"):
        score({**truth, "images": [{"id": 1}]}, lines)
    with pytest.raises(DataError, match="have no image, category or object"):
        score({**truth, "annotations": []}, lines)
    for field, message in (("area", "Object 1 of .* has no area"), ("id", "Object number 0 of .* has no id")):
        broken = {key: value for key, value in truth["annotations"][0].items() if key != field}
        with pytest.raises(DataError, match=message):
            score({**truth, "annotations": [broken]}, lines)
    with pytest.raises(DataError, match="is in image 9, which is not among its images"):
        score({**truth, "annotations": [{**truth["annotations"][0], "image_id": 9}]}, lines)
    with pytest.raises(DataError, match="nowhere.json do not exist"):
        score_instance_files(tmp_path / "nowhere.json", tmp_path / "lines.json")
    with pytest.raises(DataError, match="The predictions .*nowhere.json cannot be read"):
        score_instance_files(tmp_path / "truth.json", tmp_path / "nowhere.json")
