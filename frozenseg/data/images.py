"""Pictures as training and testing see them: RGB, upright, of the size that the annotation says."""

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from frozenseg.errors import DataError

MOST_OF_16_BITS = 2**16 - 1
STEP = MOST_OF_16_BITS // 255  # 16-bit levels between two 8-bit ones, 257


def read_image(path: str) -> Image.Image:
    """Read a picture as RGB, upright as its EXIF orientation says.

    Raises:
        DataError: it is missing or cannot be decoded; names it.
    """
    try:
        with Image.open(path) as image:
            return as_rgb(image)
    except FileNotFoundError as error:
        raise DataError(f"The image {path} does not exist.") from error
    except UnidentifiedImageError as error:
        raise DataError(
            f"The image {path} cannot be decoded (unknown format): replace it, or go on without it by --skip-bad."
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            f"The image {path} cannot be decoded ({error}): replace it, or go on without it by --skip-bad."
        ) from error


def as_rgb(image: Image.Image) -> Image.Image:
    """Return a picture as RGB, upright as its EXIF orientation says; 16 bits a pixel become 8.

    Raises:
        ValueError: its pixels are not numbers from 0 to 65535.
    """
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F" or upright.mode.startswith("I"):  # Pillow would clip what is above 255
        pixels = np.asarray(upright)
        if pixels.dtype.kind == "f" or pixels.min(initial=0) < 0 or pixels.max(initial=0) > MOST_OF_16_BITS:
            raise ValueError(f"pixels of mode {upright.mode!r} are no colours: save it with 8 or 16 bits a pixel")
        upright = Image.fromarray(((pixels.astype(np.uint32) + STEP // 2) // STEP).astype(np.uint8))
    return upright.convert("RGB")


def check_size(path: str, image: Image.Image, expected: tuple[int, int]) -> None:
    """Check that a picture has the size that its annotation says.

    Args:
        path: of the picture, for the message.
        image: the picture.
        expected: height and width, pixels.

    Raises:
        DataError: it has another one.
    """
    if (image.height, image.width) != tuple(expected):
        raise DataError(
            f"{path} is {image.width}×{image.height} pixels, its annotation says {expected[1]}×{expected[0]}: "
            "image and annotation do not belong together."
        )
