"""Checks of files before a run."""

import json

import pytest

from frozenseg.data import Metadata
from frozenseg.data.checks.files import refuse_objects_without_mask, validate_objects, validate_records
from frozenseg.errors import DataError
from frozenseg.vocabulary import Vocabulary

CLASSES = {"vocabulary": Vocabulary.parse("cat"), "category_ids": (7,)}
METADATA = Metadata(name="mine", prepare_command="bake it")
IMAGES = [{"id": number, "height": 9, "width": 9} for number in range(10)]
OBJECT = {"id": 5, "image_id": 3, "category_id": 7, "segmentation": [[0, 0, 9, 0, 9, 9]]}


@pytest.fixture
def records(tmp_path):
    for number in range(10):
        (tmp_path / f"{number}.jpg").touch()
    return [{"image_id": number, "file_name": str(tmp_path / f"{number}.jpg")} for number in range(10)]


def test_whole_data_set_passes(records):
    validate_records(records, METADATA)


@pytest.mark.parametrize("number", [0, 9])
def test_first_and_last_are_always_checked(records, tmp_path, number):
    (tmp_path / f"{number}.jpg").unlink()
    with pytest.raises(DataError, match=rf"mine: .*{number}\.jpg \(file_name of image {number}\) is missing; bake it"):
        validate_records(records, METADATA, sample=2)


def test_sample_is_spread(records, tmp_path):
    (tmp_path / "4.jpg").unlink()
    validate_records(records, METADATA, sample=4)  # 0 3 6 9
    with pytest.raises(DataError, match=r"4\.jpg"):
        validate_records(records, METADATA, sample=5)  # 0 2 4 6 8 9


def test_only_requested_files_count(records):
    records[0]["sem_seg_file_name"] = "nowhere.png"
    validate_records(records, METADATA, fields=["file_name"])
    with pytest.raises(DataError, match="sem_seg_file_name of image 0"):
        validate_records(records, METADATA)


def test_empty_data_set():
    with pytest.raises(DataError, match="mine has no images; bake it"):
        validate_records([], METADATA)
    with pytest.raises(DataError, match="prepare the data set again"):
        validate_records([], Metadata(name="mine"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "mine: the file of instance annotations .*objects.json does not exist; bake it"),
        ({"images": [], "annotations": []}, "objects.json lack image 0 of mine; bake it"),
        ({"images": [{"id": n} for n in range(9)], "annotations": []}, "lack image 9 of mine"),
        (
            {"images": IMAGES, "annotations": [{**OBJECT, "category_id": 8}]},
            "object 5 has the category_id 8, expected one of the things of mine",
        ),
        ({"images": IMAGES}, "not in COCO's format: annotations is missing, expected a list"),
    ],
)
def test_objects_are_checked_before_a_run_needs_them(records, tmp_path, content, message):
    path = tmp_path / "objects.json"
    metadata = Metadata(**METADATA.as_dict(), json_file=str(path), **CLASSES)
    if content is not None:
        path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        validate_objects(records, metadata)
    validate_objects(records, METADATA)  # has no objects to compare with
    validate_objects([{**record, "annotations": []} for record in records], metadata)  # made of that very file


def test_right_objects_pass(records, tmp_path):
    path = tmp_path / "objects.json"
    path.write_text(json.dumps({"images": IMAGES, "annotations": [OBJECT]}), encoding="utf-8")
    metadata = Metadata(name="mine", json_file=str(path), prepare_command="bake it", **CLASSES)
    validate_objects(records, metadata, strict=True)


def test_objects_without_a_mask_are_left_out_or_refused(records, tmp_path):
    path = tmp_path / "objects.json"
    boxes = [{**OBJECT, "id": number, "segmentation": []} for number in (6, 8)]
    path.write_text(json.dumps({"images": IMAGES, "annotations": [OBJECT, *boxes]}), encoding="utf-8")
    metadata = Metadata(name="mine", json_file=str(path), **CLASSES)
    validate_objects(records, metadata)
    with pytest.raises(DataError, match=r"2 of 3 objects of .* have a box only \(first: object 6\), expected"):
        validate_objects(records, metadata, strict=True)
    records[3] |= {"annotations": [{}], "without_mask": ["object 6", "object 8"]}
    with pytest.raises(DataError, match=r"2 of 3 objects of .*objects.json have no mask \(first: object 6\), expected"):
        refuse_objects_without_mask(records, metadata)


def test_polygons_of_images_without_a_size_cannot_be_scored(records):
    metadata = Metadata(name="mine", json_file="objects.json", **CLASSES)
    records = [{**record, "height": 9, "width": 9, "annotations": [OBJECT]} for record in records]
    validate_objects(records, metadata)
    del records[3]["height"]
    with pytest.raises(DataError, match=r"objects.json: image 3 has no height and width, expected its size to score"):
        validate_objects(records, metadata)
    records[3]["annotations"] = [{**OBJECT, "segmentation": {"size": [9, 9], "counts": "0:"}}, OBJECT]
    validate_objects(records, metadata)
