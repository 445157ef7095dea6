"""Records: names of images in messages, and annotation files."""

import pytest

from frozenseg.errors import DataError
from frozenseg.structures.record import ground_truth_file, image_name


@pytest.mark.parametrize(
    ("record", "name"),
    [({"image_id": 7, "file_name": "a.jpg"}, "7"), ({"file_name": "a.jpg"}, "a.jpg"), ({}, "without id")],
)
def test_the_name_is_the_id_or_else_the_path(record: dict[str, object], name: str) -> None:
    assert image_name(record) == name


@pytest.mark.parametrize("record", [{"image_id": 7}, {"image_id": 7, "sem_seg_file_name": ""}])
def test_a_missing_annotation_file_is_named(record: dict[str, object]) -> None:
    assert ground_truth_file({"sem_seg_file_name": "a.png"}, "sem_seg_file_name") == "a.png"
    with pytest.raises(DataError, match="image 7 has no sem_seg_file_name: .* Switch off the output"):
        ground_truth_file(record, "sem_seg_file_name")
