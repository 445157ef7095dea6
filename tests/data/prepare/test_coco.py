"""Converter of COCO: panoptic PNGs to class maps; errors name the invalid files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frozenseg.data.prepare.coco import CONVERTER, coco_class_map
from frozenseg.data.prepare.runner import prepare
from frozenseg.data.spec import read_categories
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_labels, write_segment_ids
from tests.miniatures import coco as miniature

JSON = "coco/annotations/panoptic_val2017.json"
PNG = "coco/panoptic_val2017/000000000139.png"
MAP = "coco/panoptic_semseg_val2017/000000000139.png"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    miniature.make(tmp_path)
    return tmp_path


def test_an_image_by_hand(root: Path) -> None:
    report = prepare(CONVERTER, root)
    assert (report.done, report.bad) == (6, {})  # two archives, four images
    labels = read_labels(root / MAP)
    assert labels.dtype == np.uint8
    sky = [row.id for row in read_categories("coco_panoptic.tsv")].index(miniature.SKY)
    assert labels[[0, 15, 5, 11, 15], [0, 0, 5, 15, 31]].tolist() == [sky, 132, 0, 0, 255]
    assert {path.name for path in (root / "coco").iterdir()} == {
        *("annotations", "train2017", "val2017", "panoptic_train2017", "panoptic_val2017"),
        *("panoptic_semseg_train2017", "panoptic_semseg_val2017"),
    }


def test_one_split_is_enough(root: Path) -> None:
    (root / "coco/annotations/panoptic_train2017.json").unlink()
    assert prepare(CONVERTER, root).done == 3


@given(st.permutations(range(133)), st.integers(1, 16_000_000))
def test_every_category_has_its_index(order: list[int], first: int) -> None:
    rows = read_categories("coco_panoptic.tsv")
    segments = [(first + index, rows[index].id) for index in range(133)]
    ids = first + np.array([order])
    assert coco_class_map(ids, segments, Path("x")).tolist() == [order]


def edit(root: Path, change: Callable[[dict], object]) -> None:
    content = json.loads((root / JSON).read_text())
    change(content)
    (root / JSON).write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda c: c["annotations"][0]["segments_info"][0].update(category_id=999),
            "the category 999, which is not one of",
        ),
        (lambda c: c["annotations"][0]["segments_info"].pop(1), "has pixels of segment 300, which"),
        (lambda c: c["images"][0].update(height=17), "has 32 × 16 pixels; expected 32 × 17, as in the annotation file"),
        (lambda c: c["images"].pop(0), "is not in COCO panoptic format: 139 is missing"),
        (lambda c: c["annotations"].append(c["annotations"][0]), "1 images have the name of another"),
    ],
)
def test_contradictions_are_named(root: Path, change: Callable[[dict], object], message: str) -> None:
    edit(root, change)
    with pytest.raises(DataError, match=message):
        prepare(CONVERTER, root)
    assert not (root / MAP).exists()


def test_damaged_files_are_named_and_converted_after_repair(root: Path) -> None:
    archive = root / "coco/annotations/panoptic_val2017.zip"
    whole = archive.read_bytes()
    archive.write_bytes(whole[:100])
    with pytest.raises(DataError, match=r"panoptic_val2017\.zip cannot be unpacked"):
        prepare(CONVERTER, root)
    assert not (root / "coco/panoptic_val2017").exists()
    archive.write_bytes(whole)
    prepare(CONVERTER, root)
    (root / MAP).unlink()
    png = (root / PNG).read_bytes()
    (root / PNG).write_bytes(png[:60])
    with pytest.raises(DataError, match=r"000000000139\.png cannot be decoded"):
        prepare(CONVERTER, root)
    write_segment_ids(root / PNG, miniature.draw())
    assert prepare(CONVERTER, root).done == 1
    assert (root / MAP).exists()


def test_a_missing_archive_is_named(root: Path) -> None:
    (root / "coco/annotations/panoptic_val2017.zip").unlink()
    with pytest.raises(DataError, match="neither the folder .*panoptic_val2017 nor panoptic_val2017.zip"):
        prepare(CONVERTER, root)
