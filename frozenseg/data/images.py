"""Image reader (RGB, upright) and check of the image size against the annotation."""

from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from frozenseg.errors import DataError

MAX_16_BIT = 2**16 - 1
LEVEL_RATIO = MAX_16_BIT // 255  # 16-bit levels for each 8-bit level, 257


def read_image(path: str) -> Image.Image:
    """Read an image as RGB, upright according to its EXIF orientation.

    Raises:
        DataError: the file is missing or cannot be decoded.
    """
    return decode_image(path, path, "replace it, or skip it with --skip-bad")


def decode_image(source: str | BinaryIO, name: str, advice: str) -> Image.Image:
    """Decode an encoded image as :func:`read_image` does.

    Args:
        source: path, or binary file at its beginning.
        name: of the image, for messages.
        advice: what the user can do about an image that cannot be decoded.

    Raises:
        DataError: the file is missing or cannot be decoded.
    """
    try:
        with Image.open(source) as image:
            return as_rgb(image)
    except FileNotFoundError as error:
        raise DataError(f"The image {name} does not exist.") from error
    except UnidentifiedImageError as error:
        raise DataError(f"The image {name} cannot be decoded (unknown format): {advice}.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"The image {name} cannot be decoded ({error}): {advice}.") from error


def as_rgb(image: Image.Image) -> Image.Image:
    """Return an image as RGB, upright according to its EXIF orientation; 16 bits per channel become 8.

    Raises:
        ValueError: the pixels are not integers from 0 to 65535.
    """
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F" or upright.mode.startswith("I"):  # Pillow would clip values above 255
        pixels = np.asarray(upright)
        if pixels.dtype.kind == "f" or pixels.min(initial=0) < 0 or pixels.max(initial=0) > MAX_16_BIT:
            raise ValueError(f"pixels of mode {upright.mode!r} are not integers from 0 to 65535: use 8 or 16 bits")
        upright = Image.fromarray(((pixels.astype(np.uint32) + LEVEL_RATIO // 2) // LEVEL_RATIO).astype(np.uint8))
    return upright.convert("RGB")


def check_size(path: str, image: Image.Image, expected: tuple[int, int]) -> None:
    """Check that an image has the size that its annotation states.

    Args:
        path: path of the image, for the message.
        image: the image.
        expected: height and width, pixels.

    Raises:
        DataError: the sizes differ.
    """
    if (image.height, image.width) != tuple(expected):
        raise DataError(
            f"{path} is {image.width}×{image.height} pixels, expected {expected[1]}×{expected[0]} as annotated: "
            "image and annotation do not belong together."
        )
