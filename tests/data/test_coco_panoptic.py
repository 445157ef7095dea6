"""COCO panoptic files → records."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frozenseg.data import DatasetCatalog, Metadata, MetadataCatalog
from frozenseg.data.formats.coco_panoptic import load_coco_panoptic
from frozenseg.errors import DataError
from frozenseg.evaluation.ground_truth import ground_truth_of
from frozenseg.structures.panoptic import rgb_to_id


@pytest.fixture
def broken(toy_root, tmp_path, monkeypatch) -> Path:
    """A copy of a split that a test may damage."""
    shutil.copytree(toy_root / "toyworld" / "train", tmp_path / "toyworld" / "train")
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    return tmp_path / "toyworld" / "train"


def edit(path: Path, change) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_records_of_toyworld(toy):
    records = DatasetCatalog.get("toyworld_val_unseen")
    metadata = MetadataCatalog.get("toyworld_val_unseen")
    assert [record["image_id"] for record in records] == [1, 2, 3]
    things = set(metadata.thing_contiguous_ids.values())
    for record in records:
        assert set(record) == {
            "file_name",
            "image_id",
            "height",
            "width",
            "pan_seg_file_name",
            "sem_seg_file_name",
            "segments_info",
        }
        assert (record["height"], record["width"]) == (64, 96)
        assert Path(record["file_name"]).is_file()
        ids = rgb_to_id(np.asarray(Image.open(record["pan_seg_file_name"])))
        semantic = np.asarray(Image.open(record["sem_seg_file_name"]))
        for segment in record["segments_info"]:
            assert set(segment) == {"id", "category_id", "isthing", "iscrowd", "area", "bbox"}
            assert segment["isthing"] == (segment["category_id"] in things)
            assert set(semantic[ids == segment["id"]]) == {segment["category_id"]}


def test_semantic_pngs_are_optional(toy):
    metadata = Metadata(**{**MetadataCatalog.get("toyworld_train").as_dict(), "sem_seg_root": None})
    assert "sem_seg_file_name" not in load_coco_panoptic(metadata)[0]


def test_crowds_are_kept_and_missing_flags_mean_none(broken):
    def change(content):
        first, second = content["annotations"][0]["segments_info"][:2]
        first["iscrowd"] = 1
        del second["iscrowd"]

    edit(broken / "panoptic.json", change)
    segments = DatasetCatalog.get("toyworld_train")[0]["segments_info"]
    assert [segment["iscrowd"] for segment in segments[:2]] == [1, 0]


@pytest.mark.parametrize(
    ("path", "kind"),
    [("panoptic.json", "annotation file"), ("images", "image folder"), ("panoptic", "folder of panoptic PNGs")],
)
def test_what_is_missing_is_named_with_the_way_to_make_it(broken, path, kind):
    (broken / path).rename(broken / "elsewhere")
    with pytest.raises(
        DataError, match=rf"toyworld_train: the {kind} .*{path} does not exist; make it in seconds with "
    ):
        DatasetCatalog.get("toyworld_train")


def test_broken_json(broken):
    (broken / "panoptic.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"panoptic\.json cannot be read as JSON"):
        DatasetCatalog.get("toyworld_train")


def test_json_of_another_format(broken):
    (broken / "panoptic.json").write_text('{"images": []}', encoding="utf-8")
    with pytest.raises(DataError, match="not in COCO's format: annotations is missing, expected a list"):
        DatasetCatalog.get("toyworld_train")


def test_annotation_without_its_image(broken):
    edit(broken / "panoptic.json", lambda content: content["images"].pop())
    with pytest.raises(DataError, match="entry 6 of annotations has the image_id 6, expected one of its images"):
        DatasetCatalog.get("toyworld_train")


def test_unknown_category(broken):
    edit(broken / "panoptic.json", lambda content: content["annotations"][0]["segments_info"][0].update(category_id=77))
    with pytest.raises(DataError, match="image 1: segment .* has the category_id 77, expected one of toyworld_train"):
        DatasetCatalog.get("toyworld_train")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"id": 0}, "a segment has the id 0, expected an integer from 1 to 16777215"),
        ({"id": -3}, "a segment has the id -3"),
        ({"id": 2**24}, "a segment has the id 16777216"),
        ({"id": "a"}, "a segment has the id 'a'"),
        ({"id": None}, "a segment has the id None"),
        ({"iscrowd": "maybe"}, "its iscrowd is 'maybe', expected 0 or 1"),
        ({"category_id": None}, "has the category_id None, expected one of toyworld_train"),
    ],
)
def test_invalid_segments_are_named(broken, fields, message):
    edit(broken / "panoptic.json", lambda content: content["annotations"][0]["segments_info"][0].update(fields))
    with pytest.raises(DataError, match=rf"panoptic.json[:,] image 1: .*{message}"):
        DatasetCatalog.get("toyworld_train")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entry: entry.pop("segments_info"), "image 1.*segments_info is missing, expected a list"),
        (lambda entry: entry.update(segments_info=[3]), "entry 1 of segments_info is 3, expected a JSON object"),
        (lambda entry: entry.pop("file_name"), "the file name None is no path"),
        (lambda entry: entry.update(image_id=[1]), r"entry 1 of annotations has the image_id \[1\], expected one of"),
        (lambda entry: entry.update(image_id=2), "image 2 is listed twice in annotations"),
        (lambda entry: entry["segments_info"].append(entry["segments_info"][0]), "have the same id .* distinct ids"),
    ],
)
def test_invalid_entries_are_named(broken, change, message):
    edit(broken / "panoptic.json", lambda content: change(content["annotations"][0]))
    with pytest.raises(DataError, match=message):
        DatasetCatalog.get("toyworld_train")


def test_ids_and_flags_in_text_are_read_and_areas_counted(broken):
    expected = DatasetCatalog.get("toyworld_train")[0]

    def change(content):
        content["annotations"][0]["image_id"] = "1"
        for segment in content["annotations"][0]["segments_info"]:
            segment |= {"id": str(segment["id"]), "category_id": str(segment["category_id"]), "iscrowd": "false"}
            del segment["area"]

    edit(broken / "panoptic.json", change)
    record = DatasetCatalog.get("toyworld_train")[0]
    without_areas = [{key: value for key, value in item.items() if key != "area"} for item in expected["segments_info"]]
    assert record["segments_info"] == without_areas
    areas = ground_truth_of(record, "segments").areas.tolist()
    assert areas == [segment["area"] for segment in expected["segments_info"]]


def test_images_without_an_entry_are_counted(broken, caplog):
    edit(broken / "panoptic.json", lambda content: content["annotations"].pop())
    assert len(DatasetCatalog.get("toyworld_train")) == 5
    assert "1 of 6 images of" in caplog.text
    assert "have no entry in annotations: they are left out" in caplog.text
