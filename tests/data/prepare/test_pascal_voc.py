"""Converter of PASCAL VOC: palette images to labels of 21 and of 20 classes; errors name the invalid files."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frozenseg.data.prepare.pascal_voc import CONVERTER, remove_background
from frozenseg.data.prepare.runner import prepare
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_labels
from tests.miniatures import pascal_voc as miniature

RAW = "VOCdevkit/VOC2012"
NAME = "2007_000033"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    miniature.make(tmp_path)
    return tmp_path


def test_the_miniature_has_the_palette_of_voc(root: Path) -> None:
    with Image.open(root / RAW / f"SegmentationClass/{NAME}.png") as image:
        assert image.mode == "P"
    assert [miniature.voc_colour(index) for index in (1, 15, 20, 255)] == [
        (128, 0, 0),
        (192, 128, 128),
        (0, 64, 128),
        (224, 224, 192),
    ]


def test_labels_by_hand(root: Path) -> None:
    assert prepare(CONVERTER, root).done == 4
    home = root / "pascal_voc_d2"
    pixels = ([0, 3, 5, 12, 12], [0, 3, 5, 1, 30])  # background, boundary, aeroplane, person, monitor
    assert read_labels(home / f"annotations_pascal21/validation/{NAME}.png")[pixels].tolist() == [0, 255, 1, 15, 20]
    assert read_labels(home / f"annotations_pascal20/validation/{NAME}.png")[pixels].tolist() == [255, 255, 0, 14, 19]
    with Image.open(home / f"annotations_pascal21/training/{miniature.NAMES['train'][0]}.png") as image:
        assert image.mode == "L"
    for folder, split in (("training", "train"), ("validation", "val")):
        for path in (f"images/{folder}", f"annotations_pascal21/{folder}", f"annotations_pascal20/{folder}"):
            assert {file.stem for file in (home / path).iterdir()} == set(miniature.NAMES[split])
    image = f"{NAME}.jpg"
    assert (home / "images/validation" / image).read_bytes() == (root / RAW / "JPEGImages" / image).read_bytes()


def test_every_class_decreases_by_one() -> None:
    labels = np.array([[*range(21), 255]], np.uint8)
    assert remove_background(labels).tolist() == [[255, *range(20), 255]]


def test_an_unknown_value_is_named(root: Path) -> None:
    labels = miniature.labels_of()
    labels[0, 0] = 21
    miniature.save_with_palette(root / RAW / f"SegmentationClass/{NAME}.png", labels)
    refused(root, rf"{NAME}\.png has the value 21; expected classes, 0 … 20, or 255")


def test_wrong_files_are_named(root: Path) -> None:
    path, image = root / RAW / f"SegmentationClass/{NAME}.png", root / RAW / f"JPEGImages/{NAME}.jpg"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - 40])
    refused(root, rf"{NAME}\.png cannot be decoded")
    Image.new("RGB", (32, 16), (128, 0, 0)).save(path)
    refused(root, rf"{NAME}\.png has 3 channels")
    miniature.save_with_palette(path, miniature.labels_of()[:, :31].copy())
    refused(root, rf"{NAME}\.png has 31 × 16 pixels, its image .*{NAME}\.jpg 32 × 16")
    path.unlink()
    refused(root, rf"{NAME}\.png does not exist")
    path.write_bytes(content)
    image.write_bytes(b"")
    refused(root, rf"{NAME}\.jpg cannot be decoded")
    image.unlink()
    refused(root, rf"{NAME}\.jpg of the labels .* does not exist")


def test_a_name_twice_in_the_list_is_refused(root: Path) -> None:
    (root / RAW / "ImageSets/Segmentation/val.txt").write_text(f"{NAME}\n{NAME}\n")
    refused(root, "1 images have the name of another image")


def test_a_list_that_is_not_text_is_named(root: Path) -> None:
    (root / RAW / "ImageSets/Segmentation/val.txt").write_bytes(b"\xfb\xce\x00")
    refused(root, r"The image list .*Segmentation/val\.txt is not a text file")


def test_a_missing_split_is_skipped(root: Path, caplog) -> None:
    (root / RAW / "ImageSets/Segmentation/train.txt").unlink()
    with caplog.at_level("INFO"):
        assert prepare(CONVERTER, root).done == 2
    assert "the split train does not exist and is skipped" in caplog.text
    (root / RAW / "ImageSets/Segmentation/val.txt").unlink()
    with pytest.raises(DataError, match="no images of the splits train, val exist"):
        prepare(CONVERTER, root)


def test_missing_folders_are_named_with_their_source(root: Path) -> None:
    shutil.rmtree(root / RAW / "SegmentationClass")
    with pytest.raises(DataError, match=r"missing .*SegmentationClass .*http://host\.robots\.ox\.ac\.uk"):
        prepare(CONVERTER, root)


def refused(root: Path, message: str) -> None:
    with pytest.raises(DataError, match=message):
        prepare(CONVERTER, root)
    assert not [path for path in (root / "pascal_voc_d2").rglob("*") if path.stem.strip(".").startswith(NAME)]
