"""Image reader: RGB, upright unless the annotation fits the stored orientation only, first frame of several.

Rule for the EXIF orientation (and that of XMP): an image is turned upright, because annotation tools show it upright.
Some tools annotate the pixels as they are stored. If the annotation has the stored size and not the upright one, the
image is used as stored, and a warning says so. Sizes cannot tell for square images, for 180° and for mirrored images:
those are turned upright, with a warning if they are annotated. Colour profiles are not applied; transparency is
dropped.
"""

from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image
from PIL.Image import Transpose

from frozenseg.errors import DataError
from frozenseg.log import get_logger, warn_once
from frozenseg.structures.image_files import DecodeLimits, has_several_frames, opened_image

logger = get_logger(__name__)
MAX_16_BIT = 2**16 - 1
LEVEL_RATIO = MAX_16_BIT // 255  # 16-bit levels for each 8-bit level, 257
DARK_16_BIT = 2**12  # of images with 12 bits or less, which look black as 16 bits
ORIENTATIONS = {  # value of the EXIF tag → transposition that turns the stored image upright
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
QUARTER_TURNS = (Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)
HeightWidth = tuple[int, int]


def read_image(path: str, annotated_size: HeightWidth | None = None) -> Image.Image:
    """Read an image as RGB, upright according to its EXIF orientation.

    Args:
        path: of the file.
        annotated_size: height and width of the annotation, pixels; if they are those of the stored image and not of the
            upright one, the image is returned as stored. None for the upright image.

    Raises:
        DataError: the file is missing or cannot be decoded.
    """
    return decode_image(path, path, "replace it, or skip it with --skip-bad", annotated_size)


def decode_image(
    source: str | BinaryIO,
    name: str,
    advice: str,
    annotated_size: HeightWidth | None = None,
    limits: DecodeLimits | None = None,
) -> Image.Image:
    """Decode an encoded image as :func:`read_image` does.

    Args:
        source: path, or binary file at its beginning.
        name: of the image, for messages.
        advice: what the user can do about an image that cannot be decoded.
        annotated_size: see :func:`read_image`.
        limits: of an image that is not trusted, see :class:`DecodeLimits`.

    Raises:
        DataError: the file is missing or cannot be decoded.
    """
    with opened_image(source, name, advice, limits) as image:
        if has_several_frames(image):
            message = "%s has several frames, of which the first is used, as of all such images in this folder."
            warn_once(logger, message, name, key=f"frames {Path(name).parent}")
        upright = _as_annotated(image, _upright(image, name), name, annotated_size)
        try:
            return _to_rgb(upright, name)
        except (OSError, ValueError) as error:
            raise DataError(f"The image {name} cannot be decoded ({error}): {advice}.") from error


def as_rgb(image: Image.Image) -> Image.Image:
    """Return an image as RGB, upright according to its EXIF orientation; 16 bits per channel become 8.

    Raises:
        ValueError: the pixels are not integers from 0 to 65535.
    """
    image.load()
    name = getattr(image, "filename", "") or "The image"
    return _to_rgb(_upright(image, name), name)


def check_size(path: str, image: Image.Image, expected: HeightWidth) -> None:
    """Check that an image has the size that its annotation states.

    Args:
        path: path of the image, for the message.
        image: the image.
        expected: height and width, pixels.

    Raises:
        DataError: the sizes differ.
    """
    if _height_width(image) != tuple(expected):
        raise DataError(
            f"{path} is {image.width}×{image.height} pixels, expected {expected[1]}×{expected[0]} as annotated: "
            "image and annotation do not belong together."
        )


def orientation_swaps_sides(path: str) -> bool:
    """Return True if an image is turned by a quarter to be upright; only its header is read.

    Files that cannot be read give False.
    """
    try:
        with Image.open(path) as image:
            return _orientation(image, path) in QUARTER_TURNS
    except Exception:  # noqa: BLE001 (decoders raise errors of any kind; reading the image names the file)
        return False


def _orientation(image: Image.Image, name: str) -> Transpose | None:
    try:
        return ORIENTATIONS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # noqa: BLE001 (readers of metadata raise errors of any kind)
        message = "%s has damaged metadata, so that its orientation is unknown: such images are used as stored."
        warn_once(logger, message, name, key=f"metadata {Path(name).parent}")
        return None


def _upright(image: Image.Image, name: str) -> Image.Image:
    method = _orientation(image, name)
    return image if method is None else image.transpose(method)


def _as_annotated(image: Image.Image, upright: Image.Image, name: str, size: HeightWidth | None) -> Image.Image:
    """Return an image upright, or as stored if its annotation has that size only; warn if the size cannot tell."""
    if upright is image or size is None:
        return upright
    folder = Path(name).parent
    if _height_width(upright) != size == _height_width(image):
        message = "%s is annotated as stored (%d×%d), not upright (%d×%d): such images are used as stored."
        warn_once(logger, message, name, *image.size, *upright.size, key=f"orientation {folder}")
        return image
    if _height_width(upright) == size == _height_width(image):
        message = (
            "%s is turned or mirrored by its EXIF orientation, and the size of its annotation fits the stored image, "
            "too: such images are used upright; if they are annotated as stored, remove the orientation."
        )
        warn_once(logger, message, name, key=f"unclear orientation {folder}")
    return upright


def _height_width(image: Image.Image) -> HeightWidth:
    return image.height, image.width


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):  # Pillow would clip values above 255
        pixels = np.asarray(image)
        largest = pixels.max(initial=0)
        if pixels.dtype.kind == "f" or pixels.min(initial=0) < 0 or largest > MAX_16_BIT:
            raise ValueError(f"pixels of mode {image.mode!r} are not integers from 0 to 65535: use 8 or 16 bits")
        if largest < DARK_16_BIT:
            message = "%s has 16 bits, but no value above %d, and is nearly black: if it has 8 or 12 bits, rescale it."
            warn_once(logger, message, name, largest, key=f"dark {Path(name).parent}")
        image = Image.fromarray(((pixels.astype(np.uint32) + LEVEL_RATIO // 2) // LEVEL_RATIO).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns about a direct conversion
    return image.convert("RGB")
