"""Pictures: upright, RGB, and named where they are broken."""

import numpy as np
import pytest
from PIL import Image

from frozenseg.data.images import as_rgb, read_image
from frozenseg.errors import DataError


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° to the right to see it upright
    Image.new("RGB", (6, 2)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(str(tmp_path / "turned.jpg")).size == (2, 6)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK"])
def test_other_modes_become_rgb(tmp_path, mode):
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    Image.new(mode, (3, 2)).save(path)
    image = read_image(str(path))
    assert (image.mode, image.size) == ("RGB", (3, 2))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_become_8_and_are_not_cut_off(tmp_path, suffix):
    pixels = np.array([[0, 257, 128 * 257, 65535]], dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / f"deep.{suffix}")
    assert np.asarray(read_image(str(tmp_path / f"deep.{suffix}"))).tolist() == [[[v] * 3 for v in (0, 1, 128, 255)]]


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_numbers_that_are_no_colours_are_refused(tmp_path, kind):
    numbers = Image.fromarray(np.array([[0, 70000]], dtype=kind))
    numbers.save(tmp_path / "height.tif")
    with pytest.raises(DataError, match=r"height\.tif cannot be decoded .*not integers from 0 to 65535"):
        read_image(str(tmp_path / "height.tif"))
    with pytest.raises(ValueError, match="not integers from 0 to 65535"):
        as_rgb(numbers)


@pytest.mark.parametrize("content", [b"", b"not an image"])
def test_undecodable_image_is_named(tmp_path, content):
    (tmp_path / "broken.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.jpg cannot be decoded .*--skip-bad"):
        read_image(str(tmp_path / "broken.jpg"))


def test_cut_off_image_is_named(tmp_path, toy):
    whole = (toy / "toyworld" / "train" / "images" / "000000000001.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"half\.jpg cannot be decoded"):
        read_image(str(tmp_path / "half.jpg"))


def test_missing_image_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.jpg does not exist"):
        read_image(str(tmp_path / "none.jpg"))
