"""Training targets from panoptic PNGs, objects, or label images."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.data.class_maps import AnnotationRules
from frozenseg.data.mapper import TrainMapper
from frozenseg.data.segments import read_segments, target_field
from frozenseg.errors import DataError
from frozenseg.structures.masks import encode_rle
from frozenseg.structures.panoptic import id_to_rgb, rgb_to_id

SIZE = (2, 4)


def read(record: dict[str, Any]) -> tuple[list[list[int]], list[tuple[int, int]]]:
    ids, segments = read_segments(record, SIZE)
    return rgb_to_id(np.asarray(ids)).tolist(), [(item["id"], item["category_id"]) for item in segments]


def of_mask(rows: list[str], category: int, iscrowd: int = 0) -> dict[str, Any]:
    mask = np.array([[letter == "x" for letter in row] for row in rows])
    return {"segmentation": encode_rle(mask[None])[0], "category_id": category, "iscrowd": iscrowd}


def label_record(folder: Path, values: list[list[int]], rules: AnnotationRules) -> dict[str, Any]:
    Image.fromarray(np.array(values, dtype=np.uint8)).save(folder / "labels.png")
    return {"sem_seg_file_name": str(folder / "labels.png"), "rules": rules}


def test_panoptic_pngs_as_they_are(tmp_path: Path) -> None:
    numbers = np.array([[7, 7, 0, 70000], [7, 7, 70000, 300]])
    Image.fromarray(id_to_rgb(numbers)).save(tmp_path / "ids.png")
    segments = [{"id": 7, "category_id": 1, "iscrowd": 0}, {"id": 300, "category_id": 2, "iscrowd": 1}]
    record = {"pan_seg_file_name": str(tmp_path / "ids.png"), "segments_info": segments, "annotations": ["unread"]}
    assert read(record) == (numbers.tolist(), [(7, 1)])


def test_each_object_is_a_segment_and_the_smaller_lies_on_top() -> None:
    small, large = of_mask(["....", ".x.."], 5), of_mask(["xx..", "xx.."], 3)
    crowd = of_mask(["...x", "...x"], 3, iscrowd=1)
    record = {"file_name": "a.jpg", "annotations": [small, crowd, large]}
    assert read(record) == ([[2, 2, 0, 0], [2, 1, 0, 0]], [(1, 5), (2, 3)])


def test_polygons() -> None:
    item = {"segmentation": [[0, 0, 2, 0, 2, 2, 0, 2]], "category_id": 1, "iscrowd": 0}
    assert read({"file_name": "a.jpg", "annotations": [item]})[0] == [[1, 1, 0, 0], [1, 1, 0, 0]]


def test_no_object_no_segment() -> None:
    assert read({"file_name": "a.jpg", "annotations": []}) == ([[0] * 4] * 2, [])


def test_each_class_is_a_segment(tmp_path: Path) -> None:
    record = label_record(tmp_path, [[0, 0, 255, 2], [0, 0, 255, 2]], AnnotationRules(3, 255, {}))
    assert read(record) == ([[1, 1, 0, 3], [1, 1, 0, 3]], [(1, 0), (3, 2)])
    record = label_record(tmp_path, [[0, 0, 1, 3], [0, 0, 1, 3]], AnnotationRules(3, 0, {}, first_label=1))
    assert read(record) == ([[0, 0, 1, 3], [0, 0, 1, 3]], [(1, 0), (3, 2)])


def test_wrong_annotations(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"labels\.png holds the value 4: expected 1 to 3, or 0 for unlabelled.*&ignore=4"
    ):
        read(label_record(tmp_path, [[4] * 4] * 2, AnnotationRules(3, 0, {}, first_label=1)))
    with pytest.raises(DataError, match=r"labels\.png is 4×1 pixels, its image 4×2"):
        read(label_record(tmp_path, [[0] * 4], AnnotationRules(3, 255, {})))
    with pytest.raises(DataError, match=r"The image a\.jpg has an object, .*size is \[1, 3\], expected \[2, 4\]"):
        read({"file_name": "a.jpg", "annotations": [of_mask(["xxx"], 0)]})


def test_geometry_is_one_for_images_and_targets(tmp_path: Path) -> None:
    """The image is white where the object is, and must be so after any jitter."""
    mask = np.zeros((8, 8), dtype=bool)
    mask[2:5, 3:7] = True
    Image.fromarray(np.repeat(255 * mask[..., None], 3, axis=2).astype(np.uint8)).save(tmp_path / "a.png")
    annotation = {"segmentation": encode_rle(mask[None])[0], "category_id": 4, "iscrowd": 0}
    record = {"file_name": str(tmp_path / "a.png"), "annotations": [annotation]}
    for seed in range(8):
        sample = TrainMapper(8, min_scale=1.0, max_scale=1.0)(record, np.random.default_rng(seed))
        assert torch.equal(sample["instances"].gt_masks[0], sample["image"][0] == 255)
        assert sample["instances"].gt_classes.tolist() == [4]


def test_the_richest_source_that_all_have() -> None:
    labels = {"sem_seg_file_name": "a.png"}
    assert target_field([labels, {**labels, "pan_seg_file_name": "b.png"}], "pets") == "sem_seg_file_name"
    assert target_field([{**labels, "annotations": []}], "pets") == "annotations"
    with pytest.raises(DataError, match="pets cannot be trained on: its images have no panoptic PNGs, no objects"):
        target_field([{"file_name": "a.jpg"}], "pets")
