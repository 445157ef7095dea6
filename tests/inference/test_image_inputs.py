"""Images in every type that a user may have them in, and a sentence for everything else."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.image_inputs import load_image

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY = PIXELS[..., 0]
ALPHA = np.dstack([PIXELS, np.zeros((5, 7), np.uint8)])
CHANNELS_FIRST = torch.from_numpy(PIXELS).permute(2, 0, 1)


def encoded(array: np.ndarray = PIXELS) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def at_its_end(content: bytes) -> io.BytesIO:
    file = io.BytesIO(content)
    file.seek(0, io.SEEK_END)
    return file


@pytest.mark.parametrize(
    "image",
    [
        PIXELS,
        PIXELS[:, ::-1][:, ::-1],
        np.asfortranarray(PIXELS),
        PIXELS.astype(np.int64),
        PIXELS.astype(np.int16),
        PIXELS.astype(np.uint16) * 257,
        (PIXELS.astype(np.uint16) * 257).astype(">u2"),
        PIXELS / 255,
        (PIXELS / 255).astype(np.float32),
        ALPHA,
        ALPHA / 255,
        CHANNELS_FIRST,
        CHANNELS_FIRST.contiguous(),
        CHANNELS_FIRST.long(),
        CHANNELS_FIRST / 255,
        (CHANNELS_FIRST / 255).requires_grad_(),
        (CHANNELS_FIRST / 255).double(),
        torch.from_numpy(ALPHA).permute(2, 0, 1),
        Image.fromarray(PIXELS),
        encoded(),
        bytearray(encoded()),
        memoryview(encoded()),
        io.BytesIO(encoded()),
        at_its_end(encoded()),
        encoded(ALPHA),
        encoded(np.dstack([PIXELS, np.full((5, 7), 9, np.uint8)])),
    ],
)
def test_one_image_in_many_types(image: Any) -> None:
    for _ in range(2):  # a file object may be read again
        loaded = load_image(image)
        assert loaded.mode == "RGB"
        assert np.array_equal(np.asarray(loaded), PIXELS)


@pytest.mark.parametrize(
    "image",
    [
        GREY,
        GREY[..., None],
        GREY / 255,
        GREY.astype(np.uint16) * 257,
        GREY[..., None].astype(np.uint16) * 257,
        torch.from_numpy(GREY),
        torch.from_numpy(GREY)[None],
        Image.fromarray(GREY),
        Image.fromarray(GREY.astype(np.int32) * 257),
        encoded(GREY),
        encoded(GREY.astype(np.uint16) * 257),
    ],
)
def test_one_grey_image_in_many_types(image: Any) -> None:
    assert np.array_equal(np.asarray(load_image(image)), np.dstack([GREY] * 3))


def test_floats_are_rounded_and_bits_are_black_and_white() -> None:
    assert np.asarray(load_image(np.array([[0.0, 0.5, 1.0]])))[0, :, 0].tolist() == [0, 128, 255]
    assert np.asarray(load_image(torch.tensor([[0.0, 0.25, 1.0]], dtype=torch.bfloat16)))[0, :, 0].tolist() == [
        0,
        64,
        255,
    ]
    assert np.asarray(load_image(np.array([[False, True]])))[0, :, 0].tolist() == [0, 255]
    assert np.asarray(load_image(Image.new("1", (1, 1), 1))).tolist() == [[[255] * 3]]


def test_files_by_path_and_open_files(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(encoded())
    with path.open("rb") as file:
        images = [load_image(path), load_image(str(path)), load_image(file)]
        assert not file.closed
    assert all(np.array_equal(np.asarray(image), PIXELS) for image in images)


def closed() -> io.BytesIO:
    file = io.BytesIO(encoded())
    file.close()
    return file


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: None, "An image is of type NoneType, expected a path"),
        (lambda: 3, "is of type int"),
        (lambda: [[0, 1], [2, 3]], "is of type list.* numbers must be in an array"),
        (lambda: (image for image in [PIXELS]), "is of type generator.*pass list"),
        (lambda: "", "is an empty text"),
        (lambda: "https://example.org/a.jpg", "is an address, not a file: download it"),
        (lambda: "gone.jpg", r"gone\.jpg does not exist"),
        (lambda: Path(__file__).parent, "is a folder, expected a file"),
        (lambda: Path(__file__), r"\(unknown format\): replace it\.$"),
        (lambda: b"", "is empty"),
        (lambda: PIXELS.tobytes(), r"in 105 bytes cannot be decoded .* pixels as an array"),
        (lambda: encoded()[:80], "in 80 bytes cannot be decoded"),
        (lambda: io.StringIO("text"), "is read as str, expected bytes: open it with 'rb'"),
        (closed, "cannot be read .*closed file"),
        (lambda: np.zeros((0, 4, 3), np.uint8), r"received \(0, 4, 3\) uint8"),
        (lambda: np.zeros(4, np.uint8), r"received \(4,\) uint8"),
        (lambda: np.uint8(4), r"received \(\) uint8"),
        (lambda: np.zeros((3, 4, 8), np.uint8), r"\(3, 4, 8\) uint8: pass image.transpose\(1, 2, 0\)"),
        (lambda: np.zeros((9, 4, 5), np.uint8), r"must be \(H, W, 3\)"),
        (lambda: np.zeros((2, 9, 9, 3), np.uint8), "a batch: pass list"),
        (lambda: torch.zeros(2, 3, 9, 9), "image tensor must be one image.*a batch: pass list"),
        (lambda: torch.zeros(9, 8, 3), r"received \(9, 8, 3\): pass image.permute\(2, 0, 1\)"),
        (lambda: torch.zeros(9, 8, 5), "pass one image of 1, 3 or 4 channels"),
        (lambda: torch.zeros(3, 4, 4, device="meta"), "on the device 'meta'"),
        (lambda: torch.zeros(3, 4, 4).to_sparse(), "layout torch.sparse_coo"),
        (lambda: torch.zeros(3, 4, 4, dtype=torch.complex64), "of type complex64"),
        (lambda: np.full((4, 4), "a"), "of type <U1"),
        (lambda: np.full((4, 4), None), "of type object"),
        (lambda: np.full((4, 4), 255.0), "values from 255 to 255, expected 0 to 1: divide by 255"),
        (lambda: np.full((4, 4), -0.5), "values from -0.5 to -0.5, expected 0 to 1: scale them"),
        (lambda: np.full((4, 4), np.nan), "values that are not finite"),
        (lambda: torch.full((3, 4, 4), float("inf")), "values that are not finite"),
        (lambda: np.full((4, 4), 256), "values from 256 to 256, expected 0 to 255"),
        (lambda: np.full((4, 4), -1), "values from -1 to -1"),
        (lambda: Image.new("RGB", (0, 4)), "0×4 pixels, expected at least one a side"),
        (lambda: Image.fromarray(np.full((4, 4), 0.5, np.float32)), "pixels of mode 'F'"),
    ],
)
def test_what_is_no_image_is_one_sentence_without_flags(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load_image(make())
    assert "--" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pil_image_of_a_closed_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded())
    with Image.open(tmp_path / "a.png") as image:
        pass
    with pytest.raises(DataError, match=r"a\.png cannot be decoded"):
        load_image(image)
