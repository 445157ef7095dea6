"""Image files of other kinds, damaged ones and huge ones: one sentence that names the file and its kind."""

import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.structures.image_files import has_several_frames, opened_image
from frozenseg.structures.label_files import read_labels, read_segment_ids

PNG = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return PNG + header + b"".join(chunks) + chunk(b"IDAT", zlib.compress(b"\0" * 14)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"\(an empty file\): replace it"),
        (bytes(100), r"\(a file of zeros\)"),
        (b"no image", r"\(unknown format\)"),
        (b"\0\0\0\x18ftypheic0000", r"\(a HEIC photo\): convert it to JPEG or PNG"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a pointer of Git LFS.*: run `git lfs pull`"),
        (b"<!DOCTYPE html><html>", "a web page.*: download it again"),
        (b"PK\x03\x04....", "a ZIP archive.*: unpack it"),
        (bytes(128) + b"DICM", "a DICOM file"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "EPS is a format of drawings"),
        (png(100_000, 100_000), "more than 178956970 pixels.*: cut it into tiles"),
        (png(2, 2, chunk(b"zTXt", b"a\0\0" + zlib.compress(b"a" * 10**7))), "too large"),
        (png(2, 2)[:45], "replace it"),
    ],
)
@pytest.mark.parametrize("read", [read_labels, read_segment_ids])
def test_files_that_are_no_images(content: bytes, message: str, read: object, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=rf"The image .*a\.png cannot be decoded .*{message}"):
        read(tmp_path / "a.png")  # type: ignore[operator]


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be decoded"), opened_image(tmp_path):
        pass
    with pytest.raises(DataError, match="does not exist"), opened_image(tmp_path / "a.png"):
        pass


def test_an_animation_with_damaged_later_frames_is_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    frames = [Image.new("L", (20, 20), value) for value in (0, 90, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with opened_image(path) as image:
        assert has_several_frames(image)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b",", 20) + 30])
    try:
        with opened_image(path) as image:
            has_several_frames(image)
    except DataError as error:
        assert "a.gif cannot be decoded" in str(error)  # noqa: PT017 (either is right)
