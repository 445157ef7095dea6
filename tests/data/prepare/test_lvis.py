"""Converter of LVIS: annotation files are unpacked and checked; errors name the invalid entries."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from frozenseg.data.prepare.lvis import CONVERTER
from frozenseg.data.prepare.runner import prepare
from frozenseg.errors import DataError
from tests.miniatures import lvis as miniature

VAL = "lvis/lvis_v1_val.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    miniature.make(tmp_path)
    return tmp_path


def test_annotations_are_checked_once(root: Path) -> None:
    before = (root / VAL).read_bytes()
    assert prepare(CONVERTER, root).done == 2
    assert (root / VAL).read_bytes() == before
    report = prepare(CONVERTER, root)
    assert (report.done, report.kept) == (0, 2)


def test_a_changed_file_is_checked_again(root: Path) -> None:
    prepare(CONVERTER, root)
    (root / VAL).write_text(json.dumps(miniature.annotations("val"), indent=1))
    assert prepare(CONVERTER, root).done == 1


def test_an_archive_is_unpacked(root: Path) -> None:
    before = (root / VAL).read_bytes()
    miniature.pack(root, "val")
    assert prepare(CONVERTER, root).done == 3
    assert (root / VAL).read_bytes() == before
    assert prepare(CONVERTER, root).done == 0


def test_a_damaged_archive_is_named(root: Path) -> None:
    archive = miniature.pack(root, "val")
    content = archive.read_bytes()
    archive.write_bytes(content[:-30])
    refused(root, r"lvis_v1_val\.json\.zip cannot be unpacked: File is not a zip file")
    archive.write_bytes(content.replace(b"lvis_v1_val.json", b"lvis_v9_val.json"))
    refused(root, r"lvis_v1_val\.json\.zip cannot be unpacked: .*no item named 'lvis_v1_val\.json'")
    damaged = bytearray(content)
    damaged[100] ^= 255
    archive.write_bytes(bytes(damaged))
    refused(root, r"lvis_v1_val\.json\.zip cannot be unpacked")
    assert sorted(path.name for path in (root / "lvis").iterdir()) == ["lvis_v1_train.json", archive.name]


def test_a_missing_split_is_skipped(root: Path, caplog) -> None:
    (root / "lvis/lvis_v1_train.json").unlink()
    with caplog.at_level("INFO"):
        assert prepare(CONVERTER, root).done == 1
    assert "the split train does not exist and is skipped" in caplog.text
    (root / VAL).unlink()
    refused(root, r"no images of the splits val, train exist\. .*https://www\.lvisdataset\.org")
    shutil.rmtree(root / "coco/train2017")
    refused(root, r"missing .*train2017 \(images of COCO, also used by the val split of LVIS\)")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content["images"][0].pop("neg_category_ids"), "image 397133 has no neg_category_ids"),
        (lambda content: content["images"].append(content["images"][0]), "lists the image 397133 twice"),
        (lambda content: content["annotations"][0].update(category_id=1204), "uses the category 1204"),
        (lambda content: content["images"][1]["neg_category_ids"].append(0), "uses the category 0, which is not"),
        (
            lambda content: content["annotations"][2].update(image_id=5),
            "annotation 3 refers to the image 5, which is not listed",
        ),
        (
            lambda content: content["images"][0].update(coco_url=None),
            "is not in the format of LVIS: .* is missing or invalid",
        ),
        (lambda content: content.pop("categories"), "is not in the format of LVIS: 'categories' is missing"),
    ],
)
def test_wrong_annotations_are_named(root: Path, change: Callable[[dict], object], message: str) -> None:
    content = miniature.annotations("val")
    change(content)
    (root / VAL).write_text(json.dumps(content))
    refused(root, rf"lvis_v1_val\.json.*{message}")


def test_wrong_files_are_named(root: Path) -> None:
    (root / "coco/train2017/000000222564.jpg").unlink()
    refused(root, r"the image .*train2017/000000222564\.jpg does not exist")
    (root / VAL).write_text((root / VAL).read_text()[:-9])
    refused(root, r"lvis_v1_val\.json cannot be read as JSON")


def refused(root: Path, message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepare(CONVERTER, root)
