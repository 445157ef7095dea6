"""The Python of datasets/README.md is run as printed, on a COCO of one picture."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frozenseg.data import DatasetCatalog, MetadataCatalog, vocabulary_of
from frozenseg.structures.label_files import read_labels
from tests.tiny import ROOT

NAME = "openvocab_coco_2017_val_panoptic_with_sem_seg"
PERSON, GRASS = (1, 0), (193, 125)  # COCO's id, contiguous id


def snippet(word: str) -> str:
    """Return the Python block of the page that has a word in it."""
    page = (ROOT / "datasets/README.md").read_text(encoding="utf-8")
    [block] = [text for text in re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE) if word in text]
    return block


def segment(number: int, category: int) -> dict[str, object]:
    return {"id": number, "category_id": category, "iscrowd": 0, "area": 2, "bbox": [0, 0, 2, 1]}


@pytest.fixture
def coco(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture of 2×3: two pixels of a person (segment 7), two of grass (segment 300), two of nothing."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    folder = tmp_path / "coco"
    for name in ("annotations", "val2017", "panoptic_val2017"):
        (folder / name).mkdir(parents=True)
    ids = np.array([[7, 7, 0], [300, 300, 0]])
    colours = np.stack([ids % 256, ids // 256, 0 * ids], axis=-1).astype(np.uint8)
    Image.fromarray(colours).save(folder / "panoptic_val2017/000000000009.png")
    Image.fromarray(colours).save(folder / "val2017/000000000009.jpg")
    entry = {
        "image_id": 9,
        "file_name": "000000000009.png",
        "segments_info": [segment(7, PERSON[0]), segment(300, GRASS[0])],
    }
    content = {"images": [{"id": 9, "file_name": "000000000009.jpg", "height": 2, "width": 3}], "annotations": [entry]}
    (folder / "annotations/panoptic_val2017.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def test_class_maps_of_coco(coco: Path) -> None:
    exec(compile(snippet("unlabelled"), "datasets/README.md", "exec"), {})
    [record] = DatasetCatalog.get(NAME)
    assert Path(record["sem_seg_file_name"]).parent == coco / "panoptic_semseg_val2017"
    expected = [[PERSON[1], PERSON[1], 255], [GRASS[1], GRASS[1], 255]]
    assert read_labels(record["sem_seg_file_name"]).tolist() == expected


def test_a_data_set_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    try:
        exec(compile(snippet("farm_val"), "datasets/README.md", "exec"), {})
        assert vocabulary_of("farm_val").classes == (("tractor", "farm vehicle"), ("field", "farmland"))
        assert MetadataCatalog.get("farm_val").image_root == str(tmp_path / "farm/images")
    finally:
        DatasetCatalog.remove("farm_val")
        MetadataCatalog.remove("farm_val")


def test_the_table_names_what_there_is() -> None:
    page = (ROOT / "datasets/README.md").read_text(encoding="utf-8")
    table = {name for line in page.splitlines() if line.startswith("| `") for name in re.findall(r"`(\w+)`", line)}
    assert table == set(DatasetCatalog.list())
    for line in page.splitlines():
        for name in re.findall(r"`(\w+)`", line) if line.startswith("| `") else []:
            things = sum(vocabulary_of(name).isthing)
            assert f"{len(vocabulary_of(name))} ({things} + {len(vocabulary_of(name)) - things})" in line
