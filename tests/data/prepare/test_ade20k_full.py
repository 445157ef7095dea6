"""Converter of ADE20K-Full: resized images and 16-bit labels; errors name the invalid files."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from frozenseg.data.prepare.ade20k_full import CONVERTER, full_class_ids, full_class_map, reduced_size
from frozenseg.data.prepare.runner import prepare
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_labels
from tests.miniatures import ade20k_full as miniature

HOME = "ADE20K_2021_17_01"
LARGE, SMALL, VAL = (Path(name).stem for name in miniature.IMAGES)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    miniature.make(tmp_path)
    return tmp_path


def path_of(root: Path, stem: str, ending: str = ".jpg") -> Path:
    return root / miniature.IMAGES[f"{stem}.jpg"][0] / f"{stem}{ending}"


def test_images_by_hand(root: Path) -> None:
    assert prepare(CONVERTER, root).done == 3
    with Image.open(root / HOME / f"images_detectron2/training/{LARGE}.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (580, 512))  # 600 · 512 / 530 = 579.6
    labels = read_labels(root / HOME / f"annotations_detectron2/training/{LARGE}.tif")
    assert (labels.shape, labels.dtype) == ((512, 580), np.uint16)
    assert labels[[0, 511, 0], [0, 0, 579]].tolist() == [0, 846, 65535]
    labels = read_labels(root / HOME / f"annotations_detectron2/validation/{VAL}.tif")
    assert labels.shape == (30, 40)
    assert np.unique(labels).tolist() == [0, 846, 65535]


@given(st.integers(0, 25 * 256 + 255))
def test_classes_are_decoded_from_their_colours(number: int) -> None:
    for tens in range(10):  # the last digit of R does not encode the class
        red = number // 256 * 10 + tens
        if red < 256:
            assert full_class_ids(np.array([[(red, number % 256, 9)]], np.uint8)).tolist() == [[number]]


def test_classes_that_are_not_used_are_unlabelled() -> None:
    assert full_class_map(np.array([[0, 1, miniature.WALL, miniature.LAST, 6000]])).tolist() == [
        [65535, 65535, 0, 846, 65535]
    ]


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_the_shorter_edge_is_512_at_most(width: int, height: int) -> None:
    new = reduced_size(width, height)
    assert min(new) == min(512, width, height)
    assert abs(new[0] * height / (new[1] * width) - 1) < 0.01 or min(width, height) <= 512
    assert (new[0] >= new[1]) == (width >= height)


def test_invalid_files_are_named(root: Path) -> None:
    segmentation = path_of(root, VAL, "_seg.png")
    whole = segmentation.read_bytes()
    segmentation.write_bytes(whole[:50])
    with pytest.raises(DataError, match=r"ADE_val_00000001_seg\.png cannot be decoded"):
        prepare(CONVERTER, root)
    Image.new("RGB", (40, 31)).save(segmentation)
    with pytest.raises(DataError, match="has 40 × 30 pixels, its labels 40 × 31"):
        prepare(CONVERTER, root)
    segmentation.unlink()
    with pytest.raises(DataError, match=r"ADE_val_00000001_seg\.png does not exist"):
        prepare(CONVERTER, root)
    assert not (root / HOME / "images_detectron2/validation").exists()
    segmentation.write_bytes(whole)
    assert prepare(CONVERTER, root).done == 1


class Foreign:
    """Object that an index must not contain."""

    def __reduce__(self) -> tuple:
        return print, ("run",)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x80\x04", pickle.dumps({"filename": ["a"]}), pickle.dumps({"filename": Foreign()}), pickle.dumps([1])],
)
def test_an_index_that_cannot_be_read(root: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (root / HOME / "index_ade20k.pkl").write_bytes(content)
    with pytest.raises(DataError, match=r"index_ade20k\.pkl cannot be read"):
        prepare(CONVERTER, root)
    assert capsys.readouterr().out == ""


def test_an_image_that_the_index_lists_twice(root: Path) -> None:
    names = [*miniature.IMAGES, next(iter(miniature.IMAGES))]
    miniature.write_index(root, names, [miniature.IMAGES[name][0] for name in names])
    with pytest.raises(DataError, match="1 images have the name of another image"):
        prepare(CONVERTER, root)
