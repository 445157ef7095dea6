"""Converter of PASCAL Context: 59 classes from either source, 459 from label maps; errors name the invalid files."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from frozenseg.data.prepare.pascal_context import CONVERTER
from frozenseg.data.prepare.pascal_context_labels import frequent_classes, paint_segments
from frozenseg.data.prepare.runner import prepare
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_labels
from tests.miniatures import pascal_context as miniature

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
RAW = "VOCdevkit/VOC2010"
HOME = "pascal_ctx_d2"
FIRST = miniature.NAMES["train"][0]
# unlabelled, aeroplane, wood, table over wood, accordion over wood, the last of the 459 over wood
PIXELS = ([5, 0, 10, 9, 13, 13], [0, 0, 20, 5, 1, 30])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    miniature.make(tmp_path)
    return tmp_path


def without_detail(root: Path) -> None:
    (root / RAW / "trainval_merged.json").unlink()


def test_labels_with_detail_by_hand(root: Path, caplog) -> None:
    with caplog.at_level("INFO"):
        assert prepare(CONVERTER, root).done == 4
    assert "the 59 classes come from the masks of PASCAL in Detail" in caplog.text
    home = root / HOME
    assert read_labels(home / f"annotations_ctx59/training/{FIRST}.png")[PIXELS].tolist() == [255, 0, 58, 49, 58, 58]
    labels = read_labels(home / f"annotations_ctx459/training/{FIRST}.tif")
    assert labels[PIXELS].tolist() == [65535, 1, 457, 396, 0, 458]
    assert labels.dtype == np.uint16
    image = f"{FIRST}.jpg"
    assert (home / "images/training" / image).read_bytes() == (root / RAW / "JPEGImages" / image).read_bytes()


def test_labels_without_detail_by_hand(root: Path, caplog) -> None:
    without_detail(root)
    with caplog.at_level("INFO"):
        assert prepare(CONVERTER, root).done == 5
    assert "the 59 classes come from the label maps" in caplog.text
    labels = read_labels(root / HOME / f"annotations_ctx59/training/{FIRST}.png")
    assert labels[PIXELS].tolist() == [255, 0, 58, 49, 255, 255]
    assert (root / HOME / f"annotations_ctx459/training/{miniature.NOT_IN_DETAIL}.tif").exists()


def test_detail_replaces_the_label_maps(root: Path) -> None:
    detail = root / RAW / "trainval_merged.json"
    content = detail.read_bytes()
    without_detail(root)
    prepare(CONVERTER, root)
    detail.write_bytes(content)
    assert prepare(CONVERTER, root).done == 4
    assert prepare(CONVERTER, root).kept == 4
    assert read_labels(root / HOME / f"annotations_ctx59/training/{FIRST}.png")[13, 1] == 58
    assert not list((root / HOME).rglob(f"{miniature.NOT_IN_DETAIL}.*"))
    names = {path.stem for path in (root / HOME).rglob("training/*")}
    assert names == set(miniature.NAMES["train"]) - {miniature.NOT_IN_DETAIL}


def test_label_maps_may_be_in_a_separate_folder(root: Path) -> None:
    shutil.move(root / RAW / "trainval", root / "pascal_context/trainval")
    assert prepare(CONVERTER, root).done == 4


def test_the_59_of_the_459() -> None:
    assert frequent_classes(np.array([[0, 1, 2, 397, 458, 459]]), "x").tolist() == [[255, 255, 0, 49, 58, 255]]
    classes = frequent_classes(np.arange(460)[None], "x")
    assert sorted(classes[classes < 255].tolist()) == list(range(59))


def test_a_later_segment_covers_an_earlier_one() -> None:
    segments = [(2, {"size": [1, 2], "counts": "02"}), (397, {"size": [1, 2], "counts": "11"})]
    assert paint_segments(segments, (1, 2), "x").tolist() == [[2, 397]]


@pytest.mark.parametrize("value", [460, 65535])
def test_an_unknown_value_is_named(root: Path, value: int) -> None:
    labels = miniature.label_map()
    labels[0, 0] = value
    savemat(root / RAW / f"trainval/{FIRST}.mat", {"LabelMap": labels})
    refused(root, rf"{FIRST}\.mat has the value {value}; expected 0 … 459")


def test_wrong_segments_are_named(root: Path) -> None:
    for change, message in (
        ({"category_id": 1}, rf"{FIRST}, has a segment of category 1, which is not one of the 59"),
        (
            {"segmentation": {"size": [16, 31], "counts": "`0"}},
            rf"{FIRST}, has a mask of height and width \[16, 31\]; expected \[16, 32\]",
        ),
        (
            {"segmentation": {"size": [16, 32]}},
            r"merged\.json is not in the format of PASCAL in Detail: 'counts' is missing",
        ),
        ({"segmentation": {"size": [16, 32], "counts": [1, 2000]}}, rf"{FIRST}, has a mask that cannot be decoded"),
        ({"image_id": 5}, r"trainval_merged\.json is not in the format of PASCAL in Detail: 5 is missing"),
    ):
        content = miniature.detail()
        content["annos_segmentation"][0].update(change)
        miniature.write_detail(root, content)
        refused(root, message)


def test_an_image_twice_in_detail_is_refused(root: Path) -> None:
    content = miniature.detail()
    content["images"].append(content["images"][0])
    miniature.write_detail(root, content)
    refused(root, r"trainval_merged\.json has 1 images with the id of another image")
    content["images"][-1] = {**content["images"][0], "image_id": 5}
    miniature.write_detail(root, content)
    refused(root, "1 images have the name of another image")


def test_truncated_detail_is_named(root: Path) -> None:
    path = root / RAW / "trainval_merged.json"
    path.write_text(path.read_text()[:100])
    refused(root, r"trainval_merged\.json cannot be read as JSON")


def test_wrong_files_are_named(root: Path) -> None:
    path, image = root / RAW / f"trainval/{FIRST}.mat", root / RAW / f"JPEGImages/{FIRST}.jpg"
    content = path.read_bytes()
    for length in (0, 100, 130, 150, len(content) - 5):
        path.write_bytes(content[:length])
        refused(root, rf"{FIRST}\.mat cannot be read")
    savemat(path, {"Labels": miniature.label_map()})
    refused(root, rf"{FIRST}\.mat cannot be read: 'LabelMap'")
    savemat(path, {"LabelMap": miniature.label_map() / 2})
    refused(root, rf"{FIRST}\.mat has float64 of shape \(16, 32\); expected \(H, W\) integers")
    path.unlink()
    refused(root, rf"{FIRST}\.mat does not exist")
    path.write_bytes(content)
    Image.new("RGB", (32, 15)).save(image)
    refused(root, rf"{FIRST}\.mat has 32 × 16 pixels, its image .*{FIRST}\.jpg 32 × 15")
    image.unlink()
    refused(root, rf"{FIRST}\.jpg of the labels .* does not exist")


def test_missing_folders_are_named_with_their_source(root: Path) -> None:
    shutil.rmtree(root / RAW / "trainval")
    refused(root, r"the folder .*VOC2010/trainval of label maps does not exist\. .*roozbehm\.info")
    shutil.rmtree(root / RAW / "JPEGImages")
    refused(root, r"missing .*JPEGImages .*http://host\.robots\.ox\.ac\.uk")


def test_a_missing_split_is_skipped(root: Path, caplog) -> None:
    without_detail(root)
    (root / RAW / "ImageSets/Main/train.txt").unlink()
    with caplog.at_level("INFO"):
        assert prepare(CONVERTER, root).done == 2
    assert "the split train does not exist and is skipped" in caplog.text


def refused(root: Path, message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepare(CONVERTER, root)
    assert not [path for path in (root / HOME).rglob("*") if path.stem.strip(".").startswith(FIRST)]
