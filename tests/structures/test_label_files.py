"""Reading and writing of label images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.structures.label_files import (
    read_labels,
    read_segment_ids,
    read_segment_runs,
    write_labels,
    write_segment_ids,
)


def test_segment_ids_are_rgb_numbers(tmp_path):
    Image.fromarray(np.array([[[1, 2, 3], [255, 255, 255]]], dtype=np.uint8)).save(tmp_path / "ids.png")
    assert read_segment_ids(tmp_path / "ids.png").tolist() == [[1 + 2 * 256 + 3 * 65536, 256**3 - 1]]


@pytest.mark.parametrize(("dtype", "suffix"), [(np.uint8, "png"), (np.uint16, "tif"), (np.uint16, "png")])
def test_labels_of_8_and_16_bits(tmp_path, dtype, suffix):
    labels = np.array([[0, 3], [np.iinfo(dtype).max, 1]], dtype=dtype)
    Image.fromarray(labels).save(tmp_path / f"labels.{suffix}")
    np.testing.assert_array_equal(read_labels(tmp_path / f"labels.{suffix}"), labels)


def test_a_palette_gives_its_indices(tmp_path):
    image = Image.fromarray(np.array([[0, 2]], dtype=np.uint8)).convert("P")
    image.putpalette([9, 9, 9] * 256)
    image.putdata([0, 2])
    image.save(tmp_path / "palette.png")
    assert read_labels(tmp_path / "palette.png").tolist() == [[0, 2]]


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(DataError, match="nowhere.png does not exist"):
        read_labels(tmp_path / "nowhere.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n garbage")
    with pytest.raises(DataError, match="broken.png cannot be decoded"):
        read_segment_ids(tmp_path / "broken.png")
    Image.new("RGB", (2, 2), (1, 2, 3)).save(tmp_path / "colour.png")
    with pytest.raises(DataError, match="colour.png has 3 channels; expected one"):
        read_labels(tmp_path / "colour.png")


@pytest.mark.parametrize(("name", "dtype"), [("a.png", np.uint8), ("a.tif", np.uint16)])
def test_what_is_written_is_read(name: str, dtype: type, tmp_path: Path) -> None:
    labels = np.array([[0, np.iinfo(dtype).max, 7]], dtype=dtype)
    write_labels(tmp_path / "new" / name, labels)
    assert read_labels(tmp_path / "new" / name).tolist() == labels.tolist()
    write_segment_ids(tmp_path / "ids.png", np.array([[0, 255, 256, 16777215]]))
    assert read_segment_ids(tmp_path / "ids.png").tolist() == [[0, 255, 256, 16777215]]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_segments_are_read_as_runs_from_any_kind_of_colour_image(mode: str, tmp_path: Path) -> None:
    colours = np.array([[[1, 2, 3], [1, 2, 3], [0, 0, 0]], [[0, 0, 0], [255, 255, 255], [1, 2, 3]]], dtype=np.uint8)
    image = Image.fromarray(colours)
    (image.quantize(3) if mode == "P" else image.convert(mode)).save(tmp_path / "ids.png")
    number = 1 + 2 * 256 + 3 * 65536
    runs = read_segment_runs(tmp_path / "ids.png")
    assert (runs.size, runs.starts.tolist(), runs.values.tolist()) == (
        (2, 3),
        [0, 2, 4, 5],
        [number, 0, 16777215, number],
    )
    assert runs.pixels().tolist() == read_segment_ids(tmp_path / "ids.png").tolist()


@pytest.mark.parametrize(
    ("mode", "colour", "value"),
    [("1", 1, 1), ("I;16", 300, 300), ("I", 70000, 70000), ("F", 7.0, 7), ("LA", (5, 0), 5), ("RGBA", (5, 5, 5, 9), 5)],
)
def test_label_images_of_other_modes(mode: str, colour: object, value: int, tmp_path: Path) -> None:
    Image.new(mode, (2, 1), colour).save(tmp_path / "a.tif")  # type: ignore[arg-type]
    assert read_labels(tmp_path / "a.tif").tolist() == [[value, value]]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (Image.new("F", (1, 1), 0.5), "holds fractions or huge values"),
        (Image.new("F", (1, 1), float("nan")), "holds fractions or huge values"),
        (Image.new("CMYK", (1, 1)), "has pixels of kind CMYK"),
        (Image.fromarray(np.array([[[0, 0, 0, 0], [0, 0, 0, 255]]], dtype=np.uint8)), "only its transparency varies"),
    ],
)
def test_pixels_that_are_no_labels(image: Image.Image, message: str, tmp_path: Path) -> None:
    image.save(tmp_path / "a.tif")
    with pytest.raises(DataError, match=message):
        read_labels(tmp_path / "a.tif")


@pytest.mark.parametrize("read", [read_labels, read_segment_ids])
def test_lossy_files_and_several_frames_are_refused(read: Callable[[Path], object], tmp_path: Path) -> None:
    Image.new("L", (2, 2)).save(tmp_path / "a.png", format="JPEG")
    with pytest.raises(DataError, match="a.png is a JPEG, whose compression changes values"):
        read(tmp_path / "a.png")
    Image.new("L", (2, 2)).save(tmp_path / "a.tif", save_all=True, append_images=[Image.new("L", (2, 2), 1)])
    with pytest.raises(DataError, match="a.tif has several frames; expected one"):
        read(tmp_path / "a.tif")


def test_segment_ids_of_16_bits_are_refused(tmp_path: Path) -> None:
    Image.new("I;16", (1, 1), 300).save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png has pixels of kind I;16; expected RGB, 8 bits per channel"):
        read_segment_ids(tmp_path / "a.png")
