"""Class maps from every kind of annotation, and the errors about wrong ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frozenseg.data.class_maps import AnnotationRules, read_class_map
from frozenseg.errors import DataError
from frozenseg.structures.label_files import write_labels, write_segment_ids

RULES = AnnotationRules(num_classes=3, ignore_label=255, thing_contiguous_ids={24: 0, 33: 2})
SIZE = (2, 3)


def panoptic(folder: Path, ids: list[list[int]], *segments: tuple[int, int]) -> dict[str, Any]:
    write_segment_ids(folder / "ids.png", np.array(ids))
    listed = [{"id": number, "category_id": label, "iscrowd": 0} for number, label in segments]
    return {"pan_seg_file_name": str(folder / "ids.png"), "segments_info": listed}


def semantic(folder: Path, labels: list[list[int]]) -> dict[str, Any]:
    write_labels(folder / "labels.png", np.array(labels, dtype=np.uint8))
    return {"sem_seg_file_name": str(folder / "labels.png")}


def test_segments(tmp_path: Path) -> None:
    record = panoptic(tmp_path, [[7, 7, 0], [300, 0, 0]], (7, 2), (300, 0))
    assert read_class_map(record, RULES, SIZE).tolist() == [[2, 2, -1], [0, -1, -1]]


def test_label_images(tmp_path: Path) -> None:
    record = semantic(tmp_path, [[0, 1, 255], [2, 2, 2]])
    assert read_class_map(record, RULES, SIZE).tolist() == [[0, 1, -1], [2, 2, 2]]


def test_polygons_and_run_lengths_lie_on_one_another() -> None:
    annotations = [
        {"category_id": 1, "segmentation": [[0, 0, 3, 0, 3, 2, 0, 2]]},  # everything
        {"category_id": 2, "segmentation": {"size": [2, 3], "counts": [4, 2]}},  # the last column
    ]
    record = {"file_name": "a.jpg", "annotations": annotations}
    assert read_class_map(record, RULES, SIZE).tolist() == [[1, 1, 2], [1, 1, 2]]


def test_instance_ids_of_cityscapes(tmp_path: Path) -> None:
    path = tmp_path / "ids.tif"
    write_labels(path, np.array([[24000, 24001, 7], [33002, 26000, 24]], dtype=np.uint16))
    record = {"instance_file_name": str(path)}
    assert read_class_map(record, RULES, SIZE).tolist() == [[0, 0, -1], [2, -1, -1]]


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ids\.png has pixels of segment 9, which its annotation does not list"):
        read_class_map(panoptic(tmp_path, [[7, 9, 0]] * 2, (7, 2)), RULES, SIZE)
    with pytest.raises(DataError, match="two of its segments_info have the same id"):
        read_class_map(panoptic(tmp_path, [[7, 7, 0]] * 2, (7, 2), (7, 1)), RULES, SIZE)
    with pytest.raises(DataError, match=r"ids\.png is 2×1 pixels, its image 3×2"):
        read_class_map(panoptic(tmp_path, [[7, 7]], (7, 2)), RULES, SIZE)
    with pytest.raises(DataError, match=r"labels\.png holds the value 3: expected 0 to 2, or 255"):
        read_class_map(semantic(tmp_path, [[0, 1, 3]] * 2), RULES, SIZE)
    for wrong in ({"counts": [1, 1], "size": [1, 2]}, {"counts": "?"}, [[1, 2]], [["a"] * 6]):
        record = {"file_name": "a.jpg", "annotations": [{"category_id": 1, "segmentation": wrong}]}
        with pytest.raises(DataError, match=r"image a\.jpg"):
            read_class_map(record, RULES, SIZE)
