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
    with pytest.raises(DataError, match="not in COCO panoptic format: 'annotations' is missing"):
        DatasetCatalog.get("toyworld_train")


def test_annotation_without_its_image(broken):
    edit(broken / "panoptic.json", lambda content: content["images"].pop())
    with pytest.raises(DataError, match="not in COCO panoptic format: 6 is missing or has no counterpart"):
        DatasetCatalog.get("toyworld_train")


def test_unknown_category(broken):
    edit(broken / "panoptic.json", lambda content: content["annotations"][0]["segments_info"][0].update(category_id=77))
    with pytest.raises(DataError, match="has category 77, which is not one of toyworld_train"):
        DatasetCatalog.get("toyworld_train")
