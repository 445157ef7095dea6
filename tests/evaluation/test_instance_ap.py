"""InstanceAP on squares with overlaps counted by hand."""

import json

import numpy as np
import pytest

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.coco_ap_evaluator import InstanceAP
from tests.evaluation.squares import SIZE, annotation, predict, square


def write_annotations(path, annotations, images=(1, 2)):
    content = {
        "images": [{"id": image, "height": SIZE, "width": SIZE} for image in images],
        "categories": [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}],
        "annotations": annotations,
    }
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


@pytest.fixture
def evaluator(metadata, tmp_path):
    metadata.json_file = write_annotations(
        tmp_path / "instances.json",
        [
            annotation(1, 1, 17, square(0, 0, 20)),
            annotation(2, 1, 18, square(60, 0, 50)),
            annotation(3, 2, 17, square(0, 0, 20)),
        ],
    )
    return InstanceAP.from_metadata(metadata, seen=[True, False, True])


def test_perfect_predictions_score_100(evaluator):
    evaluator.process([{"image_id": 1}], predict((square(0, 0, 20), 0, 0.9), (square(60, 0, 50), 1, 0.8)))
    evaluator.process([{"image_id": 2}], predict((square(0, 0, 20), 0, 0.7)))
    results = evaluator.evaluate()["segm"]
    assert np.isnan([results.pop("APl"), results.pop("ARl")]).all()  # no large object
    subsets = [f"{subset}_AP{suffix}" for suffix in ("", "50", "75") for subset in ("S", "U", "feline")]
    recall = ["AR@1", "AR@10", "AR@100", "ARs", "ARm"]
    assert list(results) == ["AP", "AP50", "AP75", "APs", "APm", *recall, *subsets]
    assert list(results.values()) == [pytest.approx(100)] * len(results)
    assert evaluator.per_class == {metric: pytest.approx({"cat": 100, "dog": 100}) for metric in ("AP", "AP50", "AP75")}


def test_overlap_and_misses_show_in_the_right_numbers(evaluator):
    # cat: one of two found, IoU 0.6 (12 of 20 rows): right at thresholds 0.50, 0.55, 0.60; dog: missed
    shorter = square(0, 0, 20) & (np.arange(SIZE)[:, None] < 12)
    evaluator.process([{"image_id": 1}], predict((shorter, 0, 0.9)))
    evaluator.process([{"image_id": 2}], predict())
    results = evaluator.evaluate()["segm"]
    half = 51 / 101  # precision 1 at recall 0, 0.01, …, 0.50
    assert results["S_AP"] == results["feline_AP"] == pytest.approx(100 * half * 3 / 10)
    assert results["U_AP"] == 0
    assert results["AP"] == pytest.approx(results["S_AP"] / 2)
    assert results["AP50"] == pytest.approx(100 * half / 2)
    assert results["AP75"] == 0


def test_only_processed_images_count(evaluator):
    evaluator.process([{"image_id": 1}], predict((square(0, 0, 20), 0, 0.9), (square(60, 0, 50), 1, 0.8)))
    assert evaluator.evaluate()["segm"]["AP"] == pytest.approx(100)
    evaluator.reset()
    evaluator.process([{"image_id": 1}], predict())
    assert evaluator.evaluate()["segm"]["AP"] == 0


def test_evaluating_twice_gives_the_same(evaluator):
    evaluator.process([{"image_id": 1}], predict((square(0, 0, 20), 0, 0.9), (square(60, 0, 50), 1, 0.8)))
    first, second = evaluator.evaluate()["segm"], evaluator.evaluate()["segm"]
    assert first == pytest.approx(second, nan_ok=True)


def test_classes_keep_their_own_ap_when_dataset_ids_run_the_other_way(metadata, tmp_path):
    metadata.thing_dataset_id_to_contiguous_id = {18: 0, 17: 1}  # contiguous 0 is category 18
    metadata.json_file = write_annotations(
        tmp_path / "other.json", [annotation(1, 1, 17, square(0, 0, 20)), annotation(2, 1, 18, square(60, 0, 50))]
    )
    evaluator = InstanceAP.from_metadata(metadata, seen=[True, False, True])
    evaluator.process([{"image_id": 1}], predict((square(60, 0, 50), 0, 0.9)))  # finds category 18 only
    results = evaluator.evaluate()["segm"]
    assert (results["S_AP"], results["U_AP"]) == (pytest.approx(100), 0)


def test_processes_are_merged_and_all_get_the_result(evaluator, monkeypatch):
    other = InstanceAP(evaluator.things.table, evaluator.json_file, evaluator.things.dataset_ids)
    evaluator.process([{"image_id": 1}], predict((square(0, 0, 20), 0, 0.9), (square(60, 0, 50), 1, 0.8)))
    other.process([{"image_id": 2}], predict((square(0, 0, 20), 0, 0.7)))
    shares = iter([[evaluator.images, other.images]])
    monkeypatch.setattr(distributed, "gather", lambda item: next(shares, [item, None]))
    assert evaluator.evaluate()["segm"]["AP"] == pytest.approx(100)


def test_nothing_is_printed(evaluator, capsys):
    evaluator.process([{"image_id": 1}], predict((square(0, 0, 20), 0, 0.9)))
    evaluator.evaluate()
    assert capsys.readouterr().out == ""


def test_bad_predictions_and_files_are_named(evaluator, tmp_path):
    with pytest.raises(DataError, match="no instances: set .*INSTANCE_ON"):
        evaluator.process([{"image_id": 1}], [{}])
    with pytest.raises(DataError, match="image 1 has an instance of class 2, which is not a thing"):
        evaluator.process([{"image_id": 1}], predict((square(0, 0, 9), 2, 0.5)))
    with pytest.raises(DataError, match="a score that is not finite"):
        evaluator.process([{"image_id": 1}], predict((square(0, 0, 9), 0, float("nan"))))
    evaluator.reset()
    evaluator.process([{"image_id": 404}], predict())
    with pytest.raises(DataError, match="Image 404 is not among the images of .*instances.json"):
        evaluator.evaluate()
    evaluator.json_file = str(tmp_path / "nowhere.json")
    with pytest.raises(DataError, match="nowhere.json do not exist"):
        evaluator.evaluate()
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    evaluator.json_file = str(tmp_path / "broken.json")
    with pytest.raises(DataError, match="instance annotations .*broken.json cannot be read as JSON"):
        evaluator.evaluate()


def test_what_a_data_set_lacks(metadata):
    assert InstanceAP.missing_data(metadata) == "instance annotations (json_file)"
    metadata.json_file = "instances.json"
    assert InstanceAP.missing_data(metadata) == ""
    metadata.thing_dataset_id_to_contiguous_id = {}
    assert InstanceAP.missing_data(metadata) == "thing classes"
