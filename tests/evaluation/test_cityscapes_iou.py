"""IoU and iIoU of Cityscapes: a street counted by hand, and random ones compared with the official package."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg import distributed
from frozenseg.data import MetadataCatalog
from frozenseg.errors import DataError
from frozenseg.evaluation.build import build_evaluators
from frozenseg.evaluation.cityscapes_iou import CityscapesIoU
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.official_packages import import_cityscapes_evaluation

ROAD, SIDEWALK, RAIL_TRACK, PERSON, CAR, CARAVAN = 7, 8, 10, 24, 26, 29
NAMES = ["road", "person,pedestrian", "car"]  # contiguous 0, 1, 2
MEAN_CAR = 12794.0202738185  # pixels


@pytest.fixture
def street(metadata):
    metadata.evaluator_type = "cityscapes_panoptic_seg"
    metadata.stuff_classes = NAMES
    metadata.thing_dataset_id_to_contiguous_id = {PERSON: 1, CAR: 2}
    metadata.stuff_dataset_id_to_contiguous_id = {ROAD: 0, PERSON: 1, CAR: 2}
    metadata.category_groups = {}
    return metadata


@pytest.fixture
def evaluator(street):
    return CityscapesIoU.from_metadata(street, seen=[True, False, True])


@pytest.fixture
def write(tmp_path):
    """Write instance ids, and the label image that belongs to them, of an image; return its record."""

    def make(ids, name="a"):
        ids = np.array(ids)
        path = tmp_path / f"{name}_000000_000000_gtFine_instanceIds.png"
        Image.fromarray(ids.astype(np.uint16)).save(path)
        labels = np.where(ids >= 1000, ids // 1000, ids).astype(np.uint8)
        Image.fromarray(labels).save(str(path).replace("instanceIds", "labelIds"))
        return {"image_id": name, "instance_file_name": str(path)}

    return make


def says(labels):
    return {"sem_seg": torch.as_tensor(np.array(labels))}


def test_a_street_counted_by_hand(evaluator, write):
    # car 0 of 4 pixels, half found; car 1 of 1 pixel, found; a group of cars, missed; road, one pixel lost to a person
    truth = [[26000, 26000, 26000, 26000, 26001], [CAR, ROAD, ROAD, RAIL_TRACK, CARAVAN]]
    guess = [[2, 2, 1, 0, 2], [0, 0, 1, 2, 2]]
    evaluator.process([write(truth)], [says(guess)])
    results = evaluator.evaluate()["sem_seg"]
    # cars: 3 hit, 3 missed, none on what counts. Roads: 1 hit, 1 missed, 2 false. People: 2 false, none true
    iou = {"road": 1 / 4, "person": 0, "car": 3 / 6}
    hits = MEAN_CAR * (2 / 4 + 1 / 1)
    iiou = {"person": 0, "car": hits / (2 * MEAN_CAR)}
    assert evaluator.per_class == {
        "Cityscapes IoU": pytest.approx({name: 100 * value for name, value in iou.items()}),
        "Cityscapes iIoU": pytest.approx({name: 100 * value for name, value in iiou.items()}),
    }
    assert results["IoU"] == pytest.approx(100 * (1 / 4 + 0 + 1 / 2) / 3)
    assert results["S_IoU"] == pytest.approx(100 * (1 / 4 + 1 / 2) / 2)
    assert results["iIoU"] == pytest.approx(100 * (0 + 0.75) / 2)
    assert (results["S_iIoU"], results["U_iIoU"]) == (pytest.approx(75), 0)
    # flat: as the road. human: 2 pixels of other categories, nothing true. vehicle: as the car
    assert results["IoU_sup"] == pytest.approx(100 * (1 / 4 + 0 + 1 / 2) / 3)
    assert results["iIoU_sup"] == pytest.approx(100 * (0 + 0.75) / 2)


def test_an_image_contributes_what_json_can_hold(evaluator, write):
    actual = evaluator.describe(write([[26000, 26001, ROAD]]), says([[2, 0, 0]]))
    assert actual == {
        "true": [ROAD, CAR, CAR],
        "predicted": [ROAD, ROAD, CAR],
        "pixels": [1, 1, 1],
        "objects": [[CAR, MEAN_CAR, MEAN_CAR, MEAN_CAR, MEAN_CAR]],  # one found, one missed, by label and by category
    }
    assert json.loads(json.dumps(actual)) == actual


def test_processes_are_merged(street, write, monkeypatch):
    images = [(write([[26000, ROAD]], "a"), says([[2, 2]])), (write([[26000, 24000]], "b"), says([[1, 1]]))]
    alone, first, second = (CityscapesIoU.from_metadata(street, [True, True, False]) for _ in range(3))
    alone.process(*zip(*images, strict=True))
    first.process(*([item] for item in images[0]))
    second.process(*([item] for item in images[1]))
    shares = iter([torch.from_numpy(second._confusion), torch.from_numpy(second._objects)])
    expected = alone.evaluate()
    monkeypatch.setattr(distributed, "sum_over_ranks", lambda mine: mine + next(shares))
    assert first.evaluate()["sem_seg"] == pytest.approx(expected["sem_seg"])
    first.reset()
    monkeypatch.undo()
    assert np.isnan(list(first.evaluate()["sem_seg"].values())).all()


def test_bad_truth_predictions_and_classes_are_named(evaluator, street, write):
    for value in (34, 7000, 34000):
        with pytest.raises(DataError, match=f"instance ids of image a hold the value {value}: expected a label id, 0"):
            evaluator.describe(write([[value]]), says([[0]]))
    with pytest.raises(DataError, match=r"sem_seg for image a has shape \(1, 2\), expected \(3, 1, 1\)"):
        evaluator.describe(write([[ROAD]]), says([[0, 0]]))
    with pytest.raises(DataError, match="no instance_file_name"):
        evaluator.describe({"image_id": "a"}, says([[0]]))
    street.stuff_dataset_id_to_contiguous_id = {99: 0, PERSON: 1, CAR: 2}
    with pytest.raises(DataError, match="Cityscapes has no label 99"):
        CityscapesIoU.from_metadata(street, [True] * 3)
    with pytest.raises(DataError, match="1 Cityscapes label ids for 3 classes: give one each"):
        CityscapesIoU(ClassTable.from_metadata(street, [True] * 3), [7])


def test_without_the_package_the_other_metric_remains(street, monkeypatch, caplog):
    caplog.set_level("INFO", logger="frozenseg")
    monkeypatch.setitem(sys.modules, "cityscapesscripts", None)
    chosen = build_evaluators(street, {"semantic"}, [True] * 3).evaluators
    assert [type(evaluator).__name__ for evaluator in chosen] == ["SemanticIoU"]
    assert "CityscapesIoU is skipped for little_world: no package cityscapesscripts (pip install" in caplog.text


def random_street(rng):
    """Return (24, 40) instance ids: regions, then objects, groups and void upon them."""
    ids = np.zeros((24, 40), dtype=np.int64)
    numbers = [7, 8, 11, 21, 23, 0, 4, 10, 26, 24, 25, 33, 29]
    numbers += [1000 * label + number for label in (24, 25, 26, 27, 28, 29, 30, 31, 32, 33) for number in range(2)]
    for number in [*numbers[:5], *rng.permutation(numbers)]:
        top, left, height, width = rng.integers([0, 0, 3, 3], [20, 36, 12, 15])
        ids[top : top + height, left : left + width] = number
    return ids


def random_scores(rng, ids, label_ids):
    """Return scores whose best class is the true one in most places."""
    labels = np.where(ids >= 1000, ids // 1000, ids)
    true = (np.array(label_ids)[:, None, None] == labels).astype(np.float32)
    return torch.from_numpy(true + rng.uniform(0, 1.4, true.shape).astype(np.float32))


def test_random_streets_score_as_the_package_says(write, tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    street = MetadataCatalog.get("openvocab_cityscapes_fine_panoptic_val")
    label_ids = list(street.category_ids)
    scenes = [random_street(rng) for _ in range(6)]
    outputs = [{"sem_seg": random_scores(rng, ids, label_ids)} for ids in scenes]
    records = [write(ids, f"city{number}") for number, ids in enumerate(scenes)]
    evaluator = CityscapesIoU.from_metadata(street, [True] * 19)
    monkeypatch.chdir(tmp_path)
    files = set(tmp_path.rglob("*"))
    evaluator.process(records, outputs)
    ours = evaluator.evaluate()["sem_seg"]
    assert set(tmp_path.rglob("*")) == files
    assert capsys.readouterr().out == ""

    theirs = score_officially(tmp_path, records, outputs, label_ids)
    names = {"IoU": "Classes", "iIoU": "InstClasses", "IoU_sup": "Categories", "iIoU_sup": "InstCategories"}
    for metric, name in names.items():
        assert 0 < theirs[f"averageScore{name}"] < 1
        assert ours[metric] == pytest.approx(100 * theirs[f"averageScore{name}"], abs=1e-12)
    for metric, name in (("Cityscapes IoU", "classScores"), ("Cityscapes iIoU", "classInstScores")):
        known = {label: 100 * value for label, value in theirs[name].items() if not np.isnan(value)}
        assert evaluator.per_class[metric] == pytest.approx(known, abs=1e-12)
    assert (len(evaluator.per_class["Cityscapes IoU"]), len(evaluator.per_class["Cityscapes iIoU"])) == (19, 8)


def score_officially(folder, records, outputs, label_ids):
    """Run the package as it is meant to be run: on PNG files."""
    package = import_cityscapes_evaluation().pixel
    predictions = []
    for record, output in zip(records, outputs, strict=True):
        predictions.append(str(folder / f"{record['image_id']}_prediction.png"))
        labels = np.array(label_ids, dtype=np.uint8)[output["sem_seg"].argmax(dim=0).numpy()]
        Image.fromarray(labels).save(predictions[-1])
    truth = [record["instance_file_name"].replace("instanceIds", "labelIds") for record in records]
    settings = SimpleNamespace(**vars(package.args) | {"quiet": True, "JSONOutput": False})
    return package.evaluateImgLists(predictions, truth, settings)
