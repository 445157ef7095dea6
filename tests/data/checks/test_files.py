"""Checks of files before a run."""

import json

import pytest

from frozenseg.data import Metadata
from frozenseg.data.checks.files import validate_objects, validate_records
from frozenseg.errors import DataError
from frozenseg.vocabulary import Vocabulary

CLASSES = {"vocabulary": Vocabulary.parse("cat"), "category_ids": (7,)}
METADATA = Metadata(name="mine", prepare_command="bake it")


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
        ({"images": [{"id": n} for n in range(10)], "annotations": [{"category_id": 8}]}, "have the category 8"),
        ({"images": [{"id": 0}]}, "not in COCO's format: 'annotations' is missing"),
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
    content = {"images": [{"id": n} for n in range(11)], "annotations": [{"category_id": 7}]}
    path.write_text(json.dumps(content), encoding="utf-8")
    validate_objects(
        records,
        Metadata(name="mine", json_file=str(path), prepare_command="bake it", **CLASSES),
    )
