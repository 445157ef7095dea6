"""Test assets of Datumaro in the formats of data sets: loaded, or refused with one sentence that names the reason."""

import shutil
from pathlib import Path

import pytest

from frozenseg.data import resolve
from frozenseg.data.checks.inspect import inspect_dataset
from frozenseg.data.prepare import cityscapes, pascal_voc
from frozenseg.data.prepare.runner import prepare
from frozenseg.errors import FrozenSegError
from frozenseg.evaluation.prediction_file_metrics.instances import score_instance_files
from tests.tiny import ROOT

FILES = ROOT / "tests/data/third_party/datumaro"
COCO, ROBOFLOW = FILES / "coco_dataset", FILES / "roboflow_dataset/coco"
MAPILLARY = FILES / "mapillary_vistas_dataset"


def test_coco_instances(tmp_path: Path) -> None:
    json_file = COCO / "coco_instances/annotations/instances_val.json"
    name = f"coco-instances:{json_file}?images={COCO}/coco_instances/images/val"
    report, _ = inspect_dataset(name, tmp_path)
    assert report.problems == []
    assert resolve(name).vocabulary.names == ("a", "b", "c")
    assert report.pixels.tolist() == [2, 18, 0]  # the polygon of 2 pixels is on top of the crowd of 20


def test_coco_panoptic(tmp_path: Path) -> None:
    home = COCO / "coco_panoptic"
    name = f"coco-panoptic:{home}/annotations/panoptic_{{0}}.json?images={home}/images/{{0}}"
    report, _ = inspect_dataset(name.format("val"), tmp_path)
    assert report.problems == []
    assert report.pixels.tolist() == [20, 20]
    report, _ = inspect_dataset(name.format("train"), tmp_path)
    [problem] = report.problems
    assert "a.png is 5×5 pixels, its image 10×5" in problem


def test_roboflow_boxes_cannot_be_scored(tmp_path: Path) -> None:
    predictions = tmp_path / "predictions.json"
    predictions.write_text("[]")
    with pytest.raises(FrozenSegError, match="box"):
        score_instance_files(ROBOFLOW / "train/_annotations.coco.json", predictions)


@pytest.mark.parametrize("version", ["v1.2/panoptic/panoptic_2018", "v2.0/panoptic/panoptic_2020"])
def test_mapillary(version: str, tmp_path: Path) -> None:
    json_file = MAPILLARY / f"val/{version}.json"
    name = f"coco-panoptic:{json_file}?images={MAPILLARY}/val/images&masks={json_file.parent}"
    report, _ = inspect_dataset(name, tmp_path)
    assert report.problems == []
    assert report.pixels.tolist() == [15, 15, 20]


def test_pascal_voc(tmp_path: Path) -> None:
    shutil.copytree(FILES / "voc_dataset1", tmp_path / "VOCdevkit/VOC2012")
    with pytest.raises(FrozenSegError, match=r"2007_000001\.png has 3 channels; expected one channel"):
        prepare(pascal_voc.CONVERTER, tmp_path)


def test_cityscapes(tmp_path: Path) -> None:
    shutil.copytree(FILES / "cityscapes_dataset/dataset", tmp_path / "cityscapes")
    with pytest.raises(FrozenSegError, match=r"_gtFine_labelIds\.png does not exist"):
        prepare(cityscapes.CONVERTER, tmp_path)
