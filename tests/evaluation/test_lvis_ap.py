"""AP of LVIS: squares counted by hand, and a random world compared with the official package."""

import json

import numpy as np
import pytest

from frozenseg import distributed
from frozenseg.errors import DataError, FrozenSegError
from frozenseg.evaluation import lvis_ap
from frozenseg.evaluation.build import build_evaluators
from frozenseg.evaluation.instance_scoring import ThingClasses
from frozenseg.evaluation.lvis_ap import LVIS_METRICS, LvisAP
from frozenseg.evaluation.official_packages import import_lvis
from tests.evaluation.squares import SIZE, annotation, predict, square

FREQUENCIES = {17: "f", 18: "r"}  # cat and dog


def write_annotations(path, annotations, images, frequencies=FREQUENCIES):
    """Write LVIS annotations; ``images``: image id → (absent categories, not exhaustively annotated ones)."""
    content = {
        "images": [
            {
                "id": image,
                "height": SIZE,
                "width": SIZE,
                "neg_category_ids": absent,
                "not_exhaustive_category_ids": some,
            }
            for image, (absent, some) in images.items()
        ],
        "categories": [{"id": number, "frequency": frequency} for number, frequency in frequencies.items()],
        "annotations": annotations,
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


@pytest.fixture
def build(metadata, tmp_path):
    """Build the evaluator of a cat (image 1, image 2) and a dog (image 1)."""
    metadata.evaluator_type = "lvis"

    def make(absent=(), not_exhaustive=()):
        truth = [
            annotation(1, 1, 17, square(0, 0, 20)),
            annotation(2, 1, 18, square(60, 0, 50)),
            annotation(3, 2, 17, square(0, 0, 20)),
        ]
        images = {1: ([], []), 2: (list(absent), list(not_exhaustive))}
        metadata.json_file = write_annotations(tmp_path / "lvis.json", truth, images)
        return LvisAP.from_metadata(metadata, seen=[True, False, True])

    return make


def predict_all(evaluator, *extra):
    """Predict every object, and ``extra`` in image 2."""
    evaluator.process([{"image_id": 1}], predict((square(0, 0, 20), 0, 0.9), (square(60, 0, 50), 1, 0.5)))
    evaluator.process([{"image_id": 2}], predict((square(0, 0, 20), 0, 0.7), *extra))
    return evaluator.evaluate()["segm"]


def test_perfect_predictions_score_100(build):
    evaluator = build()
    results = predict_all(evaluator)
    assert np.isnan([results.pop("APl"), results.pop("APc")]).all()  # no large object, no common class
    subsets = [f"{subset}_AP{suffix}" for suffix in ("", "50", "75") for subset in ("S", "U", "feline")]
    assert list(results) == ["AP", "AP50", "AP75", "APs", "APm", "APr", "APf", *subsets]
    assert list(results.values()) == [pytest.approx(100)] * len(results)
    assert evaluator.per_class["AP"] == pytest.approx({"cat": 100, "dog": 100})


def test_a_false_dog_counts_only_where_dogs_are_said_to_be_absent(build):
    false_dog = (square(0, 60, 30), 1, 0.9)  # scored above the true one: precision 1/2 at every recall
    assert predict_all(build(), false_dog)["U_AP"] == pytest.approx(100)
    assert predict_all(build(absent=[18]), false_dog)["U_AP"] == pytest.approx(50)


def test_a_false_cat_counts_only_where_cats_are_annotated_exhaustively(build):
    false_cat = (square(0, 60, 30), 0, 0.95)
    assert predict_all(build(not_exhaustive=[17]), false_cat)["S_AP"] == pytest.approx(100)
    # the best of three cats is wrong: precision 1/2, then 2/3, and the better one counts for both
    assert predict_all(build(), false_cat)["S_AP"] == pytest.approx(100 * 2 / 3)


def test_no_predictions_score_0(build):
    evaluator = build()
    evaluator.process([{"image_id": 1}, {"image_id": 2}], predict() * 2)
    results = evaluator.evaluate()["segm"]
    assert (results["AP"], results["APr"], results["S_AP"], results["U_AP"]) == (0, 0, 0, 0)
    assert evaluator.per_class["AP"] == {"cat": 0, "dog": 0}


def test_only_processed_images_count(build):
    evaluator = build()
    evaluator.process([{"image_id": 2}], predict((square(0, 0, 20), 0, 0.7)))
    results = evaluator.evaluate()["segm"]
    assert results["AP"] == pytest.approx(100)
    assert np.isnan(results["U_AP"])  # the dog is in the other image


def test_the_300_best_instances_of_an_image_count(build):
    evaluator = build()
    false_dogs = [(square(0, 60, 30), 1, 0.8)] * 300
    evaluator.process([{"image_id": 1}], predict((square(0, 0, 20), 0, 0.9), *false_dogs, (square(60, 0, 50), 1, 0.5)))
    results = evaluator.evaluate()["segm"]
    assert (results["S_AP"], results["U_AP"]) == (pytest.approx(100), 0)


def test_processes_are_merged_and_all_get_the_result(build, monkeypatch):
    evaluator, other = build(), build()
    evaluator.process([{"image_id": 1}], predict((square(0, 0, 20), 0, 0.9), (square(60, 0, 50), 1, 0.8)))
    other.process([{"image_id": 2}], predict((square(0, 0, 20), 0, 0.7)))
    shares = iter([[evaluator.images, other.images]])
    monkeypatch.setattr(distributed, "gather", lambda item: next(shares, [item, None]))
    assert evaluator.evaluate()["segm"]["AP"] == pytest.approx(100)


def random_square(rng):
    left, top = rng.integers(0, 60, 2)
    return square(left, top, rng.integers(10, 60))


def test_a_random_world_scores_as_the_package_says(metadata, tmp_path):
    rng = np.random.default_rng(0)
    images = {image: ([17], [18]) if image % 2 else ([19], [17]) for image in range(1, 9)}
    objects = [(int(image), int(category), random_square(rng))
               for image, category in zip(rng.integers(1, 9, 30), rng.integers(17, 20, 30), strict=True)]  # fmt: skip
    truth = [annotation(number, *what) for number, what in enumerate(objects, start=1)]
    json_file = write_annotations(tmp_path / "world.json", truth, images, {17: "r", 18: "c", 19: "f"})
    metadata.thing_dataset_id_to_contiguous_id = {19: 0, 17: 1, 18: 2}
    metadata.json_file, metadata.evaluator_type = json_file, "lvis"
    evaluator = build_evaluators(metadata, {"instance"}, [True, False, True]).evaluators[0]
    for image in images:
        moved = [(np.roll(mask, int(rng.integers(0, 6)), axis=1), {19: 0, 17: 1, 18: 2}[category], float(rng.random()))
                 for where, category, mask in objects if where == image]  # fmt: skip
        guessed = [(random_square(rng), int(rng.integers(0, 3)), float(rng.random())) for _ in range(4)]
        evaluator.process([{"image_id": image}], predict(*moved, *guessed))
    ours = evaluator.evaluate()["segm"]

    (tmp_path / "results.json").write_text(
        json.dumps([line for image in evaluator.images for line in image["lines"]]), encoding="utf-8"
    )
    official = import_lvis().LVISEval(json_file, str(tmp_path / "results.json"), "segm")
    official.run()
    theirs = {metric: 100 * official.results[metric] for metric in LVIS_METRICS}
    assert {metric: ours[metric] for metric in LVIS_METRICS if theirs[metric] >= 0} == pytest.approx(
        {metric: value for metric, value in theirs.items() if value >= 0}
    )
    assert 0 < theirs["AP"] < 100
    assert evaluator.per_class["AP"] == pytest.approx(
        {"cat": theirs["APf"], "dog": theirs["APr"], "sky": theirs["APc"]}  # one class of each frequency
    )


def test_nothing_is_said_and_the_predictions_stay(build, capsys, caplog):
    evaluator = build()
    first = predict_all(evaluator)
    assert (capsys.readouterr().out, caplog.text) == ("", "")
    assert set(evaluator.images[0]["lines"][0]) == {"image_id", "category_id", "segmentation", "score"}
    assert evaluator.evaluate()["segm"] == pytest.approx(first, nan_ok=True)


def test_bad_predictions_and_files_are_named(build, tmp_path):
    evaluator = build()
    with pytest.raises(DataError, match="image 1 has an instance of class 2, which is not a thing"):
        evaluator.process([{"image_id": 1}], predict((square(0, 0, 9), 2, 0.5)))
    evaluator.reset()
    evaluator.process([{"image_id": 404}], predict())
    with pytest.raises(DataError, match=r"Image 404 is not among the images of .*lvis\.json"):
        evaluator.evaluate()
    evaluator.reset()
    evaluator.things = ThingClasses(evaluator.things.table, {0: 17, 1: 1203})
    with pytest.raises(DataError, match=r"Category 1203 is not among the categories of .*lvis\.json"):
        evaluator.evaluate()
    evaluator.json_file = str(tmp_path / "nowhere.json")
    with pytest.raises(DataError, match=r"nowhere\.json do not exist"):
        evaluator.evaluate()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read as JSON .*Expecting property name"),
        ("[]", r"it is \[\], expected a JSON object at the top"),
        ('{"annotations": [], "images": []}', "categories is missing, expected a list"),
        ('{"annotations": [], "images": [{"id": 1}], "categories": []}', "has no categories"),
        (
            '{"annotations": [], "images": [{"id": 1}], "categories": [{"id": 1, "frequency": "r"}]}',
            r"not LVIS's JSON format: image 1 has no neg_category_ids, expected a list",
        ),
        (
            '{"annotations": [], "images": [{"id": 1, "neg_category_ids": [], "not_exhaustive_category_ids": []}], '
            '"categories": [{"id": 1, "frequency": "x"}]}',
            "not LVIS's JSON format: category 1 has the frequency 'x', expected 'r', 'c' or 'f'",
        ),
    ],
)
def test_files_that_are_not_lvis(build, text, reason):
    evaluator = build()
    evaluator.things = ThingClasses(evaluator.things.table, {0: 1})
    with open(evaluator.json_file, "w", encoding="utf-8") as file:
        file.write(text)
    with pytest.raises(DataError, match=reason):
        evaluator.evaluate()


def test_a_missing_package_is_found_before_the_images(build, monkeypatch):
    def fail():
        raise FrozenSegError("not there")

    monkeypatch.setattr(lvis_ap, "import_lvis", fail)
    with pytest.raises(FrozenSegError, match="not there"):
        build()
