"""PQ of files: computed by hand, compared with a slow version of panopticapi's ``pq_compute``, and invalid files."""

import json
import math
import re
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.evaluation.prediction_file_metrics.panoptic import score_panoptic_files
from frozenseg.structures.label_files import write_segment_ids

CATEGORIES = [
    {"id": 90, "name": "cat", "isthing": 1},
    {"id": 17, "name": "dog", "isthing": 1},
    {"id": 200, "name": "sky", "isthing": 0},
]


class Files:
    """Ground truth or predictions: a JSON file and a folder of PNGs."""

    def __init__(self, folder, name):
        self.json, self.folder = folder / f"{name}.json", folder / name
        self.entries, self.categories, self.images = [], CATEGORIES, []

    def add(self, image, ids, segments):
        write_segment_ids(self.folder / f"{image}.png", np.array(ids))
        self.entries.append({"image_id": image, "file_name": f"{image}.png", "segments_info": segments})
        return self

    def save(self):
        content = {"images": self.images, "categories": self.categories, "annotations": self.entries}
        self.json.write_text(json.dumps(content))
        return self.json, self.folder


@pytest.fixture
def truth(tmp_path):
    return Files(tmp_path, "truth")


@pytest.fixture
def guess(tmp_path):
    return Files(tmp_path, "guess")


def score(truth, guess, workers=1):
    return score_panoptic_files(*truth.save(), *guess.save(), workers=workers, quiet=True)


def segment(number, category, area=None, iscrowd=0):
    return {"id": number, "category_id": category} | ({} if area is None else {"area": area, "iscrowd": iscrowd})


@pytest.fixture
def street(truth, guess):
    """A cat that is found in part, a dog that is not, a sky whose annotated area is off, void and a crowd of dogs."""
    ids = [[70000] * 4 + [5] * 2 + [0] * 2, [9] * 4 + [8] * 4]
    truth.add("a", ids, [segment(70000, 90, 4), segment(5, 17, 2), segment(9, 200, 5), segment(8, 17, 4, iscrowd=1)])
    actual = [[1] * 3 + [2] * 1 + [3] * 1 + [4] * 3, [6] * 4 + [7] * 4]
    guess.add(
        "a", actual, [segment(1, 90), segment(2, 17), segment(3, 90), segment(4, 90), segment(6, 200), segment(7, 17)]
    )
    return truth, guess


def test_counts_that_are_worked_out_by_hand(street):
    scores = score(*street)
    # cat: IoU 3/4; 3 is a false positive; two thirds of 4 are void
    # dog: 2 is a false positive, 5 is missed, 7 is in the crowd
    # sky: 4 of max(5, 4) pixels
    assert scores.per_category["90"] == {
        "tp": 1,
        "fp": 1,
        "fn": 0,
        "iou": 0.75,
        "PQ": 50,
        "SQ": 75,
        "RQ": pytest.approx(200 / 3),
    }
    assert scores.per_category["17"] == {"tp": 0, "fp": 1, "fn": 1, "iou": 0, "PQ": 0, "SQ": 0, "RQ": 0}
    assert scores.per_category["200"] == {"tp": 1, "fp": 0, "fn": 0, "iou": 0.8, "PQ": 80, "SQ": 80, "RQ": 100}
    results = scores.results["panoptic_seg"]
    assert results["PQ"] == pytest.approx(130 / 3)
    assert (results["PQ_th"], results["PQ_st"]) == (25, 80)
    assert (scores.images, len(scores.notes)) == (1, 1)
    assert "1 segments of" in scores.notes[0]
    assert "(image 'a', segment 9: area 5, 4 pixels): as in panopticapi" in scores.notes[0]


def test_the_number_of_processes_changes_nothing(street):
    truth, guess = street
    rng = np.random.default_rng(0)
    for image in range(6):
        ids = rng.integers(1, 4, (5, 7))
        truth.add(image, ids, [segment(n, CATEGORIES[n - 1]["id"], int((ids == n).sum())) for n in (1, 2, 3)])
        near = np.where(rng.random(ids.shape) < 0.2, 1, ids)
        guess.add(image, near, [segment(n, CATEGORIES[n - 1]["id"]) for n in (1, 2, 3)])
    guess.entries.reverse()  # images are matched by their ids
    assert score(truth, guess, workers=2) == score(truth, guess, workers=1)


def slow_pq_compute(truth, guess):
    """Render panopticapi's definition pixel by pixel: category id → [tp, fp, fn, IoU]."""
    stat = defaultdict(lambda: [0, 0, 0, 0.0])
    guesses = {entry["image_id"]: entry for entry in guess.entries}
    for entry in truth.entries:
        true, actual = (
            np.array(Image.open(side.folder / entry["file_name"]), dtype=np.int64) @ (1, 256, 65536)
            for side in (truth, guess)
        )
        pairs = defaultdict(int)
        for pair in zip(true.ravel().tolist(), actual.ravel().tolist(), strict=True):
            pairs[pair] += 1
        segments = {item["id"]: item for item in entry["segments_info"]}
        guessed = {item["id"]: item for item in guesses[entry["image_id"]]["segments_info"]}
        area = {number: int((actual == number).sum()) for number in guessed}
        used = set()
        for (one, other), common in pairs.items():
            if one not in segments or other not in guessed or segments[one]["iscrowd"]:
                continue
            category = segments[one]["category_id"]
            overlap = common / (area[other] + segments[one]["area"] - common - pairs.get((0, other), 0))
            if category == guessed[other]["category_id"] and overlap > 0.5:
                stat[category][0] += 1
                stat[category][3] += overlap
                used |= {("true", one), ("guess", other)}
        crowds = {item["category_id"]: item["id"] for item in segments.values() if item["iscrowd"]}
        for number, item in segments.items():
            stat[item["category_id"]][2] += ("true", number) not in used and not item["iscrowd"]
        for number, item in guessed.items():
            excused = pairs.get((0, number), 0) + pairs.get((crowds.get(item["category_id"], -1), number), 0)
            stat[item["category_id"]][1] += ("guess", number) not in used and excused / area[number] <= 0.5
    return stat


@st.composite
def scenes(draw):
    """Small pairs of id maps and their segments; the predicted map is often a near copy."""
    shape = draw(st.tuples(st.integers(1, 5), st.integers(1, 6)))
    numbers = draw(st.lists(st.sampled_from([1, 7, 300, 70000, 16777215]), min_size=1, max_size=4, unique=True))
    ids = draw(hnp.arrays(np.int64, shape, elements=st.sampled_from([0, *numbers])))
    free = draw(hnp.arrays(np.int64, shape, elements=st.sampled_from([0, 2, *numbers])))
    actual = np.where(draw(hnp.arrays(bool, shape, elements=st.booleans())), ids, free)
    label = st.sampled_from([entry["id"] for entry in CATEGORIES])
    segments = [
        segment(n, draw(label), int((ids == n).sum()) + draw(st.integers(0, 2)) or 1, int(draw(st.booleans())))
        for n in numbers
    ]
    true = {entry["id"]: entry["category_id"] for entry in segments}
    guessed = [
        segment(n, true.get(n, 17) if draw(st.booleans()) else draw(label))
        for n in np.unique(actual[actual > 0]).tolist()
    ]
    return ids, segments, actual, guessed


@given(st.lists(scenes(), min_size=1, max_size=3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_equal_the_slow_rendering(tmp_path, images):
    truth, guess = Files(tmp_path, "truth"), Files(tmp_path, "guess")
    for image, (ids, segments, actual, guessed) in enumerate(images):
        truth.add(image, ids, segments)
        guess.add(image, actual, guessed)
    scores, slow = score(truth, guess), slow_pq_compute(truth, guess)
    for category, counts in scores.per_category.items():
        *whole, overlap = slow[int(category)]
        assert [counts["tp"], counts["fp"], counts["fn"]] == whole
        assert counts["iou"] == pytest.approx(overlap, abs=1e-12)


def change(entries, **fields):
    entries[0]["segments_info"][0] = {**entries[0]["segments_info"][0], **fields}


BAD_PREDICTIONS = {
    "no prediction for image a": lambda guess: guess.entries.clear(),
    "Entry 2 .* has the image_id 'b', which the ground truth does not": lambda guess: guess.add("b", [[0]], []),
    "has image a twice": lambda guess: guess.entries.append(guess.entries[0]),
    r"Segment 1 \(id 1\) of image a in .*guess.json has the category_id 3, which the ground truth does not have: "
    r"expected one of its 3 category ids \(90, 17, 200\)": lambda guess: change(guess.entries, category_id=3),
    "image a lists segment id 2 more than once": lambda guess: change(guess.entries, id=2),
    "image a has pixels of segment 1, which is not among": lambda guess: guess.entries[0]["segments_info"].pop(0),
    "image a lists segment 99, which has no pixel": lambda guess: guess.entries[0]["segments_info"].append(
        segment(99, 90)
    ),
    "image a is 1×8 pixels, its ground truth 2×8": lambda guess: write_segment_ids(
        guess.folder / "a.png", np.array([[1, 2, 3, 4, 6, 7, 7, 7]])
    ),
    r"a.png, which the JSON file names \(image a of .*\)": lambda guess: (guess.folder / "a.png").unlink(),
    "a.png cannot be decoded": lambda guess: (guess.folder / "a.png").write_bytes(b"no image"),
    r"Entry 1 \(image_id 'a'\) of .*guess.json has no segments_info": lambda guess: guess.entries[0].pop(
        "segments_info"
    ),
}


@pytest.mark.parametrize("message", BAD_PREDICTIONS)
def test_bad_predictions_are_named(street, message):
    truth, guess = street
    BAD_PREDICTIONS[message](guess)
    with pytest.raises(DataError, match=message):
        score(truth, guess)


BAD_TRUTH = {
    r"Segment 1 \(id 70000\) of image a .* no area": lambda truth: truth.entries[0]["segments_info"][0].pop("area"),
    "Category 1 .*truth.json has no isthing: expected 0 or 1": lambda truth: setattr(truth, "categories", [{"id": 90}]),
    r"Category 4 \(id 90\) .* repeats an earlier id": lambda truth: setattr(
        truth, "categories", [*CATEGORIES, CATEGORIES[0]]
    ),
    "has no category: nothing can be scored": lambda truth: setattr(truth, "categories", []),
    "has no segment: there is nothing to score": lambda truth: truth.entries[0]["segments_info"].clear(),
}


@pytest.mark.parametrize("message", BAD_TRUTH)
def test_bad_ground_truth_is_named(street, message):
    truth, guess = street
    BAD_TRUTH[message](truth)
    with pytest.raises(DataError, match=message):
        score(truth, guess)


def test_missing_files_are_named(street, tmp_path):
    truth, guess = (side.save() for side in street)
    with pytest.raises(DataError, match=r"The ground truth .*nowhere.json cannot be read"):
        score_panoptic_files(tmp_path / "nowhere.json", truth[1], *guess)
    with pytest.raises(DataError, match=r"The folder .*nowhere of the predictions does not exist"):
        score_panoptic_files(*truth, guess[0], tmp_path / "nowhere")


UNUSUAL_SCORES = {
    "the predictions have no segment": (0, [segment(1, 90, 2)], [[0, 0]], []),
    "no predicted segment has a category that is annotated": (0, [segment(1, 90, 2)], [[1, 1]], [segment(1, 17)]),
    "no segment matches an annotated one of its category. Likely causes: category ids": (
        0,
        [segment(1, 90, 20)],
        [[1, 1]],
        [segment(1, 90)],
    ),
    "PQ is 0: all segments of the ground truth are crowds": (0, [segment(1, 90, 2, 1)], [[1, 1]], [segment(1, 17)]),
    "PQ has no value: the ground truth has crowds only": (math.nan, [segment(1, 90, 2, 1)], [[0, 0]], []),
}


@pytest.mark.parametrize("note", UNUSUAL_SCORES)
def test_scores_of_0_and_nan_have_the_cause_that_fits(truth, guess, note):
    quality, annotated, ids, predicted = UNUSUAL_SCORES[note]
    scores = score(truth.add(1, [[1, 1]], annotated), guess.add(1, ids, predicted))
    assert scores.results["panoptic_seg"]["PQ"] == pytest.approx(quality, nan_ok=True)
    assert note in scores.notes[-1]
    assert scores.per_category["200"]["PQ"] is None


def whole(*areas, **fields):
    """Segments 1, 2, … of cats with these areas."""
    return [segment(number, 90, area) | fields for number, area in enumerate(areas, 1)]


DISAGREEMENTS = {
    "1 segments of .*truth.json have no pixel in their PNG .image 'a', segment 2.: as in panopticapi, they count as": (
        [[1, 1, 1]],
        whole(3, 5),
        [1, 0, 1],
    ),
    "2 pixels of the PNGs of .*truth.json have ids that its segments_info does not list .image 'a', id 7.": (
        [[1, 7, 7]],
        whole(1),
        [1, 1, 0],
    ),
}


@pytest.mark.parametrize("note", DISAGREEMENTS)
def test_png_and_json_that_disagree_are_scored_as_in_panopticapi_with_a_note(truth, guess, note):
    ids, segments, counts = DISAGREEMENTS[note]
    truth.add("a", ids, segments)
    predicted = [[1, 2, 2]] if 7 in ids[0] else [[1, 1, 1]]
    guess.add("a", predicted, [segment(number, 90) for number in np.unique(predicted).tolist()])
    scores = score(truth, guess)
    assert [scores.per_category["90"][name] for name in ("tp", "fp", "fn")] == counts
    assert re.match(note, scores.notes[0])


def test_a_png_of_another_entry_is_refused(truth, guess):
    truth.add("a", [[7, 7, 8]], whole(1, 2))
    guess.add("a", [[1, 1, 2]], whole(1, 2))
    with pytest.raises(DataError, match=r"no pixel of its segments \(such as 1\), but pixels of other ids \(such as 7"):
        score(truth, guess)


def test_areas_too_small_for_their_pixels_are_refused(truth, guess):
    truth.add("a", [[1, 1, 1, 2]], [segment(1, 90, 2), segment(2, 17, 1)])
    guess.add("a", [[3, 3, 3, 3]], [segment(3, 90)])
    assert score(truth, guess).results["panoptic_seg"]["PQ"] == pytest.approx(100 / 2)  # IoU 3 / (4 + 2 - 3)
    guess.entries.clear()
    guess.add("a", [[3, 3, 3, 0]], [segment(3, 90)])  # IoU 3/2
    with pytest.raises(DataError, match="image a is wrong: segment 1 has an annotated area of 2 and 3 pixels"):
        score(truth, guess)


def test_ids_in_another_spelling_are_read(truth, guess):
    truth.add(1, [[1]], whole(1.0))
    guess.add("1", [[1]], [segment(1.0, "90")])
    scores = score(truth, guess)
    assert scores.results["panoptic_seg"]["PQ"] == 100
    assert scores.notes == [
        "1 image ids of the predictions are written differently, such as '1' for 1 of the ground truth: they are read "
        "as the same ids.",
        "1 category ids of the predictions are written differently, such as '90' for 90 of the ground truth: they are "
        "read as the same ids.",
    ]


def test_category_names_of_the_predictions_are_compared(street):
    truth, guess = street
    expected = score(truth, guess)
    guess.categories = [{"id": 90, "name": "Cat"}, {"id": 17, "name": "puppy"}, {"id": 1, "name": "moon"}, "odd"]
    assert score(truth, guess).results == expected.results
    assert "1 categories have another name in the predictions, such as 17: 'puppy' for 'dog'" in score(*street).notes[0]
    guess.categories = [{"id": 90, "name": "dog"}, {"id": 17, "name": "cat"}]
    with pytest.raises(DataError, match="category 90 'dog', which is 'cat' in the ground truth; there, 'dog' has"):
        score(truth, guess)


def test_images_of_one_file_only_are_named(street):
    truth, guess = street
    truth.add("b", [[1]], whole(1)).images = [{"id": image, "height": 2, "width": 8} for image in ("a", "c")]
    guess.add("b", [[1]], whole(1))
    guess.entries[0]["file_name"], guess.entries[1]["file_name"] = "b.png", "a.png"
    with pytest.raises(DataError, match="The prediction for image a is 1×1 pixels"):
        score(truth, guess)
    guess.add("a", [[1]], whole(1)).add("b", [[1] * 8] * 2, [segment(1, 200)])
    del guess.entries[:2]
    guess.entries[0]["file_name"], guess.entries[1]["file_name"] = "b.png", "a.png"
    notes = score(truth, guess).notes
    assert "2 entries of" in notes[0]
    assert "the file_name of another image, such as 'b.png' for image 'a', which is the PNG of image 'b'" in notes[0]
    assert "1 of 2 images of" in notes[1]
    assert "(such as image 'c'): they are not scored" in notes[1]
    truth.images[0]["height"] = 10**9
    with pytest.raises(DataError, match=r"lists image a with 1000000000×8 pixels \(height × width\), but its PNG"):
        score(truth, guess)


@pytest.mark.parametrize("name", ["..\\guess\\a.png", "/mnt/other/guess/a.png", "C:\\data\\a.png"])
def test_file_names_of_another_machine_mean_the_base_name(street, name):
    truth, guess = street
    expected = score(truth, guess).results
    guess.entries[0]["file_name"] = name
    assert score(truth, guess).results == expected
