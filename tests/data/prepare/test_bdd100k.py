"""Converter of BDD100K: bitmasks to COCO panoptic files; errors name the invalid files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from frozenseg.data.prepare.bdd100k import CONVERTER, bitmask_segments
from frozenseg.data.prepare.runner import prepare
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_segment_ids
from tests.miniatures import bdd100k as miniature

FIRST, SECOND = miniature.SCENES
JSON = "bdd100k/jsons/pan_seg_val_cocofmt.json"
MASKS = "bdd100k/jsons/pan_seg/masks/val"
BITMASKS = "bdd100k/labels/pan_seg/bitmasks/val"
SEGMENTS = [  # id, category, area, box, crowd
    (7, 7, 256 - 12 - 12 - 6, [0, 8, 32, 8], 0),
    (30, 30, 128, [0, 0, 32, 4], 0),
    (31, 35, 24, [10, 6, 6, 4], 0),
    (33, 31, 12, [26, 5, 2, 6], 1),
    (300, 31, 24, [20, 5, 4, 6], 1),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    miniature.make(tmp_path)
    return tmp_path


def test_a_street_by_hand(root: Path) -> None:
    prepare(CONVERTER, root)
    content = json.loads((root / JSON).read_text())
    assert [(image["id"], image["file_name"]) for image in content["images"]] == [
        (1, f"{FIRST}.jpg"),
        (2, f"{SECOND}.jpg"),
    ]
    street, crowd = content["annotations"]
    assert street["file_name"] == f"{FIRST}.png"
    assert [tuple(part.values()) for part in street["segments_info"]] == SEGMENTS
    assert [(part["id"], part["area"], part["iscrowd"]) for part in crowd["segments_info"]] == [(31, 128, 1)]
    ids = read_segment_ids(root / MASKS / f"{FIRST}.png")
    assert ids[[0, 15, 7, 7, 5, 4], [0, 0, 10, 20, 26, 0]].tolist() == [30, 7, 31, 300, 33, 0]


def test_categories_are_the_40(root: Path) -> None:
    prepare(CONVERTER, root)
    categories = json.loads((root / JSON).read_text())["categories"]
    assert [category["id"] for category in categories] == list(range(1, 41))
    assert [category["id"] for category in categories if category["isthing"]] == list(range(31, 41))
    assert categories[30] == {"id": 31, "name": "person", "isthing": 1, "color": [220, 20, 60]}


@given(st.dictionaries(st.integers(1, 65535), st.tuples(st.integers(1, 40), st.integers(0, 15)), min_size=1))
def test_ids_are_decoded_from_the_colours(instances: dict[int, tuple[int, int]]) -> None:
    values = [(category, bits, number // 256, number % 256) for number, (category, bits) in instances.items()]
    ids, segments = bitmask_segments(np.array([values], np.uint8), Path("x"))
    assert ids.tolist() == [list(instances)]
    actual = {part["id"]: (part["category_id"], part["iscrowd"], part["area"]) for part in segments}
    assert actual == {number: (kind, int(bits & 3 > 0), 1) for number, (kind, bits) in instances.items()}


def test_converted_labels_need_no_conversion(root: Path, caplog) -> None:
    prepare(CONVERTER, root)
    shutil.rmtree(root / BITMASKS)
    with caplog.at_level("INFO"):
        report = prepare(CONVERTER, root)
    assert (report.done, report.kept) == (0, 0)
    assert "exists already and is kept" in caplog.text


def test_released_labels_are_not_overwritten(root: Path) -> None:
    prepare(CONVERTER, root)
    shutil.rmtree(root / ".prepare")  # as if the files were FrozenSeg's own release
    (root / JSON).write_text("released")
    assert prepare(CONVERTER, root).done == 0
    assert (root / JSON).read_text() == "released"
    (root / JSON).unlink()
    assert prepare(CONVERTER, root).done == 2
    (root / MASKS / f"{FIRST}.png").unlink()
    assert prepare(CONVERTER, root).done == 2  # files converted here are made again


def test_half_of_the_converted_labels_is_not_enough(root: Path) -> None:
    prepare(CONVERTER, root)
    shutil.rmtree(root / BITMASKS)
    shutil.rmtree(root / MASKS)
    with pytest.raises(DataError, match=r"neither bitmasks in .* nor .*masks/val exist\. Get the 10K images"):
        prepare(CONVERTER, root)


def test_a_missing_download_is_named_with_its_source(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing .*images/10k/val.*https://doc\.bdd100k\.com"):
        prepare(CONVERTER, tmp_path)


@pytest.mark.parametrize(
    ("pixel", "message"),
    [
        ((41, 0, 0, 41), r"7d06fefd-f7be05a6\.png has the category 41; expected 0 … 40"),
        ((31, 0, 0, 0), r"7d06fefd-f7be05a6\.png has pixels of category 31 without an instance id"),
        ((36, 0, 0, 31), r"7d06fefd-f7be05a6\.png has the instance id 31 for the categories 35 and 36"),
    ],
)
def test_wrong_values_are_named(root: Path, pixel: tuple[int, ...], message: str) -> None:
    bitmask = miniature.bitmask_of(miniature.SCENES[FIRST])
    bitmask[0, 0] = pixel
    Image.fromarray(bitmask).save(root / BITMASKS / f"{FIRST}.png")
    refused(root, message)


def test_wrong_files_are_named(root: Path) -> None:
    path, image = root / BITMASKS / f"{FIRST}.png", root / f"bdd100k/images/10k/val/{FIRST}.jpg"
    content = path.read_bytes()
    path.write_bytes(content[:60])
    refused(root, r"7d06fefd-f7be05a6\.png cannot be decoded")
    Image.new("RGB", (32, 16)).save(path)
    refused(root, r"7d06fefd-f7be05a6\.png has the mode RGB; expected RGBA")
    path.write_bytes(content)
    Image.new("RGB", (32, 15)).save(image)
    refused(root, r"7d06fefd-f7be05a6\.png has 32 × 16 pixels, its image .*\.jpg 32 × 15")
    image.unlink()
    refused(root, r"7d06fefd-f7be05a6\.jpg of the labels .* does not exist")


def refused(root: Path, message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepare(CONVERTER, root)
    assert not (root / JSON).exists()
    assert not (root / MASKS / f"{FIRST}.png").exists()
