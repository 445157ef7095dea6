"""AP of Cityscapes: squares counted by hand, and a random street compared with the official package."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.build import build_evaluators
from frozenseg.evaluation.cityscapes_ap import CityscapesAP
from frozenseg.evaluation.official_packages import import_cityscapes_evaluation
from tests.evaluation.squares import SIZE, predict, square

PERSON, CAR = 24, 26
RAIL_TRACK = 10  # void


@pytest.fixture
def street(metadata):
    """Cars are class 0, people class 1, roads stuff."""
    metadata.evaluator_type = "cityscapes_panoptic_seg"
    metadata.stuff_classes = ["car,vehicle", "person", "road"]
    metadata.thing_dataset_id_to_contiguous_id = {CAR: 0, PERSON: 1}
    metadata.category_groups = {}
    return metadata


@pytest.fixture
def evaluator(street):
    return CityscapesAP.from_metadata(street, seen=[True, False, True])


@pytest.fixture
def write(tmp_path):
    """Write squares of (instance id, left, top, side) as the instance file of an image; return its record."""

    def make(*squares, name="a"):
        ids = np.zeros((SIZE, SIZE), dtype=np.uint16)
        for number, *where in squares:
            ids[square(*where)] = number
        path = tmp_path / f"{name}_000000_000000_gtFine_instanceIds.png"
        Image.fromarray(ids).save(path)
        return {"image_id": name, "instance_file_name": str(path)}

    return make


def score(evaluator, record, *instances):
    evaluator.process([record], predict(*instances))
    return evaluator.evaluate()["segm"]


def test_perfect_predictions_score_100(evaluator, write):
    record = write((26000, 0, 0, 20), (26001, 40, 0, 20), (24000, 0, 60, 20))
    cars = [(square(0, 0, 20), 0, 0.9), (square(40, 0, 20), 0, 0.2)]
    results = score(evaluator, record, *cars, (square(0, 60, 20), 1, 0.5))
    assert results == pytest.approx({"AP": 100, "AP50": 100, "S_AP": 100, "U_AP": 100, "S_AP50": 100, "U_AP50": 100})
    assert evaluator.per_class["AP"] == pytest.approx({"car": 100, "person": 100})


def test_a_shifted_mask_counts_up_to_its_iou(evaluator, write):
    # 20 × 20 against 20 × 20, shifted by 4: IoU 16 / 24 = 0.67, above 0.5, 0.55, 0.6, 0.65 of the ten thresholds
    results = score(evaluator, write((26000, 0, 0, 20)), (square(4, 0, 20), 0, 0.9))
    assert (results["AP"], results["AP50"]) == (pytest.approx(40), pytest.approx(100))
    assert np.isnan(results["U_AP"])  # there is no person


@pytest.mark.parametrize("number", [RAIL_TRACK, CAR])
def test_cars_in_void_and_in_groups_are_no_mistakes(evaluator, write, number):
    record = write((26000, 0, 0, 20), (number, 40, 0, 40))
    car, other = (square(0, 0, 20), 0, 0.5), (square(45, 5, 20), 0, 0.9)
    assert score(evaluator, record, car, other)["AP"] == pytest.approx(100)


def test_a_car_on_the_road_is_a_mistake(evaluator, write):
    record = write((26000, 0, 0, 20), (7, 40, 0, 40))
    car, other = (square(0, 0, 20), 0, 0.5), (square(45, 5, 20), 0, 0.9)
    # precisions 1/2, 0, 1 at recalls 1, 0, 0, weighted by half the distance of their neighbours' recalls: 1/2, 1/2, 0
    assert score(evaluator, record, car, other)["AP"] == pytest.approx(25)


def test_objects_below_100_pixels_do_not_count(evaluator, write):
    results = score(evaluator, write((26000, 0, 0, 9), (24000, 0, 60, 20)), (square(0, 0, 9), 0, 0.9))
    assert np.isnan(results["S_AP"])
    assert results["AP"] == results["U_AP"] == 0


def test_nothing_at_all_has_no_score(evaluator, write, recwarn):
    assert np.isnan(list(score(evaluator, write()).values())).all()
    assert not recwarn.list


def test_processes_are_merged_and_all_get_the_result(street, write, monkeypatch):
    evaluator, other = (CityscapesAP.from_metadata(street, [True] * 3) for _ in range(2))
    evaluator.process([write((26000, 0, 0, 20), name="a")], predict((square(0, 0, 20), 0, 0.9)))
    other.process([write((26000, 9, 0, 20), name="b")], predict())
    shares = iter([[evaluator.images, other.images]])
    monkeypatch.setattr(distributed, "gather", lambda item: next(shares, [item, None]))
    assert evaluator.evaluate()["segm"]["AP"] == pytest.approx(50)


def test_bad_predictions_and_labels_are_named(street, evaluator, write):
    record = write((26000, 0, 0, 20))
    Image.new("I;16", (SIZE, SIZE + 1)).save(record["instance_file_name"])
    with pytest.raises(DataError, match=r"a_000000_000000_gtFine_instanceIds\.png is 120×120, but the file is 120×121"):
        evaluator.process([record], predict((square(0, 0, 20), 0, 0.9)))
    with pytest.raises(DataError, match="image a has an instance of class 2, which is not a thing"):
        evaluator.process([record], predict((square(0, 0, 20), 2, 0.9)))
    street.thing_dataset_id_to_contiguous_id = {7: 0}  # the road
    with pytest.raises(DataError, match="Cityscapes has no label 7 with instances"):
        CityscapesAP.from_metadata(street, seen=[True] * 3)


def random_street(rng):
    """Return (instance id, left, top, side) of overlapping things, groups and void."""
    numbers = [26000, 26001, 26002, 24000, 24001, 26, 24, RAIL_TRACK, 7, 29000]
    return [(number, *(int(value) for value in rng.integers(0, 80, 2)), int(rng.integers(8, 40))) for number in numbers]


def random_predictions(rng, squares):
    """Return the things, moved a little, and some false ones."""
    moved = [
        (square(left + int(rng.integers(0, 5)), top, side), 0 if number // 1000 == CAR else 1, round(rng.random(), 1))
        for number, left, top, side in squares
        if number // 1000 in (CAR, PERSON)
    ]
    guessed = [
        (square(*rng.integers(0, 80, 2), int(rng.integers(5, 40))), int(rng.integers(0, 2)), round(rng.random(), 1))
        for _ in range(5)
    ]
    return moved + guessed


def score_officially(package, folder, records, predictions):
    """Run the package as it is meant to be run: on PNG and text files."""
    (folder / "predictions").mkdir()
    files = []
    for record, instances in zip(records, predictions, strict=True):
        lines = []
        for index, (mask, label, confidence) in enumerate(instances):
            name = f"{record['image_id']}_{index}.png"
            Image.fromarray(mask.astype(np.uint8)).save(folder / "predictions" / name)
            lines.append(f"{name} {(CAR, PERSON)[label]} {np.float32(confidence)}\n")
        files.append(folder / "predictions" / f"{record['image_id']}.txt")
        files[-1].write_text("".join(lines))
    settings = SimpleNamespace(
        **vars(package.args)
        | {"gtInstancesFile": str(folder / "gt.json"), "predictionPath": str(folder / "predictions")}
        | {"quiet": True, "JSONOutput": False}
    )
    truth = [record["instance_file_name"] for record in records]
    return package.evaluateImgLists([str(file) for file in files], truth, settings)["averages"]


def test_a_random_street_scores_as_the_package_says(street, write, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)  # the package writes into the working directory, which we do not
    rng = np.random.default_rng(0)
    scenes = [random_street(rng) for _ in range(12)]
    predictions = [random_predictions(rng, squares) for squares in scenes]
    records = [write(*squares, name=f"city{number}") for number, squares in enumerate(scenes)]
    evaluator = build_evaluators(street, {"instance"}, [True, False, True]).evaluators[0]
    for record, instances in zip(records, predictions, strict=True):
        evaluator.process([record], predict(*instances))
    files = set(tmp_path.rglob("*"))
    ours = evaluator.evaluate()["segm"]
    assert set(tmp_path.rglob("*")) == files
    assert capsys.readouterr().out == ""

    package = import_cityscapes_evaluation().instance
    monkeypatch.setattr(
        package, "writeDict2JSON", lambda *_: None
    )  # of what it counted; it cannot write NumPy's numbers
    theirs = score_officially(package, tmp_path, records, predictions)
    assert 0 < theirs["allAp"] < 1
    assert ours["AP"] == pytest.approx(100 * theirs["allAp"], abs=1e-12)
    assert ours["AP50"] == pytest.approx(100 * theirs["allAp50%"], abs=1e-12)
    assert evaluator.per_class["AP"] == pytest.approx(
        {name: 100 * theirs["classes"][name]["ap"] for name in ("car", "person")}, abs=1e-12
    )
