"""Prediction files of an evaluation: scored from the files, the results are equal."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from frozenseg import distributed
from frozenseg.data import DatasetCatalog, Metadata, MetadataCatalog
from frozenseg.errors import DataError
from frozenseg.evaluation.build import build_evaluators
from frozenseg.evaluation.evaluator import DatasetEvaluators, inference_on_dataset
from frozenseg.evaluation.label_counts import LabelValues
from frozenseg.evaluation.prediction_file_metrics.instances import score_instance_files
from frozenseg.evaluation.prediction_file_metrics.panoptic import score_panoptic_files
from frozenseg.evaluation.prediction_file_metrics.semantic import score_semantic_files
from frozenseg.evaluation.prediction_files import build_prediction_writers
from frozenseg.structures.instances import Instances
from frozenseg.structures.label_files import read_labels, read_segment_ids
from frozenseg.toyworld.export import Recipe, export_split
from tests.evaluation.squares import SIZE, annotation, predict, square

OUTPUT_KINDS = {"panoptic", "semantic", "instance"}
NO_METRICS = DatasetEvaluators([])
PERSON, CAR, ROAD = 24, 26, 7


@pytest.fixture
def toyworld(tmp_path, monkeypatch):
    """Five images of ToyWorld: metadata and records."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    export_split(tmp_path / "toyworld/val_seen", Recipe("val_seen", 0, 5, 64, 64), quiet=True)
    return MetadataCatalog.get("toyworld_val_seen"), DatasetCatalog.get("toyworld_val_seen")


class NoisyTruth(nn.Module):
    """Says what the annotations say, now and then something else."""

    def forward(self, batch):
        return [self.guess(record, np.random.default_rng(record["image_id"])) for record in batch]

    def guess(self, record, rng):
        ids, labels = read_segment_ids(record["pan_seg_file_name"]), read_labels(record["sem_seg_file_name"])
        moved = np.roll(ids, 3, axis=1)
        numbers = np.unique(moved[moved > 0])
        classes = {part["id"]: part["category_id"] for part in record["segments_info"]}
        things = [part["id"] for part in record["segments_info"] if part["isthing"]]
        segments = [{"id": index, "category_id": classes[number]} for index, number in enumerate(numbers, start=1)]
        segments[0]["category_id"] = int(rng.integers(0, 5))
        instances = Instances(
            ids.shape,
            pred_masks=torch.from_numpy(np.array([moved == number for number in things]).reshape(-1, *ids.shape)),
            scores=torch.from_numpy(rng.random(len(things)).astype(np.float32)),
            pred_classes=torch.tensor([classes[number] for number in things], dtype=torch.int64),
        )
        return {
            "panoptic_seg": (torch.from_numpy(np.searchsorted(numbers, moved) + 1), segments),
            "sem_seg": torch.from_numpy(np.where(labels == 255, 0, np.roll(labels, 5, axis=0) % 20).astype(np.int64)),
            "instances": instances,
        }


def evaluate(metadata, records, folder, **options):
    evaluators = build_evaluators(metadata, OUTPUT_KINDS, [True] * len(metadata.vocabulary))
    writers = build_prediction_writers(metadata, evaluators, OUTPUT_KINDS, folder, **options)
    results, _ = inference_on_dataset(NoisyTruth(), [[record] for record in records], evaluators, writers)
    for writer in writers:
        writer.close()
    return results


def score_files(metadata, folder):
    scores = {}
    panoptic = metadata.panoptic_json, metadata.panoptic_root, folder / "panoptic.json", folder / "panoptic"
    values = LabelValues(len(metadata.vocabulary), metadata.ignore_label)
    scores |= score_panoptic_files(*panoptic, quiet=True).results
    scores |= score_instance_files(metadata.json_file, folder / "instances.json").results
    scores |= score_semantic_files(metadata.sem_seg_root, folder / "semantic", values, quiet=True).results
    return scores


def without_subsets(results):
    return {
        task: {name: value for name, value in metrics.items() if name[:2] not in ("S_", "U_")}
        for task, metrics in results.items()
    }


def test_files_score_as_the_evaluation_itself(toyworld, tmp_path):
    metadata, records = toyworld
    results = evaluate(metadata, records, tmp_path / "files")
    assert 0 < results["panoptic_seg"]["PQ"] < 100
    actual = score_files(metadata, tmp_path / "files")
    for task, metrics in without_subsets(results).items():
        assert actual[task].keys() == metrics.keys()
        for name, value in metrics.items():
            np.testing.assert_equal(actual[task][name], value, err_msg=f"{task} {name}")
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == [
        "instances.json", "panoptic", "panoptic.json", "semantic",
    ]  # fmt: skip
    assert (tmp_path / "files/panoptic/000000000001.png").is_file()


def test_an_evaluation_that_was_cut_off_ends_with_whole_files(toyworld, tmp_path):
    metadata, records = toyworld
    evaluate(metadata, records, tmp_path / "whole")
    folder = tmp_path / "parts"
    for record in records[:2]:  # killed: nothing is closed
        for writer in build_prediction_writers(metadata, NO_METRICS, OUTPUT_KINDS, folder, resume=True):
            writer.observe(record, *NoisyTruth()([record]), {})
    assert not (folder / "panoptic.json").exists()
    evaluate(metadata, records[1:3], folder, resume=True)
    evaluate(metadata, records[2:], folder, resume=True)
    for name in ("panoptic.json", "instances.json"):
        assert (folder / name).read_text() == (tmp_path / "whole" / name).read_text()
    evaluate(metadata, records[:1], folder)  # starts again
    assert len(json.loads((folder / "panoptic.json").read_text())["annotations"]) == 1


def test_other_processes_leave_the_json_to_the_first(toyworld, tmp_path, monkeypatch):
    metadata, records = toyworld
    first = build_prediction_writers(metadata, NO_METRICS, {"panoptic"}, tmp_path / "files")[0]
    monkeypatch.setattr(distributed, "is_main_process", lambda: False)
    [writer] = build_prediction_writers(metadata, NO_METRICS, {"panoptic"}, tmp_path / "files")
    writer.observe(records[0], *NoisyTruth()(records[:1]), {})
    writer.close()
    assert not (tmp_path / "files/panoptic.json").exists()
    monkeypatch.setattr(distributed, "is_main_process", lambda: True)
    first.close()
    assert len(json.loads((tmp_path / "files/panoptic.json").read_text())["annotations"]) == 1


def test_lines_that_a_metric_has_made_are_taken_over(metadata, tmp_path):
    metadata.json_file = "instances.json"
    evaluators = build_evaluators(metadata, {"semantic", "instance"}, [True] * 3)
    [writer] = build_prediction_writers(metadata, evaluators, {"instance"}, tmp_path)
    lines = [{"image_id": "a/b", "score": 1}]
    contribution = {"SemanticIoU": {"true": []}, "InstanceAP": {"image_id": "a/b", "lines": lines}}
    writer.observe({"image_id": "a/b", "file_name": "a/b.jpg"}, {}, contribution)
    writer.close()
    assert json.loads((tmp_path / "instances.json").read_text()) == [{"image_id": "a/b", "score": 1}]


@pytest.fixture
def record(tmp_path):
    return {
        "image_id": 7,
        "file_name": str(tmp_path / "images/more/ulm_000001_000002_leftImg8bit.png"),
        "sem_seg_file_name": str(tmp_path / "labels/other/name.png"),
    }


@pytest.mark.parametrize(
    ("evaluator_type", "extra", "path", "expected"),
    [
        ("sem_seg", {}, "other/name.png", [[0, 2, 1]]),
        ("sem_seg", {"first_label": 4}, "other/name.png", [[4, 6, 5]]),
        ("sem_seg", {"first_label": 254}, "other/name.tif", [[254, 256, 255]]),
        ("ade20k_panoptic_seg", {}, "more/ulm_000001_000002_leftImg8bit.png", [[1, 3, 2]]),
        ("cityscapes_sem_seg", {}, "ulm_000001_000002_pred.png", [[17, 187, 18]]),
    ],
)
def test_label_pictures_are_as_each_benchmark_wants_them(
    metadata, record, tmp_path, evaluator_type, extra, path, expected
):
    metadata = Metadata(**{**vars(metadata), "evaluator_type": evaluator_type, **extra})
    metadata.image_root, metadata.sem_seg_root = str(tmp_path / "images"), str(tmp_path / "labels")
    [writer] = build_prediction_writers(metadata, NO_METRICS, {"semantic"}, tmp_path / "files")
    scores = torch.eye(3)[[0, 2, 1]][:, None]  # (C, 1, 3), the classes 0, 2, 1
    writer.observe(record, {"sem_seg": scores}, {})
    assert read_labels(tmp_path / "files/semantic" / path).tolist() == expected
    labels = read_labels(tmp_path / "files/semantic" / path)
    assert labels.dtype == (np.uint8 if path.endswith("png") else np.uint16)
    writer.observe(record, {"sem_seg": torch.zeros(1, 3, dtype=torch.int64)}, {})
    assert len(set(read_labels(tmp_path / "files/semantic" / path).ravel())) == 1


def test_what_is_not_scored_is_not_written(metadata, tmp_path):
    metadata.evaluator_type = "sem_seg"
    assert [
        type(writer).__name__ for writer in build_prediction_writers(metadata, NO_METRICS, OUTPUT_KINDS, tmp_path)
    ] == ["LabelWriter"]
    assert build_prediction_writers(metadata, NO_METRICS, {"recall"}, tmp_path) == []
    metadata.evaluator_type, metadata.thing_dataset_id_to_contiguous_id = "coco", {}
    assert build_prediction_writers(metadata, NO_METRICS, OUTPUT_KINDS, tmp_path) == []


@pytest.mark.parametrize("output_kind", sorted(OUTPUT_KINDS))
def test_an_output_that_is_missing_is_named(metadata, record, tmp_path, output_kind):
    [writer] = build_prediction_writers(metadata, NO_METRICS, {output_kind}, tmp_path)
    with pytest.raises(DataError, match=rf"image 7 has no \w+: set .*{output_kind.upper()}_ON to True"):
        writer.observe(record, {}, {})


@pytest.fixture
def street(metadata, tmp_path):
    """Cars are class 0, people class 1, roads stuff; five images of squares."""
    pytest.importorskip("cityscapesscripts")
    metadata.evaluator_type = "cityscapes_panoptic_seg"
    metadata.stuff_classes = ["car", "person", "road"]
    metadata.thing_dataset_id_to_contiguous_id = {CAR: 0, PERSON: 1}
    metadata.stuff_dataset_id_to_contiguous_id = {CAR: 0, PERSON: 1, ROAD: 2}
    rng = np.random.default_rng(0)
    records, outputs = [], []
    for number in range(5):
        name = f"ulm_{number:06}_000019"
        ids, labels = np.full((SIZE, SIZE), ROAD, dtype=np.uint16), np.full((SIZE, SIZE), ROAD, dtype=np.uint8)
        instances, guess = [], torch.full((SIZE, SIZE), 2)
        for index in range(6 if number else 0):  # the first street is empty
            label = index % 2
            left, top, side = rng.integers(0, 60), rng.integers(0, 60), rng.integers(15, 50)
            inside, near = square(left, top, side), square(left + rng.integers(0, 6), top, side)
            ids[inside], labels[inside] = (CAR, PERSON)[label] * 1000 + index, (CAR, PERSON)[label]
            guess[torch.from_numpy(near)] = label
            instances.append((near, label, float(np.float32(rng.random()))))
        files = {kind: tmp_path / f"gt/{name}_gtFine_{kind}.png" for kind in ("instanceIds", "labelIds")}
        files["instanceIds"].parent.mkdir(exist_ok=True)
        Image.fromarray(ids).save(files["instanceIds"])
        Image.fromarray(labels).save(files["labelIds"])
        file_name = str(tmp_path / f"images/ulm/{name}_leftImg8bit.png")
        records.append({"image_id": name, "file_name": file_name, "instance_file_name": str(files["instanceIds"])})
        outputs.append({**predict(*instances)[0], "sem_seg": guess})
    return metadata, records, outputs


def test_cityscapes_files_score_as_the_package_says(street, tmp_path, monkeypatch):
    from frozenseg.evaluation.cityscapes_ap import CityscapesAP
    from frozenseg.evaluation.cityscapes_iou import CityscapesIoU
    from frozenseg.evaluation.official_packages import import_cityscapes_evaluation

    metadata, records, outputs = street
    evaluators = [cls.from_metadata(metadata, [True] * 3) for cls in (CityscapesAP, CityscapesIoU)]
    writers = build_prediction_writers(metadata, NO_METRICS, {"instance", "semantic"}, tmp_path / "files")
    for record, output in zip(records, outputs, strict=True):
        for evaluator in evaluators:
            evaluator.process([record], [output])
        for writer in writers:
            writer.observe(record, output, {})
    ours = [evaluator.evaluate() for evaluator in evaluators]

    package = import_cityscapes_evaluation()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(package.instance, "writeDict2JSON", lambda *_: None)  # it cannot write NumPy's numbers
    truth = [record["instance_file_name"] for record in records]
    settings = SimpleNamespace(**vars(package.instance.args) | {"quiet": True, "JSONOutput": False})
    settings.gtInstancesFile, settings.predictionPath = "none.json", str(tmp_path / "files/instances")
    actual = [package.instance.getPrediction(path, settings) for path in truth]
    theirs = package.instance.evaluateImgLists(actual, truth, settings)["averages"]
    assert 0 < theirs["allAp"] < 1
    assert ours[0]["segm"]["AP"] == 100 * theirs["allAp"]
    assert ours[0]["segm"]["AP50"] == 100 * theirs["allAp50%"]

    settings = SimpleNamespace(**vars(package.pixel.args) | {"quiet": True, "JSONOutput": False})
    settings.predictionPath, settings.predictionWalk = str(tmp_path / "files/semantic"), None
    truth = [path.replace("instanceIds", "labelIds") for path in truth]
    actual = [package.pixel.getPrediction(settings, path) for path in truth]
    theirs = package.pixel.evaluateImgLists(actual, truth, settings)
    assert 0 < theirs["averageScoreClasses"] < 1
    assert ours[1]["sem_seg"]["IoU"] == 100 * theirs["averageScoreClasses"]
    assert ours[1]["sem_seg"]["iIoU"] == pytest.approx(100 * theirs["averageScoreInstClasses"], abs=1e-12)


def test_lvis_and_coco_want_the_same_lines(metadata, tmp_path):
    metadata.evaluator_type = "lvis"
    [writer] = build_prediction_writers(metadata, NO_METRICS, {"instance"}, tmp_path)
    writer.observe({"image_id": 1, "file_name": "1.jpg"}, predict((square(0, 0, 20), 1, 0.5))[0], {})
    writer.close()
    [line] = json.loads((tmp_path / "instances.json").read_text())
    assert (line["image_id"], line["category_id"], line["score"]) == (1, 18, 0.5)
    assert line["segmentation"] == annotation(1, 1, 18, square(0, 0, 20))["segmentation"]
