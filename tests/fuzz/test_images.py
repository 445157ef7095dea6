"""Image files of many formats and modes, rotated by EXIF, cut off, with other bytes."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from PIL import Image

from frozenseg.data.images import read_image
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import damaged

MODES = {
    "png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "jpg": ("L", "RGB", "CMYK"),
    "bmp": ("1", "L", "P", "RGB"),
    "tiff": ("1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "LAB"),
    "gif": ("L", "P"),
    "webp": ("RGB", "RGBA"),
    "ppm": ("L", "RGB"),
    "ico": ("RGBA",),
}
FORMATS = {"jpg": "jpeg"}
WITH_EXIF = ("png", "jpg", "tiff", "webp")
LOSSLESS = ("png", "tiff", "bmp", "ppm")
ORIENTATION = 0x0112
TURNS = {  # EXIF orientation → the upright image, as defined in its standard
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
}


@st.composite
def image_cases(draw: DrawFn) -> dict[str, Any]:
    """Draw the bytes of an image file; ``pixels`` is the upright RGB image where the bytes are undamaged."""
    suffix = draw(st.sampled_from(sorted(MODES)))
    mode = draw(st.sampled_from(MODES[suffix]))
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    image = _image(mode, rng, height, width)
    orientation = draw(st.integers(0, 9)) if suffix in WITH_EXIF else 1
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    options = {"exif": exif} if suffix in WITH_EXIF and orientation != 1 else {}
    if suffix == "ico":
        options["sizes"] = [image.size]
    image.save(buffer, FORMATS.get(suffix, suffix), **options)
    whole = buffer.getvalue()
    data = draw(st.one_of(st.just(whole), damaged(whole)))
    known = data == whole and suffix in LOSSLESS and mode in ("L", "RGB")
    pixels = TURNS.get(orientation, TURNS[1])(np.asarray(image.convert("RGB"))) if known else None
    return {"suffix": suffix, "data": data, "pixels": pixels, "whole": data == whole}


def _image(mode: str, rng: np.random.Generator, height: int, width: int) -> Image.Image:
    if mode in ("I", "I;16"):
        return Image.fromarray(rng.integers(0, 2**16, (height, width)).astype(np.uint16 if "16" in mode else np.int32))
    if mode == "F":
        return Image.fromarray(rng.random((height, width), dtype=np.float32))
    colours = Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))
    return Image.merge("LAB", colours.split()) if mode == "LAB" else colours.convert(mode)


@fuzz("images", image_cases(), examples=150)
def test_images(case: dict[str, Any], folder: Path) -> None:
    path = folder / f"image.{case['suffix']}"
    path.write_bytes(case["data"])
    image = read_image(str(path))
    assert image.mode == "RGB"
    assert np.asarray(image).shape == (image.height, image.width, 3)
    if case["pixels"] is not None:
        assert np.array_equal(np.asarray(image), case["pixels"])
