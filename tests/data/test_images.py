"""Pictures: upright, RGB, and named where they are broken."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from frozenseg.data.images import as_rgb, read_image
from frozenseg.errors import DataError


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° to the right to see it upright
    Image.new("RGB", (6, 2)).save(tmp_path / "turned.jpg", exif=exif)
    assert read_image(str(tmp_path / "turned.jpg")).size == (2, 6)


def test_uncompressed_tiff_is_turned_with_its_pixels(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 5  # rows are columns
    pixels = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "turned.tif", exif=exif)
    assert np.asarray(read_image(str(tmp_path / "turned.tif")))[..., 0].tolist() == [[1, 4], [2, 5], [3, 6]]


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


def saved(path, image, **options):
    image.save(path, **options)
    return np.asarray(read_image(str(path))).tolist()


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [("1", 1, 255), ("L", 7, 7), ("LA", (7, 0), 7), ("I;16", 257 * 9, 9), ("RGBA", (5, 5, 5, 0), 5)],
)
def test_transparency_is_dropped_and_grey_becomes_rgb(tmp_path, mode, colour, expected):
    assert saved(tmp_path / "a.png", Image.new(mode, (1, 1), colour)) == [[[expected] * 3]]


def test_a_palette_with_transparency_keeps_its_colours(tmp_path):
    image = Image.new("P", (1, 1), 1)
    image.putpalette([9, 9, 9, 1, 2, 3])
    assert saved(tmp_path / "a.png", image, transparency=bytes([0, 9])) == [[[1, 2, 3]]]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(tmp_path, orientation):
    """The upright image is the one that Pillow's own function gives."""
    stored = Image.fromarray(np.arange(18, dtype=np.uint8).reshape(2, 3, 3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert np.array_equal(read_image(str(tmp_path / "a.png")), expected)
    if orientation > 4:
        assert np.array_equal(read_image(str(tmp_path / "a.png"), (2, 3)), stored)


@pytest.mark.parametrize("exif", [b"Exif\0\0junk", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_damaged_metadata_do_not_matter(tmp_path, exif):
    assert saved(tmp_path / "a.jpg", Image.new("RGB", (2, 1)), exif=exif) == [[[0] * 3] * 2]


def test_damaged_metadata_are_logged_once(tmp_path, caplog, monkeypatch):
    for name in ("a.png", "b.png"):
        Image.new("RGB", (2, 1)).save(tmp_path / name)
    monkeypatch.setattr(Image.Image, "getexif", lambda image: 1 / 0)
    for name in ("a.png", "b.png"):
        assert read_image(str(tmp_path / name)).size == (2, 1)
    [message] = caplog.messages
    assert "a.png has damaged metadata, so that its orientation is unknown" in message


@pytest.mark.parametrize(("size", "orientation"), [((4, 2), 3), ((4, 2), 2), ((3, 3), 6)])
def test_an_orientation_that_sizes_cannot_tell_is_logged_once(tmp_path, caplog, size, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for name in ("a.png", "b.png"):
        Image.new("RGB", size).save(tmp_path / name, exif=exif)
        assert read_image(str(tmp_path / name), (size[1], size[0])).size == size
    [message] = caplog.messages
    assert "a.png is turned or mirrored by its EXIF orientation" in message
    read_image(str(tmp_path / "b.png"))  # without an annotation
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("suffix", ["gif", "png", "tif", "webp"])
def test_the_first_frame_is_used_and_mentioned_once(tmp_path, suffix, caplog):
    frames = [Image.new("RGB", (1, 1), (value,) * 3) for value in (0, 200)]
    for name in ("a", "b"):
        path = tmp_path / f"{name}.{suffix}"
        assert saved(path, frames[0], save_all=True, append_images=frames[1:]) == [[[0] * 3]]
    assert len(caplog.messages) == 1
    assert "has several frames, of which the first is used" in caplog.messages[0]


def test_a_wrong_suffix_does_not_matter(tmp_path):
    Image.new("RGB", (1, 1)).save(tmp_path / "a.jpg", format="PNG")
    assert read_image(str(tmp_path / "a.jpg")).size == (1, 1)


def test_16_bits_with_small_values_are_mentioned(tmp_path, caplog):
    saved(tmp_path / "a.png", Image.new("I;16", (1, 1), 4000))
    assert "has 16 bits, but no value above 4000, and is nearly black" in caplog.text
